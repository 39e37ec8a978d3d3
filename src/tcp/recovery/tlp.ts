// Tail loss probes (RFC 8985 section 7): when to send one, and what the ACK of it tells. loss-probe.ts sends it.

import { TcpExt } from '../../core/mib.js';
import { TCP_CA_CWR, TCP_CA_Open } from '../../uapi/tcp.js';
import {
  type AckState,
  FLAG_DATA_SACKED,
  FLAG_DSACK_TLP,
  FLAG_NOT_DUP,
  FLAG_SND_UNA_ADVANCED,
} from '../ack-state.js';
import { TCP_TIMEOUT_INIT, TIME_LOSS_PROBE } from '../constants.js';
import { endCwndReduction, initCwndReduction, setCaState, tryKeepOpen } from '../cwnd.js';
import { rtoMinUs } from '../path/route-hints.js';
import { after, before } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { armRetransmit, rtoDeltaUs } from '../tcp-timer.js';

const TIMEOUT_MIN_US = 2000;

/**
 * tcp_schedule_loss_probe: arms the probe timer in place of the retransmission timer, two round trips from now. False: no
 * probe is due in this state. `advancing`: an ACK made progress, so that the whole timeout lies ahead.
 */
export function scheduleLossProbe(sk: TcpSock, advancing: boolean): boolean {
  const { sysctl } = sk.host;
  const early = sysctl.tcpEarlyRetrans;
  if ((early !== 3 && early !== 4) || sk.tx.packetsOut === 0 || !sk.sackOk) return false;
  if (sk.caState !== TCP_CA_Open && sk.caState !== TCP_CA_CWR) return false;
  let timeoutUs = TCP_TIMEOUT_INIT * 1000;
  if (sk.srttUs !== 0) {
    // The peer may hold back the ACK of a lone segment.
    timeoutUs = (sk.srttUs >> 2) + (sk.tx.packetsOut === 1 ? rtoMinUs(sk) : TIMEOUT_MIN_US);
  }
  const rtoUs = advancing ? sk.rto * 1000 : rtoDeltaUs(sk);
  if (rtoUs > 0 && rtoUs < timeoutUs) timeoutUs = rtoUs;
  armRetransmit(sk, TIME_LOSS_PROBE, Math.ceil(timeoutUs / 1000));
  return true;
}

/** tcp_process_tlp_ack: did the probe repair a loss, which then must cost window as any loss does? */
export function processTlpAck(sk: TcpSock, ackSeq: number, ack: AckState): void {
  if (before(ackSeq, sk.tx.tlpHighSeq)) return;
  const quiet = FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DATA_SACKED;
  if (!sk.tx.tlpRetrans || (ack.flag & FLAG_DSACK_TLP) !== 0) {
    // New data served as the probe, or both copies arrived.
    sk.tx.tlpOut = false;
  } else if (after(ackSeq, sk.tx.tlpHighSeq)) {
    initCwndReduction(sk);
    setCaState(sk, TCP_CA_CWR);
    endCwndReduction(sk);
    tryKeepOpen(sk);
    sk.host.mib.count(TcpExt.TCPLossProbeRecovery);
  } else if ((ack.flag & quiet) === 0) {
    // A pure duplicate ACK: the original and the probe arrived.
    sk.tx.tlpOut = false;
  }
}

// What the reordering and probe timers do (tcp_rack_reo_timeout, tcp_send_loss_probe): timers.ts comes by here.

import { TcpExt } from '../../core/mib.js';
import { TCP_CA_Recovery } from '../../uapi/tcp.js';
import { NAGLE_OFF, TIME_NONE, TIME_RETRANS } from '../constants.js';
import { reduceCwnd } from '../cwnd.js';
import { PUSH_PROBE, writeXmit } from '../output.js';
import { currentMss } from '../path/mss.js';
import { rowLength, rowPackets, splitRow } from '../row-packets.js';
import { after } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { rearmRto } from '../tcp-timer.js';
import { windowEnd } from '../tso.js';
import { ROW_END, ROW_SEQ } from '../write-queue.js';
import { rackDetectLoss } from './rack.js';
import { enterRecovery } from './recovery.js';
import { resendRow, xmitRetransmitQueue } from './retransmit.js';

/** What might have been reordering has lasted too long: it is loss (RFC 8985 section 6.2 step 5). */
export function reorderingTimeout(sk: TcpSock): void {
  const flight = sk.inFlight;
  const { lost } = sk.tx;
  rackDetectLoss(sk);
  if (flight !== sk.inFlight) {
    if (sk.caState !== TCP_CA_Recovery) {
      enterRecovery(sk, false);
      if (!sk.cc.controls) reduceCwnd(sk, 1, sk.tx.lost - lost, false);
    }
    xmitRetransmitQueue(sk);
  }
  if (sk.tx.pendingTimer !== TIME_RETRANS) rearmRto(sk);
}

/** New data, or the last segment once more, so that its ACK tells of a lost tail (RFC 8985 section 7.3). */
export function sendLossProbe(sk: TcpSock): void {
  // One at a time.
  if (!sk.tx.tlpOut && probe(sk)) {
    sk.tx.tlpOut = true;
    sk.tx.tlpHighSeq = sk.sndNxt;
    sk.host.mib.count(TcpExt.TCPLossProbes);
    // The timeout counts from the probe.
    sk.tx.pendingTimer = TIME_NONE;
  }
  rearmRto(sk);
}

function probe(sk: TcpSock): boolean {
  const queue = sk.writeQueue;
  sk.tx.tlpRetrans = false;
  if (queue.sent < queue.count && firstFits(sk)) {
    const before = sk.tx.packetsOut;
    writeXmit(sk, NAGLE_OFF, PUSH_PROBE);
    return sk.tx.packetsOut > before;
  }
  if (queue.sent === 0) return false;
  let i = queue.sent - 1;
  const packets = rowPackets(sk, i);
  if (packets > 1) {
    const mss = currentMss(sk);
    const whole = (packets - 1) * mss;
    if (rowLength(sk, i) > whole) {
      splitRow(sk, i, (queue.rows[queue.at(i) + ROW_SEQ] + whole) | 0, mss);
      i++;
    }
  }
  if (!resendRow(sk, i, 1)) return false;
  sk.tx.tlpRetrans = true;
  return true;
}

/** tcp_snd_wnd_test */
function firstFits(sk: TcpSock): boolean {
  const queue = sk.writeQueue;
  const at = queue.at(queue.sent);
  const seq = queue.rows[at + ROW_SEQ];
  const mss = currentMss(sk);
  const end = rowLength(sk, queue.sent) > mss ? (seq + mss) | 0 : queue.rows[at + ROW_END];
  return !after(end, windowEnd(sk));
}

// Packetisation-layer path MTU discovery (RFC 4821, tcp_mtu_probe): now and then one segment larger than the rest; if it is
// acknowledged all may be as large, if only it is lost none may. Also what a black hole leads to. output.ts sends the probes.

import { TcpExt } from '../../core/mib.js';
import { TX_PIECES } from '../../link/tx-ring.js';
import { TCP_CA_CWR, TCP_CA_Open } from '../../uapi/tcp.js';
import { sackLength } from '../sack-option.js';
import { after } from '../seq.js';
import type { TcpSock } from '../sock.js';
import { HEADERS, mssToMtu, mtuToMss, syncMss } from './mss.js';

/** Fewer segments in the window, and a lost probe could not be told from congestion by duplicates (tcp_mtu_probe). */
const LEAST_CWND = 11;

/** What is searched, as sizes of IP packets (icsk_mtup). A sock has one only while probing is on. */
export class MtuProbing {
  searchHigh: number;
  searchLow: number;
  /** Size of the probe in the network; 0: none is. */
  probeSize = 0;
  probeStart = 0;
  probeEnd = 0;
  /** When the search was begun. */
  stampMs: number;

  constructor(high: number, low: number, nowMs: number) {
    this.searchHigh = high;
    this.searchLow = low;
    this.stampMs = nowMs;
  }
}

/** tcp_mtup_init: with net.ipv4.tcp_mtu_probing = 2 every connection searches from the start, between tcp_base_mss and the peer's. */
export function initMtuProbing(sk: TcpSock): void {
  sk.mtup = sk.host.sysctl.tcpMtuProbing > 1 ? search(sk) : null;
}

function search(sk: TcpSock): MtuProbing {
  const { sysctl, nowMs } = sk.host;
  return new MtuProbing(sk.mssClamp + HEADERS, mssToMtu(sk, sysctl.tcpBaseMss), nowMs);
}

/**
 * tcp_mtu_probe's judgement, `mss` being the current segment size: how many bytes the next segment should carry to be a probe;
 * 0: send nothing and wait until there is room for one; -1: no probe now.
 */
export function probeLength(sk: TcpSock, mtup: MtuProbing, mss: number): number {
  if (
    mtup.probeSize !== 0 ||
    sk.caState !== TCP_CA_Open ||
    sk.sndCwnd < LEAST_CWND ||
    // Headers that vary would spoil the measurement.
    sackLength(sk) !== 0
  ) {
    return -1;
  }
  const length = mtuToMss(sk, (mtup.searchHigh + mtup.searchLow) >> 1);
  const range = mtup.searchHigh - mtup.searchLow;
  if (length > mtuToMss(sk, mtup.searchHigh) || range < Math.max(1, sk.host.sysctl.tcpProbeThreshold)) {
    searchAgain(sk, mtup, mss);
    return -1;
  }
  // As much again behind it as makes the duplicates that tell of its loss.
  const needed = length + (sk.reordering + 1) * sk.mss;
  if (sk.notsent < needed || sk.sndWnd < needed) return -1;
  if (after((sk.sndNxt + needed) | 0, (sk.sndUna + sk.sndWnd) | 0)) return 0;
  const { inFlight } = sk;
  if (inFlight + 2 > sk.sndCwnd) return inFlight === 0 ? -1 : 0;
  const at = (sk.sndNxt - sk.tx.sndQueueSeq) | 0;
  return sk.sndQueue.contiguous(at, length, TX_PIECES) < length ? -1 : length;
}

/** The probe is on its way: one packet that takes the room of two. */
export function probeSent(sk: TcpSock, mtup: MtuProbing, start: number, length: number): void {
  sk.sndCwnd--;
  mtup.probeSize = mssToMtu(sk, length);
  mtup.probeStart = start;
  mtup.probeEnd = (start + length) | 0;
}

/** tcp_mtu_check_reprobe: the path may have changed, so after tcp_probe_interval the whole range is open again. */
function searchAgain(sk: TcpSock, mtup: MtuProbing, mss: number): void {
  const { nowMs, sysctl } = sk.host;
  if (((nowMs - mtup.stampMs) | 0) < sysctl.tcpProbeInterval * 1000) return;
  mtup.probeSize = 0;
  mtup.searchHigh = sk.mssClamp + HEADERS;
  mtup.searchLow = mssToMtu(sk, mss);
  mtup.stampMs = nowMs;
}

/** Data was acknowledged: was the probe among it? Then all segments may be as large (tcp_mtup_probe_success). */
export function probeAcked(sk: TcpSock, mtup: MtuProbing): void {
  if (mtup.probeSize === 0 || after(mtup.probeEnd, sk.sndUna)) return;
  // The window stays the same in bytes.
  sk.sndCwnd = Math.max(1, Math.floor((sk.sndCwnd * mssToMtu(sk, sk.mss)) / mtup.probeSize));
  sk.sndCwndCnt = 0;
  sk.sndCwndStamp = sk.host.nowMs;
  sk.sndSsthresh = Math.max(sk.sndSsthresh, (sk.sndCwnd >> 1) + (sk.sndCwnd >> 2));
  mtup.searchLow = mtup.probeSize;
  mtup.probeSize = 0;
  syncMss(sk, sk.pmtu);
  sk.host.mib.count(TcpExt.TCPMTUPSuccess);
}

/**
 * A loss is about to be answered as congestion. True if it is a probe's: then it was not, and the caller only sends the probe's
 * data again in smaller segments (tcp_mtup_probe_failed).
 */
export function probeLost(sk: TcpSock, mtup: MtuProbing): boolean {
  if (sk.caState >= TCP_CA_CWR || mtup.probeSize === 0 || sk.sndUna !== mtup.probeStart) return false;
  mtup.searchHigh = mtup.probeSize - 1;
  mtup.probeSize = 0;
  sk.host.mib.count(TcpExt.TCPMTUPFail);
  sk.sndCwnd++;
  return true;
}

/**
 * tcp_mtu_probing: nothing has come back for tcp_retries1 timeouts, as if large packets vanished without a word. The first time
 * tcp_base_mss is tried, then ever less.
 */
export function blackHole(sk: TcpSock): void {
  const { sysctl } = sk.host;
  if (sysctl.tcpMtuProbing === 0) return;
  if (sk.mtup === null) {
    sk.mtup = search(sk);
  } else {
    const half = Math.min(sysctl.tcpBaseMss, mtuToMss(sk, sk.mtup.searchLow) >> 1);
    sk.mtup.searchLow = mssToMtu(sk, Math.max(half, sysctl.tcpMtuProbeFloor, sysctl.tcpMinSndMss));
  }
  syncMss(sk, sk.pmtu);
}

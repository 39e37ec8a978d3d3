// The active open (tcp_v4_connect, tcp_connect): route, source address, port, and the SYN.

import { TcpExt, Tcp as TcpMib } from '../core/mib.js';
import { SOCK_BINDADDR_LOCK } from '../core/sock.js';
import { ANY_V4, type IpAddress } from '../packet/address.js';
import { EADDRNOTAVAIL, ENETUNREACH } from '../uapi/errno.js';
import { TCP_CLOSE, TCP_FIN_WAIT2, TCP_SYN_SENT } from '../uapi/tcp.js';
import { endTimeWait, setState } from './close.js';
import { TCP_MSS_DEFAULT, TCP_TIMEOUT_INIT, TIME_RETRANS } from './constants.js';
import { tupleHash } from './demux.js';
import { deferConnect, sendSynData } from './fastopen/fastopen-client.js';
import { initialSequence, portOffset, timestampOffset } from './isn.js';
import { advertisedMss, syncMss } from './path/mss.js';
import { initMtuProbing } from './path/mtu-probe.js';
import { chooseControl } from './path/route-hints.js';
import { rateSent } from './rate.js';
import type { TcpSock } from './sock.js';
import type { TcpShared } from './tcp-shared.js';
import { armRetransmit } from './tcp-timer.js';
import type { TimeWaitSock } from './time-wait.js';
import { initializeRcvMss } from './transfer.js';
import { prepareSyn, transmitSyn } from './transmit.js';
import { ROW_SYN } from './write-queue.js';

/** Asks whether one sock's four-tuple is taken, for each port that is tried (__inet_check_established). */
class TupleCheck {
  readonly #tcp: TcpShared;
  readonly #sk: TcpSock;
  /** The port was asked for by number: no other will do. */
  readonly #bound: boolean;

  constructor(tcp: TcpShared, sk: TcpSock, bound: boolean) {
    this.#tcp = tcp;
    this.#sk = sk;
    this.#bound = bound;
  }

  inUse(port: number): boolean {
    const { saddr, daddr, dport } = this.#sk;
    const tcp = this.#tcp;
    const hash = tupleHash(tcp.tableKey, saddr, port, daddr, dport);
    if (tcp.established.lookup(hash, saddr, port, daddr, dport) !== null) return true;
    const tw = tcp.timeWaits.lookup(hash, saddr, port, daddr, dport);
    if (tw === null) return false;
    if (tw.tsRecentStamp === 0 || !(this.#bound || mayReuse(tcp, this.#sk, tw))) return true;
    // tcp_twsk_unique: go on where the old connection's sequence space ended.
    this.#sk.writeSeq = (tw.sndNxt + 65535 + 2) | 0 || 1;
    this.#sk.tsRecent = tw.tsRecent;
    this.#sk.tsRecentStamp = tw.tsRecentStamp;
    endTimeWait(tw);
    tcp.host.mib.count(TcpExt.TWRecycled);
    return false;
  }
}

/** tcp_tw_reuse: after tcp_tw_reuse_delay in TIME_WAIT; value 2 limits it to loopback (RFC 6191). */
function mayReuse(tcp: TcpShared, sk: TcpSock, tw: TimeWaitSock): boolean {
  const { tcpTwReuse: reuse, tcpTwReuseDelay: delay } = tcp.host.sysctl;
  // The peer of an orphan in FIN_WAIT2 has not closed yet.
  if (reuse === 0 || tw.substate === TCP_FIN_WAIT2) return false;
  if (reuse === 2 && !sk.daddr.isLoopback && !sk.saddr.isLoopback) return false;
  return ((tcp.host.nowMs - tw.entryStamp) | 0) >= delay;
}

/** tcp_v4_connect: 0, -ENETUNREACH or -EADDRNOTAVAIL. The SYN is on its way when it returns 0. */
export function tcpConnect(sk: TcpSock, address: IpAddress, dport: number): number {
  const { tcp } = sk;
  const route = tcp.ip.routeOf(sk, address);
  if (route === null || route.broadcast) return -ENETUNREACH;
  const daddr = address.isAny ? route.destination : address.clone();
  const wasAny = sk.saddr.isAny;
  if (wasAny) {
    sk.saddr = route.source.clone();
    if (sk.laddr.isAny) sk.laddr = sk.saddr;
  }
  if (!sk.daddr.equals(daddr)) {
    // Another peer than last time: what its timestamps told is of no use here.
    sk.tsRecent = 0;
    sk.tsRecentStamp = 0;
    sk.writeSeq = 0;
  }
  sk.daddr = daddr;
  sk.dport = dport;
  sk.route = route;
  setState(sk, TCP_SYN_SENT);
  const result = claimPort(sk);
  if (result < 0) {
    setState(sk, TCP_CLOSE);
    if (wasAny && (sk.userlocks & SOCK_BINDADDR_LOCK) === 0) {
      sk.saddr = ANY_V4;
      sk.laddr = ANY_V4;
    }
    sk.route = null;
    sk.dport = 0;
    return result;
  }
  if (sk.fastopen !== null && deferConnect(sk, sk.fastopen)) return 0;
  sendFirstSyn(sk);
  return 0;
}

/** inet_hash_connect: the bound port, if its four-tuple is free, or one of the ephemeral range. */
function claimPort(sk: TcpSock): number {
  const { tcp } = sk;
  const bound = tcp.ports.portOf(sk) !== 0;
  const check = new TupleCheck(tcp, sk, bound);
  if (bound) {
    if (check.inUse(sk.sport)) return -EADDRNOTAVAIL;
  } else {
    const port = tcp.ports.connect(sk, portOffset(tcp, sk.saddr, sk.daddr, sk.dport), check);
    if (port < 0) return port;
    sk.sport = port;
  }
  tcp.established.insert(sk, tupleHash(tcp.tableKey, sk.saddr, sk.sport, sk.daddr, sk.dport));
  sk.hashed = true;
  return 0;
}

/** tcp_connect */
export function sendFirstSyn(sk: TcpSock): void {
  const { tcp, host, route } = sk;
  if (route === null) return;
  const tx = sk.ownTx();
  if (sk.writeSeq === 0) sk.writeSeq = initialSequence(tcp, sk.saddr, sk.sport, sk.daddr, sk.dport);
  sk.tsOffset = timestampOffset(tcp, sk.saddr, sk.daddr);
  sk.iss = sk.writeSeq;
  sk.sndUna = sk.iss;
  tx.sndSml = sk.iss;
  tx.sndUp = sk.iss;
  sk.maxWindow = 0;
  sk.mssClamp = sk.tuning.userMss !== 0 ? sk.tuning.userMss : TCP_MSS_DEFAULT;
  sk.advmss = advertisedMss(sk, route);
  chooseControl(sk, route);
  const formerWindow = sk.rcvWnd;
  prepareSyn(sk);
  initMtuProbing(sk);
  syncMss(sk);
  // Linux guesses at the peer's segments before there is a window, so that little is expected until it answers.
  initializeRcvMss(sk, formerWindow);
  sk.err = 0;
  sk.done = false;
  sk.sndWnd = 0;
  sk.rcvNxt = 0;
  sk.rcvWup = 0;
  sk.copiedSeq = 0;
  sk.rto = TCP_TIMEOUT_INIT;
  tx.retransmits = 0;
  const next = (sk.iss + 1) | 0;
  sk.sndNxt = next;
  sk.writeSeq = next;
  tx.pushedSeq = next;
  tx.sndQueueSeq = next;
  tx.cwndUsageSeq = next;
  sk.rttSeq = next;
  // The SYN stands in the retransmit queue like any segment: its ACK gives the first round-trip time.
  sk.writeQueue.push(sk.iss, next, ROW_SYN);
  rateSent(sk, sk.writeQueue.sentFirst(host.nowUs), true);
  tx.packetsOut = 1;
  tx.retransStamp = host.nowMs || -1;
  host.mib.count(TcpMib.ActiveOpens);
  host.mib.count(TcpMib.OutSegs);
  armRetransmit(sk, TIME_RETRANS, sk.rto);
  const { fastopen } = sk;
  if (fastopen !== null && fastopen.request !== null) sendSynData(sk, fastopen, fastopen.request);
  else transmitSyn(sk, false);
}

// ICMP errors about our segments (tcp_v4_err): believed only if the quoted sequence number is one in flight (RFC 5927).
// Fatal while connecting, merely remembered afterwards (RFC 1122 section 4.2.3.9); "fragmentation needed" shrinks the MSS.

import { ErrorEntry } from '../../core/error-queue.js';
import { Icmp as IcmpMib, TcpExt } from '../../core/mib.js';
import type { IpAddress } from '../../packet/address.js';
import {
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_PARAMETERPROB,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
} from '../../packet/icmp.js';
import { IP_HLEN, IP_TTL_FIELD } from '../../packet/ipv4.js';
import { EMSGSIZE } from '../../uapi/errno.js';
import { SO_EE_ORIGIN_ICMP } from '../../uapi/errqueue.js';
import { IP_PMTUDISC_DONT, IP_PMTUDISC_INTERFACE } from '../../uapi/socket.js';
import { TCP_CLOSE, TCP_SYN_RECV, TCP_SYN_SENT } from '../../uapi/tcp.js';
import { doneWithError } from '../close.js';
import { TCP_TIMEOUT_INIT, TIME_RETRANS } from '../constants.js';
import { tupleHash } from '../demux.js';
import { dropRequest } from '../listen/listener.js';
import type { RequestSock } from '../listen/request-sock.js';
import { simpleRetransmit } from '../recovery/recovery.js';
import { xmitRetransmitQueue } from '../recovery/retransmit.js';
import { setRto } from '../rtt.js';
import { between } from '../seq.js';
import type { TcpSock } from '../sock.js';
import type { TcpShared } from '../tcp-shared.js';
import { armRetransmit } from '../tcp-timer.js';
import { retransmitTimer } from '../timers.js';
import { ROW_SENT_US } from '../write-queue.js';
import { syncMss } from './mss.js';
import { checkRoute } from './route-hints.js';

export function icmpError(
  tcp: TcpShared,
  src: IpAddress,
  dst: IpAddress,
  transport: number,
  errno: number,
  type: number,
  code: number,
  mtu: number,
): void {
  const { view } = tcp.host.memory;
  const sport = view.getUint16(transport);
  const dport = view.getUint16(transport + 2);
  const seq = view.getInt32(transport + 4);
  const hash = tupleHash(tcp.tableKey, src, sport, dst, dport);
  const sk = tcp.established.lookup(hash, src, sport, dst, dport);
  if (sk === null) {
    const request = tcp.requests.lookup(hash, src, sport, dst, dport);
    if (request !== null) requestError(tcp, request, seq, type, code);
    // A remnant in TIME_WAIT has nobody to tell; otherwise it is about nothing of ours.
    else if (tcp.timeWaits.lookup(hash, src, sport, dst, dport) === null)
      tcp.host.mib.count(IcmpMib.InErrors);
    return;
  }
  if (sk.owned && !isTooBig(type, code)) tcp.host.mib.count(TcpExt.LockDroppedIcmps);
  if (sk.state === TCP_CLOSE) return;
  // IP_MINTTL: the packet of ours that is quoted had come too far (GTSM, RFC 5082). What we send has no IP options.
  if (sk.extras !== null && view.getUint8(transport - IP_HLEN + IP_TTL_FIELD) < sk.extras.minTtl) {
    tcp.host.mib.count(TcpExt.TCPMinTTLDrop);
    return;
  }
  // A Fast Open child's SYN-ACK can be what is quoted.
  const rsk = sk.fastopen === null ? null : sk.fastopen.rsk;
  if (!between(seq, rsk === null ? sk.sndUna : rsk.iss, sk.sndNxt)) {
    tcp.host.mib.count(TcpExt.OutOfWindowIcmps);
    return;
  }
  // Nobody slows down for these any more (RFC 6633).
  if (type === ICMP_SOURCE_QUENCH) return;
  if (isTooBig(type, code)) {
    pathMtuReduced(sk, mtu);
    return;
  }
  if (type === ICMP_DEST_UNREACH && (code === ICMP_NET_UNREACH || code === ICMP_HOST_UNREACH)) {
    if (rsk === null) revertRto(sk, seq);
    if (sk.state === TCP_CLOSE) return;
  }
  // A Fast Open child that a program has accepted counts as connected.
  const accepted = rsk !== null && !sk.acceptQueued;
  if (!accepted && (sk.state === TCP_SYN_SENT || sk.state === TCP_SYN_RECV)) {
    // Told on the error queue even to who has not asked for it (IP_RECVERR).
    queueError(sk, dst, dport, transport, errno, type, code);
    if (sk.owned) sk.errSoft = errno;
    else doneWithError(sk, errno);
  } else if (sk.owned || sk.extras?.recvErr !== true) sk.errSoft = errno;
  else {
    sk.err = errno;
    sk.errorReport();
  }
}

/** ip_icmp_error: what was quoted, from the TCP header on, and who complained. */
function queueError(
  sk: TcpSock,
  daddr: IpAddress,
  dport: number,
  transport: number,
  errno: number,
  type: number,
  code: number,
): void {
  const { complaint } = sk.tcp.ip;
  const entry = ErrorEntry.about(errno, SO_EE_ORIGIN_ICMP, type, code, 0);
  entry.payload = sk.host.memory.bytes.slice(transport, complaint.end);
  entry.address = daddr.clone();
  entry.port = dport;
  entry.complainedBy(complaint);
  sk.ownExtras().errorQueue.add(sk, entry, sk.rmemAlloc);
}

/** tcp_req_err: what ends a handshake at a listener, silently. */
function requestError(tcp: TcpShared, request: RequestSock, seq: number, type: number, code: number): void {
  if (seq !== request.iss) {
    tcp.host.mib.count(TcpExt.OutOfWindowIcmps);
  } else if (isFinal(type, code)) {
    tcp.host.mib.count(TcpExt.ListenDrops);
    dropRequest(request);
  }
}

/** What tells of a path that does not reach the client, rather than of a box that does not like what passes. */
function isFinal(type: number, code: number): boolean {
  if (type === ICMP_DEST_UNREACH) return code === ICMP_NET_UNREACH || code === ICMP_HOST_UNREACH;
  return type === ICMP_PARAMETERPROB || type === ICMP_TIME_EXCEEDED;
}

/**
 * tcp_ld_RTO_revert (RFC 6069): a router that cannot reach the peer has answered for a retransmission, so that it was no
 * congestion that silenced the peer: the last doubling of the timeout is taken back.
 */
function revertRto(sk: TcpSock, seq: number): void {
  if (
    sk.owned ||
    seq !== sk.sndUna ||
    sk.tx.retransmits === 0 ||
    sk.tx.backoff === 0 ||
    sk.writeQueue.count === 0
  )
    return;
  sk.tx.backoff--;
  if (sk.srttUs !== 0) setRto(sk);
  else sk.rto = TCP_TIMEOUT_INIT;
  sk.rto = Math.min(sk.rto * 2 ** sk.tx.backoff, sk.tuning.rtoMaxMs);
  const sent = sk.writeQueue.rows[sk.writeQueue.at(0) + ROW_SENT_US];
  const left = sk.rto - Math.floor(((sk.host.nowUs - sent) | 0) / 1000);
  if (left > 0) armRetransmit(sk, TIME_RETRANS, left);
  else retransmitTimer(sk);
}

function isTooBig(type: number, code: number): boolean {
  return type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED;
}

/** tcp_v4_mtu_reduced and tcp_simple_retransmit: what was too large is sent again, cut smaller, without blaming congestion. */
function pathMtuReduced(sk: TcpSock, mtu: number): void {
  const route = checkRoute(sk);
  if (route === null) return;
  route.updateMtu(mtu);
  // Less than is believed: should the connection fail, that is why.
  if (mtu < route.mtu && route.dontFragment(sk.mtuDiscover)) sk.errSoft = EMSGSIZE;
  const { mtuDiscover } = sk;
  if (mtuDiscover === IP_PMTUDISC_DONT || mtuDiscover >= IP_PMTUDISC_INTERFACE) return;
  // Another connection to the same peer may have been told before.
  if (route.mtu >= sk.pmtu) return;
  // The pacing rate stays what it was, even of a sock that has yet to reckon it.
  sk.ownTx();
  syncMss(sk);
  if (simpleRetransmit(sk)) xmitRetransmitQueue(sk);
}

// ICMP errors about our segments (tcp_v4_err): believed only if the quoted sequence number is one in flight (RFC 5927).
// Fatal while connecting, merely remembered afterwards (RFC 1122 section 4.2.3.9); "fragmentation needed" shrinks the MSS.

import { TcpExt } from '../core/mib.js';
import type { IpAddress } from '../packet/address.js';
import { TCP_CA_Loss, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT } from '../uapi/tcp.js';
import { doneWithError } from './close.js';
import { tupleHash } from './demux.js';
import { dropRequest } from './listener.js';
import { syncMss } from './output.js';
import { retransmitLost } from './recovery.js';
import { markLost } from './scoreboard.js';
import { before, between } from './seq.js';
import type { TcpShared } from './shared.js';
import type { TcpSock } from './sock.js';

export function icmpError(
  tcp: TcpShared,
  src: IpAddress,
  dst: IpAddress,
  transport: number,
  errno: number,
  fatal: boolean,
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
    if (request === null) return;
    if (seq !== request.iss) tcp.host.mib.count(TcpExt.OutOfWindowIcmps);
    else if (mtu === 0) {
      tcp.host.mib.count(TcpExt.ListenDrops);
      dropRequest(request);
    }
    return;
  }
  if (sk.state === TCP_LISTEN) return;
  if (!between(seq, sk.sndUna, sk.sndNxt)) {
    tcp.host.mib.count(TcpExt.OutOfWindowIcmps);
    return;
  }
  if (mtu > 0) {
    pathMtuReduced(sk, mtu);
    return;
  }
  if ((sk.state === TCP_SYN_SENT || sk.state === TCP_SYN_RECV) && !sk.owned) doneWithError(sk, errno);
  else if (errno !== 0) sk.errSoft = errno;
  if (fatal && sk.owned) tcp.host.mib.count(TcpExt.LockDroppedIcmps);
}

/** tcp_v4_mtu_reduced and tcp_simple_retransmit: what was too large is sent again, cut smaller, without blaming congestion. */
function pathMtuReduced(sk: TcpSock, mtu: number): void {
  const { route } = sk;
  if (route === null || !route.updateMtu(mtu) || mtu < 68) return;
  const old = sk.mss;
  const packets = sk.packetsOut;
  syncMss(sk);
  if (sk.mss >= old || packets === 0) return;
  for (let i = 0; i < sk.rtx.count; i++) markLost(sk, i);
  if (sk.caState !== TCP_CA_Loss) {
    sk.highSeq = sk.sndNxt;
    sk.sndSsthresh = sk.cc.ssthresh(sk);
    sk.caState = TCP_CA_Loss;
  }
  if (before(sk.sndUna, sk.sndNxt)) retransmitLost(sk);
}

// ICMP errors about our segments (tcp_v4_err): believed only if the quoted sequence number is one in flight (RFC 5927).
// Fatal while connecting, merely remembered afterwards (RFC 1122 section 4.2.3.9); "fragmentation needed" shrinks the MSS.

import { TcpExt } from '../core/mib.js';
import type { IpAddress } from '../packet/address.js';
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_HOST_UNREACH, ICMP_NET_UNREACH } from '../packet/icmp.js';
import { EMSGSIZE } from '../uapi/errno.js';
import { TCP_CA_Loss, TCP_SYN_RECV, TCP_SYN_SENT } from '../uapi/tcp.js';
import { doneWithError } from './close.js';
import { tupleHash } from './demux.js';
import { dropRequest } from './listener.js';
import { syncMss } from './output.js';
import { retransmitLost } from './recovery.js';
import { limitRenoSacks, rowLength } from './rtx-rows.js';
import { markLost } from './scoreboard.js';
import { between } from './seq.js';
import type { TcpShared } from './shared.js';
import type { TcpSock } from './sock.js';

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
    if (request === null) return;
    if (seq !== request.iss) tcp.host.mib.count(TcpExt.OutOfWindowIcmps);
    else if (endsRequest(type, code)) {
      tcp.host.mib.count(TcpExt.ListenDrops);
      dropRequest(request);
    }
    return;
  }
  if (sk.owned && !isTooBig(type, code)) tcp.host.mib.count(TcpExt.LockDroppedIcmps);
  if (!between(seq, sk.sndUna, sk.sndNxt)) {
    tcp.host.mib.count(TcpExt.OutOfWindowIcmps);
    return;
  }
  if (isTooBig(type, code)) {
    pathMtuReduced(sk, mtu);
    return;
  }
  if ((sk.state === TCP_SYN_SENT || sk.state === TCP_SYN_RECV) && !sk.owned) doneWithError(sk, errno);
  else sk.errSoft = errno;
}

function isTooBig(type: number, code: number): boolean {
  return type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED;
}

/** Which errors end a handshake at a listener, silently (tcp_req_err). */
function endsRequest(type: number, code: number): boolean {
  if (type !== ICMP_DEST_UNREACH) return true;
  return code === ICMP_NET_UNREACH || code === ICMP_HOST_UNREACH;
}

/** tcp_v4_mtu_reduced and tcp_simple_retransmit: what was too large is sent again, cut smaller, without blaming congestion. */
function pathMtuReduced(sk: TcpSock, mtu: number): void {
  const { route } = sk;
  if (route === null) return;
  route.updateMtu(mtu);
  // Another connection to the same peer may have been told before.
  if (route.mtu >= sk.pmtu) return;
  // Should it fail altogether, that is why.
  sk.errSoft = EMSGSIZE;
  syncMss(sk);
  for (let i = 0; i < sk.rtx.count; i++) if (rowLength(sk, i) > sk.mss) markLost(sk, i);
  if (sk.lostOut === 0) return;
  if (!sk.sackOk) limitRenoSacks(sk);
  if (sk.caState !== TCP_CA_Loss) {
    sk.highSeq = sk.sndNxt;
    sk.sndSsthresh = Math.max(sk.sndSsthresh, (sk.sndCwnd >> 1) + (sk.sndCwnd >> 2));
    sk.caState = TCP_CA_Loss;
  }
  retransmitLost(sk);
}

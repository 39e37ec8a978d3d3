// The sock that a passive open makes (tcp_v4_syn_recv_sock, tcp_create_openreq_child): what it has from the request, and what from
// its listener. Born of the third segment in syn-recv.ts, or of the SYN itself in fastopen-server.ts.

import { Tcp as TcpMib } from '../../core/mib.js';
import { SOCK_BINDPORT_LOCK } from '../../core/sock.js';
import { ends, traceAcceptQueueAdd, traceSynRecvSock } from '../../core/trace.js';
import { TCP_SYN_RECV } from '../../uapi/tcp.js';
import type { CongestionControl } from '../congestion/congestion.js';
import { tupleHash } from '../demux.js';
import { ecnInherit, INET_ECN_MASK } from '../ecn/ecn.js';
import { chooseControl } from '../path/route-hints.js';
import type { Segment } from '../segment.js';
import { TcpSock } from '../sock.js';
import type { ListenState } from './listen-state.js';
import type { RequestSock } from './request-sock.js';

/** tcp_v4_syn_recv_sock and tcp_create_openreq_child: the sock that accept() will return, in SYN_RECV. */
export function newChild(request: RequestSock, segment: Segment): TcpSock {
  const parent = request.listener;
  const { tcp, host } = parent;
  const sk = new TcpSock(host, tcp, chosenControl(parent));
  inherit(sk, parent);
  sk.route = request.route;
  chooseControl(sk, request.route);
  sk.laddr = request.saddr;
  sk.saddr = request.saddr;
  sk.daddr = request.daddr;
  sk.sport = request.sport;
  sk.dport = request.dport;
  sk.state = TCP_SYN_RECV;
  // The SYN.
  sk.segsIn = 1;
  sk.iss = request.iss;
  const sndNxt = (request.iss + 1) | 0;
  sk.sndUna = sndNxt;
  sk.sndNxt = sndNxt;
  sk.writeSeq = sndNxt;
  sk.rttSeq = sndNxt;
  sk.irs = request.irs;
  sk.rcvNxt = (request.irs + 1) | 0;
  sk.copiedSeq = sk.rcvNxt;
  sk.rcvWup = sk.rcvNxt;
  sk.rcvWnd = request.rcvWnd;
  sk.rcvSsthresh = request.rcvWnd;
  sk.windowClamp = request.wscaleOk ? request.windowClamp : Math.min(request.windowClamp, 65535);
  sk.rcvWscale = request.rcvWscale;
  sk.sndWscale = request.sndWscale;
  sk.wscaleOk = request.wscaleOk;
  sk.tstampOk = request.tstampOk;
  sk.sackOk = request.sackOk;
  ecnInherit(sk, request, segment);
  if (host.sysctl.tcpReflectTos !== 0) sk.tos = request.tos & ~INET_ECN_MASK;
  sk.tsRecent = request.tsRecent;
  sk.tsRecentStamp = request.tstampOk ? host.nowMs || 1 : 0;
  sk.tsOffset = request.tsOffset;
  sk.advmss = request.advmss;
  sk.mssClamp = request.mss;
  if (request.retransmitted > 0) sk.ownTx().totalRetrans = request.retransmitted;
  if (request.timeouts > 0) {
    const tx = sk.ownTx();
    tx.totalRto = request.timeouts;
    tx.totalRtoRecoveries = 1;
    tx.totalRtoMs = (host.nowMs - request.firstSynackMs) | 0;
    // Needless, if what comes back echoes the first.
    tx.undoMarked = true;
    tx.undoMarker = request.iss;
    tx.retransStamp = request.firstSynackMs || -1;
  }
  sk.sndWnd = segment.window << sk.sndWscale;
  sk.sndWl1 = segment.seq;
  sk.maxWindow = sk.sndWnd;
  if (request.savedSyn !== null) sk.ownExtras().savedSyn = request.savedSyn;
  if (traceSynRecvSock.on) traceSynRecvSock.emit(host, ends(sk));
  host.mib.count(TcpMib.PassiveOpens);
  tcp.ports.inherit(sk, parent);
  tcp.established.insert(sk, tupleHash(tcp.tableKey, sk.saddr, sk.sport, sk.daddr, sk.dport));
  sk.hashed = true;
  return sk;
}

/** tcp_ca_openreq_child: what was set at the listener; else what is new sockets' as of now, not as of the listener's. */
function chosenControl(parent: TcpSock): CongestionControl {
  if (parent.tuning.controlChosen) return parent.cc;
  return parent.tcp.controlNamed(parent.host.sysctl.tcpCongestionControl) ?? parent.cc;
}

/** accept() will find it (inet_csk_reqsk_queue_add). */
export function queueChild(sk: TcpSock, parent: TcpSock): void {
  const listener = parent.listener as ListenState;
  sk.acceptQueued = true;
  listener.push(sk);
  if (traceAcceptQueueAdd.on) {
    const { acceptLength: length, backlog } = listener;
    traceAcceptQueueAdd.emit(sk.host, { ...ends(sk), length, backlog });
  }
}

/** What a child has from its listener, as of the final ACK (sk_clone_lock). */
function inherit(sk: TcpSock, parent: TcpSock): void {
  sk.shutdown = parent.shutdown;
  sk.options = parent.options;
  sk.priority = 0;
  sk.rcvbuf = parent.rcvbuf;
  sk.sndbuf = parent.sndbuf;
  sk.userlocks = parent.userlocks & ~SOCK_BINDPORT_LOCK;
  if (parent.extras !== null) sk.extras = parent.extras.clone();
  if (parent.fastopen?.noCookie) sk.ownFastOpen().noCookie = true;
  sk.nonagle = parent.nonagle;
  sk.ackPingpong = parent.ackPingpong;
  if (parent.tuning.deferAccept !== 0) {
    sk.tuning = parent.tuning;
    sk.ownTuning().deferAccept = 0;
  } else sk.tuning = parent.tuning;
}

// A listener ends, and with tcp_migrate_req what stands in its queues goes to the others of its SO_REUSEPORT group instead of
// being reset (reuseport_migrate_sock, inet_csk_listen_stop). close.ts calls it before it empties the queues.

import { TcpExt } from '../../core/mib.js';
import type { TcpSock } from '../sock.js';
import { queueChild } from './child.js';
import type { ListenState } from './listen-state.js';
import { childWaits } from './steering.js';

/**
 * The sock has left the table of listeners. Handshakes go on at another one as they were; children are accepted there, be there
 * room or not, since their clients know of no other. Linux moves a handshake when it is next heard of; here it goes at once.
 */
export function migrateQueues(sk: TcpSock, listener: ListenState): void {
  const { host, tcp } = sk;
  if (host.sysctl.tcpMigrateReq === 0 || !sk.reusePort) return;
  for (const request of listener.requests()) {
    const heir = tcp.listeners.another(sk, request.hash);
    if (heir === null) break;
    listener.delete(request);
    request.listener = heir;
    (heir.listener as ListenState).add(request);
    host.mib.count(TcpExt.TCPMigrateReqSuccess);
  }
  for (const child of listener.waiting()) {
    const heir = tcp.listeners.another(sk, child.hash);
    if (heir === null) break;
    listener.shift();
    takeFastOpen(child, heir);
    queueChild(child, heir);
    host.mib.count(TcpExt.TCPMigrateReqSuccess);
    childWaits(heir);
  }
  // Nobody was left in the group.
  host.mib.add(TcpExt.TCPMigrateReqFailure, listener.synLength + listener.acceptLength);
}

/** The handshake of a Fast Open's child may not be over yet: from now on the other's queue counts it. */
function takeFastOpen(child: TcpSock, heir: TcpSock): void {
  const rsk = child.fastopen === null ? null : child.fastopen.rsk;
  if (rsk === null) return;
  rsk.listener = heir;
  const queue = heir.fastopen?.queue;
  if (queue) queue.length++;
}

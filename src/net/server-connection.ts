// A connection has arrived: it becomes a socket with the server's options, or is dropped when there are too many.

import { ENETDOWN } from '../uapi/errno.js';
import { serverSocket } from './diagnostics.js';
import { errnoException } from './errors.js';
import type { AddressOut } from './handle-base.js';
import type { NetServer } from './server.js';
import { ConnectionOptions } from './socket-init.js';
import { kKeepAlive, kKeepAliveDelay, kNet, kNoDelay } from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';

/** `handle.onconnection` of a server. */
export function onConnection(this: TcpHandle, status: number, client: TcpHandle | undefined): void {
  const server = this.owner as NetServer;
  if (status !== 0 || client === undefined) {
    // Nobody can come any more.
    if (status === -ENETDOWN) server.close();
    server.emit('error', errnoException(status, 'accept', this.why(status)));
    return;
  }
  if (server.maxConnections !== undefined && server._connections >= server.maxConnections) {
    drop(server, client);
    return;
  }
  const { Socket } = server[kNet];
  const socket = new Socket(
    new ConnectionOptions(
      client,
      Boolean(server.allowHalfOpen),
      Boolean(server.pauseOnConnect),
      server.highWaterMark,
    ),
  );
  if (server.noDelay && client.setNoDelay) {
    socket[kNoDelay] = true;
    client.setNoDelay(true);
  }
  if (server.keepAlive && client.setKeepAlive) {
    socket[kKeepAlive] = true;
    socket[kKeepAliveDelay] = server.keepAliveInitialDelay;
    client.setKeepAlive(true, server.keepAliveInitialDelay);
  }
  server._connections++;
  socket.server = server;
  socket._server = server;
  server.emit('connection', socket);
  if (serverSocket.hasSubscribers) serverSocket.publish({ socket });
}

function drop(server: NetServer, client: TcpHandle): void {
  if (server.listenerCount('drop') > 0) {
    const local: AddressOut = {};
    const remote: AddressOut = {};
    client.getsockname(local);
    client.getpeername(remote);
    server.emit('drop', {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family,
    });
  }
  client.close();
}

// `net.Server` of a program whose net is replaced. It is also what Node's http and tls servers call upon themselves; the TLS
// ones bring a listener that makes a TLSSocket of each connection, and must be given plain streams.

import tls from 'node:tls';
import type { Net } from './create-net.js';
import { securedBy } from './install-socket.js';
import { joinLives } from './install-tls.js';
import type { NetSocket } from './socket.js';

type ServerConstructor = new (options?: unknown, listener?: unknown) => object;
type Listener = (socket: NetSocket) => void;

export function installedServer(net: Net): unknown {
  const Ours = net.Server as unknown as ServerConstructor;

  function Server(this: object | undefined, options?: unknown, listener?: unknown): object | undefined {
    if (new.target !== undefined) return Reflect.construct(Ours, [options, listener], new.target) as object;
    if (!(this instanceof Ours)) return new Ours(options, listener);
    const secure = this instanceof tls.Server && typeof listener === 'function';
    Reflect.apply(Ours as unknown as Listener, this, [
      options,
      secure ? securing(listener as Listener) : listener,
    ]);
    return undefined;
  }
  Server.prototype = Ours.prototype;
  Object.setPrototypeOf(Server, Object.getPrototypeOf(Ours) as object);
  return Server;
}

/** The farewell of TLS is still to be sent when the peer has sent its FIN: the socket below stays open for that. */
function securing(listener: Listener): Listener {
  return function (this: unknown, socket: NetSocket): void {
    const secured = securedBy(() => Reflect.apply(listener, this, [socket]));
    socket.allowHalfOpen = true;
    if (secured !== undefined) joinLives(socket, secured);
  };
}

// createNet(stack): a module like node:net whose connections are the stack's. Each has classes of its own, so that `instanceof`
// tells whose a socket is; all share their methods.

import dns from 'node:dns';
import builtin, { BlockList, isIP, isIPv4, isIPv6, type LookupFunction, SocketAddress } from 'node:net';
import { refuseUnknown } from '../core/known-options.js';
import type { Stack } from '../stack.js';
import { NetContext } from './context.js';
import { clientSocket } from './diagnostics.js';
import { kernelNet } from './kernel-net.js';
import { type NetOptions, normalizeArgs } from './normalize-args.js';
import { hearObservers } from './performance-entries.js';
import { Reactor } from './reactor.js';
import { NetServer } from './server.js';
import { initServer } from './server-init.js';
import { listen2 } from './server-listen.js';
import { NetSocket } from './socket.js';
import { initSocket } from './socket-init.js';
import { kNet } from './symbols.js';
import { type TimerSource, timersOf } from './timers.js';
import { validateBoolean, validateInt32 } from './validate.js';

/** What a net takes besides its stack. */
export interface NetOptionsOfStack {
  /** What socket.setTimeout goes by: the stack's clock, unless given. */
  timers?: TimerSource;
  /** Resolves host names: dns.lookup, unless given. */
  lookup?: LookupFunction;
  /** Addresses, and with them all paths, whose connections are the kernel's; none unless given. */
  kernel?: BlockList;
}

/** A module like `node:net`. */
export type Net = typeof builtin;

type SocketClass = (new (options?: unknown) => NetSocket) & ((options?: unknown) => NetSocket);
type ServerClass = (new (
  options?: unknown,
  listener?: unknown,
) => NetServer) &
  ((options?: unknown, listener?: unknown) => NetServer);

/**
 * node:net on `stack`: `Socket`, `Server`, `connect`, `createServer` and the rest, with Node's own shapes, events and errors
 * (docs/net.md).
 */
export function createNet(stack: Stack, options: NetOptionsOfStack = {}): Net {
  if ((stack as Stack | undefined)?.sys === undefined) {
    throw new TypeError(
      'createNet takes a stack: createNet(new Stack()), or createNet(await Stack.create(…))',
    );
  }
  return createNetOn(() => stack, options);
}

/** A net whose stack is made when it is first needed. */
export function createNetOn(stackOf: () => Stack, options: NetOptionsOfStack = {}): Net {
  hearObservers();
  refuseUnknown('createNet', options, { timers: true, lookup: true, kernel: true });
  if (options.kernel !== undefined && typeof options.kernel.check !== 'function') {
    throw new TypeError('`kernel` of createNet is a BlockList of node:net');
  }
  let stack: Stack | null = null;
  const theStack = (): Stack => {
    stack ??= stackOf();
    return stack;
  };
  const reactor = (): Reactor => new Reactor(theStack());
  const timers = (): TimerSource => options.timers ?? timersOf(theStack().host.clock);
  const defaults = {
    autoSelectFamily: builtin.getDefaultAutoSelectFamily(),
    autoSelectFamilyAttemptTimeout: builtin.getDefaultAutoSelectFamilyAttemptTimeout(),
  };
  const context = new NetContext(reactor, timers, options.lookup ?? lookup, defaults, options.kernel);
  const Socket = socketClass(context);
  const Server = serverClass(context);
  context.Socket = Socket;

  const connect = (...args: unknown[]): NetSocket => {
    const normalized = normalizeArgs(args);
    const [given] = normalized;
    const socket = new Socket(given);
    if (clientSocket.hasSubscribers) clientSocket.publish({ socket });
    if (given.timeout) socket.setTimeout(given.timeout as number);
    return socket.connect(normalized);
  };
  const net = {
    _normalizeArgs: normalizeArgs,
    get _setSimultaneousAccepts() {
      return setSimultaneousAccepts;
    },
    BlockList,
    SocketAddress,
    connect,
    createConnection: connect,
    createServer: (given?: unknown, listener?: unknown) => new Server(given, listener),
    isIP,
    isIPv4,
    isIPv6,
    Server,
    Socket,
    Stream: Socket,
    getDefaultAutoSelectFamily: () => context.autoSelectFamily,
    setDefaultAutoSelectFamily: (value: boolean) => {
      validateBoolean(value, 'value');
      context.autoSelectFamily = value;
    },
    getDefaultAutoSelectFamilyAttemptTimeout: () => context.autoSelectFamilyAttemptTimeout,
    setDefaultAutoSelectFamilyAttemptTimeout: (value: number) => {
      validateInt32(value, 'value', 1);
      context.autoSelectFamilyAttemptTimeout = Math.max(10, value);
    },
  };
  return net as unknown as Net;
}

/** IPv4 first, which is what getaddrinfo says on a machine without IPv6: ours may have some, and call itself ::1. */
const lookup = ((host: string, options: object, callback: never) =>
  dns.lookup(host, { verbatim: false, ...options }, callback)) as unknown as LookupFunction;

function socketClass(context: NetContext): SocketClass {
  function Socket(this: NetSocket, options?: unknown): NetSocket | undefined {
    if (!(this instanceof (Socket as unknown as SocketClass))) {
      // What Node's classes make upon a handle of theirs (a TLSSocket) stays Node's.
      if (!derives(this, kernelNet.Socket.prototype)) return new (Socket as unknown as SocketClass)(options);
      Reflect.apply(kernelNet.Socket as unknown as () => void, this, [options]);
      return undefined;
    }
    initSocket(this, options as NetOptions | undefined);
    return undefined;
  }
  return derive(Socket, NetSocket, context) as unknown as SocketClass;
}

function serverClass(context: NetContext): ServerClass {
  function Server(this: NetServer, options?: unknown, listener?: unknown): NetServer | undefined {
    if (!(this instanceof (Server as unknown as ServerClass))) {
      if (!derives(this, kernelNet.Server.prototype))
        return new (Server as unknown as ServerClass)(options, listener);
      // Node's http.Server, say: whoever calls this upon one wants all of its kind to be ours.
      Object.setPrototypeOf(lastBefore(this, kernelNet.Server.prototype), Server.prototype);
    }
    initServer(this, options, listener);
    return undefined;
  }
  const made = derive(Server, NetServer, context) as unknown as ServerClass;
  (made.prototype as { _listen2?: unknown })._listen2 = listen2;
  return made;
}

function derives(value: unknown, prototype: object): value is object {
  return Object.prototype.isPrototypeOf.call(prototype, value as never);
}

/** The last in the chain of prototypes that ends in `prototype`. */
function lastBefore(value: object, prototype: object): object {
  let last = value;
  for (let next = Object.getPrototypeOf(last); next !== prototype; next = Object.getPrototypeOf(last))
    last = next;
  return last;
}

/** A constructor function over the methods of a class, which know their net by the prototype. */
function derive(made: object, methods: { prototype: object }, context: NetContext): object {
  const own = made as { prototype: object };
  Object.setPrototypeOf(own, Object.getPrototypeOf(methods));
  Object.setPrototypeOf(own.prototype, methods.prototype);
  Object.defineProperty(own.prototype, kNet, { value: context });
  return own;
}

let warned = false;

function setSimultaneousAccepts(): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    'net._setSimultaneousAccepts() is deprecated and will be removed.',
    'DeprecationWarning',
    'DEP0121',
  );
}

// Handles on the stack's side: the script's names for fd numbers, what each has sent, and the addresses printed through
// them. The counterpart of kernel/names.c.

import { AF_INET, AF_UNSPEC, type SockAddr, type Stack } from '../../../src/index.js';
import { RouteMetrics } from '../../../src/ip/route-metrics.js';
import { parseNumber, ScriptError } from '../language/parse.js';

interface Handle {
  readonly name: string;
  fd: number;
  /** Its number has not been closed since. */
  live: boolean;
  /** When it was bound, for "the oldest". */
  bound: number;
  sent: number;
}

const TAG_MARK = 0x4f5241n;
const LOOPBACK = '127.0.0.1';
/** An address nobody listens on: what `@H` means for a handle that has none, in a script that was cut down. */
const NOBODY: Readonly<SockAddr> = { family: AF_INET, address: LOOPBACK, port: 1 };
const isEphemeral = (port: number): boolean => port >= 32768 && port <= 60999;

export class Names {
  readonly #stack: Stack;
  readonly #handles = new Map<string, Handle>();
  readonly #order: Handle[] = [];
  #clock = 0;

  /** @param quickack Acknowledge at once, wherever the script connects to. */
  constructor(stack: Stack, quickack: boolean) {
    this.#stack = stack;
    stack.ip.routes.localMetrics = new RouteMetrics({ quickack });
  }

  /** The fd a handle stands for: a name's number, or N of `#N`; -1 for a name that never got one. */
  fd(word: string): number {
    return word.startsWith('#') ? parseNumber(word.slice(1)) : (this.#handles.get(word)?.fd ?? -1);
  }

  bind(name: string, fd: number): void {
    const handle = this.#find(name);
    handle.fd = fd;
    handle.live = true;
    handle.bound = ++this.#clock;
    handle.sent = 0;
  }

  forget(fd: number): void {
    for (const handle of this.#order) if (handle.fd === fd) handle.live = false;
  }

  /** The next bytes of a handle's running pattern a..z. */
  pattern(word: string, size: number): Uint8Array {
    const { sent } = this.#find(word);
    return Uint8Array.from({ length: size }, (_, index) => 97 + ((sent + index) % 26));
  }

  sent(word: string, bytes: number): void {
    this.#find(word).sent += bytes;
  }

  /** The epoll data that prints as the handle's name. */
  tag(word: string): bigint {
    return (TAG_MARK << 40n) | BigInt(this.#order.indexOf(this.#find(word)));
  }

  printTag(tag: bigint): string {
    const handle = tag >> 40n === TAG_MARK ? this.#order[Number(tag & 0xffffffffffn)] : undefined;
    return handle?.name ?? `0x${BigInt.asUintN(64, tag).toString(16)}`;
  }

  /** `ip:@name`, `ip:port` or `ip:~`. `child`: what accept() gave for a peer with this address; else -1. */
  printAddress({ address, port }: SockAddr, child: number): string {
    const name = this.#owner(port, child);
    if (name !== undefined) return `${address}:@${name}`;
    return `${address}:${child >= 0 || isEphemeral(port) ? '~' : port}`;
  }

  parseAddress(word: string): SockAddr {
    if (word === 'unspec') return { family: AF_UNSPEC, address: '0.0.0.0', port: 0 };
    if (word.startsWith('@')) return this.#own(word.slice(1)) ?? { ...NOBODY };
    const match = /^([^:]+):(.+)$/.exec(word);
    if (match === null) throw new ScriptError(`'${word}' is not an address`);
    const address = match[1] === 'lo' ? LOOPBACK : match[1] === 'any' ? '0.0.0.0' : match[1];
    const port = match[2].startsWith('@')
      ? (this.#own(match[2].slice(1))?.port ?? NOBODY.port)
      : parseNumber(match[2]);
    return { family: AF_INET, address, port };
  }

  #find(name: string): Handle {
    let handle = this.#handles.get(name);
    if (handle === undefined) {
      handle = { name, fd: -1, live: false, bound: 0, sent: 0 };
      this.#handles.set(name, handle);
      this.#order.push(handle);
    }
    return handle;
  }

  #own(word: string): SockAddr | undefined {
    const address: SockAddr = { family: AF_UNSPEC, address: '', port: 0 };
    if (this.#stack.sys.getsockname(this.fd(word), address) < 0) return undefined;
    return address.address === '0.0.0.0' ? { ...address, address: LOOPBACK } : address;
  }

  /** The oldest live handle bound to the port; of two clients with one port, the client of this child. */
  #owner(port: number, child: number): string | undefined {
    if (port === 0) return undefined;
    const { getsockname, getpeername } = this.#stack.sys;
    const [own, address, peer]: SockAddr[] = Array.from({ length: 3 }, () => ({
      family: 0,
      address: '',
      port: 0,
    }));
    const connected = child >= 0 && getsockname(child, own) >= 0;
    let oldest: Handle | undefined;
    let client: Handle | undefined;
    for (const handle of this.#order) {
      if (!handle.live || getsockname(handle.fd, address) < 0 || address.port !== port) continue;
      if (oldest === undefined || handle.bound < oldest.bound) oldest = handle;
      const isClient = connected && getpeername(handle.fd, peer) >= 0;
      if (!isClient || peer.port !== own.port || peer.address !== own.address) continue;
      if (client === undefined || handle.bound < client.bound) client = handle;
    }
    return (client ?? oldest)?.name;
  }
}

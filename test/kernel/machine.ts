// What the conversations of these tests share: a stack without links on a virtual clock, and words for what programs do.

import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  type EpollEvent,
  epollEvents,
  errnoName,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  type SockAddr,
  Stack,
  type StackOptions,
  VirtualClock,
} from 'tapstack';
import { RouteMetrics } from '../../src/ip/route-metrics.js';

const MASKS: readonly [string, number][] = [
  ['IN', 0x1],
  ['PRI', 0x2],
  ['OUT', 0x4],
  ['ERR', 0x8],
  ['HUP', 0x10],
  ['NVAL', 0x20],
  ['RDNORM', 0x40],
  ['WRNORM', 0x100],
  ['RDHUP', 0x2000],
];

export function maskText(mask: number): string {
  const names = MASKS.filter(([, bit]) => (mask & bit) !== 0).map(([name]) => name);
  return names.join('|') || '0';
}

/** `-EAGAIN` for -11, a number for anything else. */
export function result(value: number): number | string {
  return value < 0 ? `-${errnoName(value)}` : value;
}

export function address(port = 0, ip = '127.0.0.1'): SockAddr {
  return { family: AF_INET, address: ip, port };
}

/** Lets everything that was woken run: sleepers harvest a microtask after their wake-up. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await null;
}

export class Machine {
  readonly clock = new VirtualClock();
  readonly stack: Stack;
  readonly process: Stack['process'];
  readonly sys: Stack['sys'];
  readonly blocking: Stack['blocking'];
  readonly #events: EpollEvent[] = epollEvents(64);

  constructor(options: StackOptions = {}, make?: (whole: StackOptions) => Stack) {
    const whole = { clock: this.clock, seed: 7, ...options };
    this.stack = make === undefined ? new Stack(whole) : make(whole);
    this.process = this.stack.process;
    this.sys = this.stack.sys;
    this.blocking = this.stack.blocking;
    // As the oracle runs Linux: acknowledge at once, so that the order of wake-ups needs no timer.
    // No journal would know of it.
    if (make === undefined) this.stack.ip.routes.localMetrics = new RouteMetrics({ quickack: true });
  }

  /** Advances time, running timers and whoever they wake. */
  async pass(ms: number): Promise<void> {
    for (let i = 0; i < ms; i++) {
      this.clock.advance(1000);
      await settle();
    }
  }

  epoll(): number {
    return this.sys.epoll_create1(0);
  }

  add(ep: number, fd: number, events: number, data: unknown = fd): number | string {
    return result(this.sys.epoll_ctl(ep, EPOLL_CTL_ADD, fd, { events, data }));
  }

  mod(ep: number, fd: number, events: number, data: unknown = fd): number | string {
    return result(this.sys.epoll_ctl(ep, EPOLL_CTL_MOD, fd, { events, data }));
  }

  del(ep: number, fd: number): number | string {
    return result(this.sys.epoll_ctl(ep, EPOLL_CTL_DEL, fd, null));
  }

  /** What epoll_wait reports: `a{IN} b{IN|OUT}`, `` for nothing, `-EBADF`. */
  async wait(ep: number, max = 16, timeout = 0): Promise<string> {
    return this.report(await this.sys.epoll_wait(ep, this.#events, max, timeout), this.#events);
  }

  /** A call of epoll_wait that goes on by itself: `text` is undefined until it returns. */
  sleeper(ep: number, timeout = -1, signal?: AbortSignal, max = 16): { text: string | undefined } {
    const events = epollEvents(16);
    const call: { text: string | undefined } = { text: undefined };
    void this.sys.epoll_pwait(ep, events, max, timeout, { signal }).then((count) => {
      call.text = this.report(count, events);
    });
    return call;
  }

  report(count: number, events: readonly EpollEvent[]): string {
    if (count < 0) return String(result(count));
    return events
      .slice(0, count)
      .map((event) => `${event.data}{${maskText(event.events)}}`)
      .join(' ');
  }

  /** The mask that poll(2) shows with everything asked for. */
  async poll(fd: number): Promise<string> {
    const fds = [{ fd, events: 0x27df, revents: 0 }];
    await this.sys.poll(fds, 0);
    return maskText(fds[0].revents);
  }

  pipe(): [read: number, write: number] {
    const fds: number[] = [];
    this.sys.pipe2(fds, 0);
    return [fds[0], fds[1]];
  }

  write(fd: number, text = 'x'): number | string {
    return result(this.sys.write(fd, new TextEncoder().encode(text)));
  }

  /** What one read brings: the text, or a result that is no data. */
  read(fd: number, count = 100): string | number {
    const buffer = new Uint8Array(count);
    const bytes = this.sys.read(fd, buffer);
    return bytes > 0 ? new TextDecoder().decode(buffer.subarray(0, bytes)) : result(bytes);
  }

  recv(fd: number, count = 100, flags = 0): string | number {
    const buffer = new Uint8Array(count);
    const bytes = this.sys.recv(fd, buffer, count, flags);
    return bytes > 0 ? new TextDecoder().decode(buffer.subarray(0, bytes)) : result(bytes);
  }

  socket(type = SOCK_STREAM | SOCK_NONBLOCK): number {
    return this.sys.socket(AF_INET, type);
  }

  /** A listener on a free port, nonblocking. */
  listener(backlog = 8): { fd: number; at: SockAddr } {
    const fd = this.socket();
    const at = address();
    this.sys.bind(fd, at);
    this.sys.listen(fd, backlog);
    this.sys.getsockname(fd, at);
    return { fd, at };
  }

  /** A nonblocking client of `at`. */
  client(at: SockAddr): number {
    const fd = this.socket();
    this.sys.connect(fd, at);
    return fd;
  }

  /** Two connected ends: the client's, and the accepted child's. */
  pair(): [client: number, child: number] {
    const { fd, at } = this.listener();
    const client = this.client(at);
    const child = this.sys.accept4(fd, null, SOCK_NONBLOCK);
    this.sys.connect(client, at);
    this.sys.close(fd);
    return [client, child];
  }
}

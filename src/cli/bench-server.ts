// `tapstack bench-server`: what every contender of the benchmark serves (echo on 7001, sink on 7002, source on 7003), so that any
// client can be pointed at it. Written on stack.sys and one level-triggered eventpoll, as its C twin in bench/ is on Linux.

import { type Command, Option } from 'commander';
import {
  AF_INET,
  EAGAIN,
  EINTR,
  ENOBUFS,
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLIN,
  EPOLLOUT,
  epollEvents,
  IPPROTO_TCP,
  MSG_ERRQUEUE,
  MSG_ZEROCOPY,
  SO_REUSEADDR,
  SO_ZEROCOPY,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  type Stack,
  type Syscalls,
  TCP_NODELAY,
} from '../index.js';
import { formatCidr } from '../net/cidr.js';
import { listenWithNet } from './bench-server-net.js';
import { LentReader } from './lent-reader.js';
import { Lifetime } from './lifetime.js';
import { openNetwork } from './network.js';
import { listenerOptions } from './options.js';
import { cannotGoOn, check } from './refusal.js';

export const BENCH_PORT = 7001;

const EVENTS = 256;
const BACKLOG = 4096;
const BUFFER = 256 << 10;

/** What a connection's data goes to, by its port's distance from the first; a listener has LISTENER set. */
const ECHO = 0;
const SINK = 1;
const SOURCE = 2;
const LISTENER = 4;

export const apiOption = (): Option =>
  new Option(
    '--api <name>',
    'what it is written on: stack.sys, or tapstack/net (which adds HTTP on a fourth port)',
  )
    .choices(['epoll', 'net'])
    .default('epoll');

export async function benchServer(command: Command): Promise<void> {
  const options = listenerOptions(command);
  const lifetime = new Lifetime();
  try {
    const { stack, tap } = await openNetwork('bench-server', options, lifetime);
    const { api } = command.opts<{ api: 'epoll' | 'net' }>();
    const server = api === 'epoll' ? new BenchServer(stack, options.port) : null;
    if (server === null) await listenWithNet(stack, options.port);
    const { port, address } = options;
    process.stdout.write(
      `tapstack bench-server: echo, sink and source on ${address.address} ports ${port} to ${port + 2}; ` +
        `host's end ${formatCidr(options.hostAddress)} on ${tap.info.name}\nready\n`,
    );
    await server?.run();
  } catch (error) {
    await lifetime.fail(error);
  }
}

class BenchServer {
  readonly #sys: Syscalls;
  readonly #epfd: number;
  readonly #buffer = new Uint8Array(BUFFER);
  readonly #mapped: Uint8Array;
  readonly #reader: LentReader;
  readonly #completion = { msg_iov: [new Uint8Array(0)] };
  /** By descriptor: ECHO, SINK or SOURCE. */
  #kinds = new Uint8Array(1024);
  /** What an echo could not write yet, by descriptor. */
  readonly #unsent = new Map<number, Uint8Array>();

  constructor(stack: Stack, firstPort: number) {
    const { sys } = stack;
    this.#sys = sys;
    this.#epfd = check('epoll_create1', sys.epoll_create1(0));
    const mapped = sys.mmap(BUFFER);
    if (typeof mapped === 'number') throw cannotGoOn('mmap', mapped);
    this.#mapped = mapped;
    this.#reader = new LentReader(sys, this.#buffer);
    for (const kind of [ECHO, SINK, SOURCE]) {
      const fd = check('socket', sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      check('setsockopt', sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1));
      check('setsockopt', sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1));
      check('bind', sys.bind(fd, { family: AF_INET, address: '0.0.0.0', port: firstPort + kind }));
      if (kind === SOURCE) check('setsockopt', sys.setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, 1));
      check('listen', sys.listen(fd, BACKLOG));
      this.#watch(fd, kind | LISTENER, EPOLLIN);
    }
  }

  /** Serves until the stack is closed (-EINTR). */
  async run(): Promise<void> {
    const sys = this.#sys;
    const events = epollEvents(EVENTS);
    for (;;) {
      const result = await sys.epoll_wait(this.#epfd, events, EVENTS, -1);
      if (result === -EINTR) return;
      const count = check('epoll_wait', result);
      for (let i = 0; i < count; i++) {
        const fd = events[i].data as number;
        const kind = this.#kinds[fd];
        if (kind === ECHO) this.#echo(fd);
        else if (kind === SINK) this.#sink(fd);
        else if (kind === SOURCE) this.#source(fd, events[i].events);
        else this.#accept(fd, kind & ~LISTENER);
      }
    }
  }

  #accept(listener: number, kind: number): void {
    for (;;) {
      const fd = this.#sys.accept4(listener, null, SOCK_NONBLOCK);
      if (fd < 0) return;
      this.#watch(fd, kind, kind === SOURCE ? EPOLLOUT : EPOLLIN);
    }
  }

  #echo(fd: number): void {
    const kept = this.#unsent.get(fd);
    if (kept !== undefined) {
      this.#answer(fd, kept, kept.length, true);
      return;
    }
    const count = this.#sys.read(fd, this.#buffer);
    if (count > 0) this.#answer(fd, this.#buffer, count, false);
    else if (count !== -EAGAIN) this.#close(fd);
  }

  /** `waited`: these bytes have been in #unsent, and the connection asks for room to write. */
  #answer(fd: number, bytes: Uint8Array, count: number, waited: boolean): void {
    const written = this.#sys.write(fd, bytes, count);
    if (written < 0 && written !== -EAGAIN) this.#close(fd);
    else if (written < count) {
      this.#unsent.set(fd, bytes.slice(Math.max(0, written), count));
      if (!waited) this.#sys.epoll_ctl(this.#epfd, EPOLL_CTL_MOD, fd, { events: EPOLLOUT, data: fd });
    } else if (waited) {
      this.#unsent.delete(fd);
      this.#sys.epoll_ctl(this.#epfd, EPOLL_CTL_MOD, fd, { events: EPOLLIN, data: fd });
    }
  }

  #sink(fd: number): void {
    const count = this.#reader.read(fd);
    if (count <= 0 && count !== -EAGAIN) this.#close(fd);
  }

  /** Always the same bytes, so nothing needs to wait for completions; they are only read. */
  #source(fd: number, events: number): void {
    const sys = this.#sys;
    if ((events & EPOLLERR) !== 0) while (sys.recvmsg(fd, this.#completion, MSG_ERRQUEUE) === 0);
    const written = sys.send(fd, this.#mapped, BUFFER, MSG_ZEROCOPY);
    if (written < 0 && written !== -EAGAIN && written !== -ENOBUFS) this.#close(fd);
  }

  #close(fd: number): void {
    this.#unsent.delete(fd);
    this.#sys.close(fd);
  }

  #watch(fd: number, kind: number, events: number): void {
    if (fd >= this.#kinds.length) {
      const more = new Uint8Array(Math.max(fd + 1, this.#kinds.length * 2));
      more.set(this.#kinds);
      this.#kinds = more;
    }
    this.#kinds[fd] = kind;
    check('epoll_ctl', this.#sys.epoll_ctl(this.#epfd, EPOLL_CTL_ADD, fd, { events, data: fd }));
  }
}

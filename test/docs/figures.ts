// The traces that docs/epoll.md and docs/accept.md show, made by running what they describe. One stack, its own loopback,
// virtual time and a seed: the same text every time.

import { TracePath } from '../../src/cli/trace-path.js';
import { onTrace } from '../../src/core/trace.js';
import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  epollEvents,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  Stack,
  VirtualClock,
} from '../../src/index.js';

const PORT = 7;
const LOOPBACK = { family: AF_INET, address: '127.0.0.1', port: PORT };
const buffer = new Uint8Array(4096);

/** A stack with a listener, and the means to print what happens from some moment on. */
class Scene {
  readonly clock = new VirtualClock();
  readonly stack: Stack;
  readonly sys: Stack['sys'];
  readonly listener: number;
  readonly epoll: number;
  readonly events = epollEvents(8);
  #lines: string[] = [];
  #stop: () => void = () => {};

  constructor(backlog = 8) {
    this.stack = new Stack({ clock: this.clock, seed: 1 });
    this.sys = this.stack.sys;
    this.listener = this.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    this.sys.bind(this.listener, LOOPBACK);
    this.sys.listen(this.listener, backlog);
    this.epoll = this.sys.epoll_create1(0);
  }

  /** Follows the next connection. */
  follow(): void {
    const path = new TracePath((line) => this.#lines.push(line), `127.0.0.1:${PORT}`);
    this.#stop = onTrace(path.event);
  }

  client(): number {
    const fd = this.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    this.sys.connect(fd, LOOPBACK);
    return fd;
  }

  accept(): number {
    return this.sys.accept4(this.listener, null, SOCK_NONBLOCK);
  }

  watch(fd: number, events: number): void {
    this.sys.epoll_ctl(this.epoll, EPOLL_CTL_ADD, fd, { events, data: fd });
  }

  /** Forgets what was printed so far. */
  record(): void {
    this.#lines = [];
  }

  async wait(timeout = -1): Promise<number> {
    return await this.sys.epoll_wait(this.epoll, this.events, 8, timeout);
  }

  async text(): Promise<string> {
    this.#stop();
    await this.stack.close();
    return this.#lines.join('\n').trim();
  }
}

export const figures: Readonly<Record<string, () => Promise<string>>> = {
  /** ADD, sleep, a segment, the wake-up, the harvest. */
  async 'epoll-wake'() {
    const scene = new Scene();
    scene.follow();
    const client = scene.client();
    const child = scene.accept();
    scene.record();
    scene.watch(child, EPOLLIN);
    const waiting = scene.wait();
    scene.sys.write(client, buffer, 6);
    await waiting;
    scene.sys.read(child, buffer);
    return scene.text();
  },

  /** Level-triggered: the item goes back to the list, and is forgotten when it is found empty. */
  async 'epoll-level'() {
    const scene = new Scene();
    scene.follow();
    const client = scene.client();
    const child = scene.accept();
    scene.watch(child, EPOLLIN);
    scene.sys.write(client, buffer, 6);
    scene.record();
    await scene.wait(0);
    scene.sys.read(child, buffer, 3);
    await scene.wait(0);
    scene.sys.read(child, buffer);
    await scene.wait(0);
    return scene.text();
  },

  /** Edge-triggered: reported once for each arrival. */
  async 'epoll-edge'() {
    const scene = new Scene();
    scene.follow();
    const client = scene.client();
    const child = scene.accept();
    scene.watch(child, EPOLLIN | EPOLLET);
    scene.sys.write(client, buffer, 6);
    scene.record();
    await scene.wait(0);
    scene.sys.read(child, buffer, 3);
    await scene.wait(0);
    scene.sys.write(client, buffer, 2);
    await scene.wait(0);
    return scene.text();
  },

  /** One-shot: deaf after the first report, until it is modified. */
  async 'epoll-oneshot'() {
    const scene = new Scene();
    scene.follow();
    const client = scene.client();
    const child = scene.accept();
    scene.watch(child, EPOLLIN | EPOLLONESHOT);
    scene.sys.write(client, buffer, 1);
    await scene.wait(0);
    scene.record();
    scene.sys.write(client, buffer, 1);
    await scene.wait(0);
    scene.sys.epoll_ctl(scene.epoll, EPOLL_CTL_MOD, child, { events: EPOLLIN | EPOLLONESHOT, data: child });
    await scene.wait(0);
    return scene.text();
  },

  /** The handshake makes the child; accept only takes it. */
  async 'accept-handshake'() {
    const scene = new Scene();
    scene.watch(scene.listener, EPOLLIN);
    const waiting = scene.wait();
    scene.follow();
    scene.client();
    await waiting;
    scene.accept();
    return scene.text();
  },

  /** Backlog 0 holds one: the second SYN is dropped, and repeated a second later. */
  async 'accept-overflow'() {
    const scene = new Scene(0);
    scene.client();
    scene.follow();
    scene.client();
    scene.accept();
    scene.clock.advance(1_000_000);
    return scene.text();
  },

  /** A pause, and a second later a hook that lets the client in by a cookie. */
  async 'accept-steered'() {
    const scene = new Scene();
    const listener = scene.stack.listener(scene.listener);
    listener.pause();
    scene.follow();
    scene.client();
    listener.resume();
    listener.onSyn = () => 'cookie';
    scene.clock.advance(1_000_000);
    return scene.text();
  },
};

// An iperf3 server on the stack: one test at a time, others are told that it is busy. Every connection shows a cookie first; the
// test's own opens a stream, a new one a test.

import {
  AF_INET,
  EAGAIN,
  ECONNABORTED,
  EPOLLIN,
  IPPROTO_TCP,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_SNDBUF,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  type Stack,
  TCP_MAXSEG,
} from '../index.js';
import { ControlConnection } from './iperf3-control.js';
import { ACCESS_DENIED, COOKIE_SIZE, MAX_RESULTS } from './iperf3-protocol.js';
import { Session, type SessionSettings } from './iperf3-session.js';
import { type Alarm, ReadyLoop, type Watched } from './ready-loop.js';
import { check } from './refusal.js';

const BACKLOG = 256;
/** Connections that have not shown their cookie yet, and how long they may take. */
const NEWCOMERS = 256;
const COOKIE_MS = 10_000;

export interface ServerSettings extends Pick<SessionSettings, 'interval' | 'json' | 'write'> {
  readonly port: number;
  /** End after one test. */
  readonly oneOff: boolean;
}

interface Newcomer {
  readonly connection: ControlConnection;
  readonly serial: number;
  readonly alarm: Alarm;
}

export class IperfServer {
  readonly #loop: ReadyLoop;
  readonly #settings: ServerSettings;
  readonly #newcomers = new Set<Newcomer>();
  #listener: Listener;
  #special = false;
  #session: Session | null = null;
  #accepted = 0;

  constructor(stack: Stack, settings: ServerSettings) {
    this.#loop = new ReadyLoop(stack);
    this.#settings = settings;
    this.#listener = this.#listen(0, 0);
  }

  /** Serves until the stack is closed, or until the one test is over. */
  run(): Promise<void> {
    return this.#loop.run();
  }

  /** Tells a client in the middle of a test that there will be no more; whether there is one. */
  terminate(): boolean {
    const session = this.#session;
    session?.terminate();
    return session !== null;
  }

  #listen(mss: number, window: number): Listener {
    const { sys } = this.#loop;
    const fd = check('socket', sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    check('setsockopt', sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    // Before the handshake, or they come too late: the MSS and the window's scale are told in it.
    if (mss > 0) sys.setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, mss);
    if (window > 0) {
      sys.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, window);
      sys.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, window);
    }
    check('bind', sys.bind(fd, { family: AF_INET, address: '0.0.0.0', port: this.#settings.port }));
    check('listen', sys.listen(fd, BACKLOG));
    const listener = new Listener(fd, () => this.#accept());
    this.#loop.watch(listener, EPOLLIN);
    return listener;
  }

  /** Puts another listening socket in the place of ours. */
  #prepare(mss: number, window: number): void {
    const special = mss > 0 || window > 0;
    if (!special && !this.#special) return;
    this.#special = special;
    this.#loop.sys.close(this.#listener.fd);
    this.#listener.fd = -1;
    this.#listener = this.#listen(mss, window);
  }

  #accept(): void {
    for (;;) {
      const fd = this.#loop.sys.accept4(this.#listener.fd, null, SOCK_NONBLOCK);
      if (fd === -EAGAIN) return;
      if (fd === -ECONNABORTED) continue;
      check('accept4', fd);
      for (const oldest of this.#newcomers) {
        if (this.#newcomers.size < NEWCOMERS) break;
        this.#dismiss(oldest);
      }
      this.#welcome(fd);
    }
  }

  #welcome(fd: number): void {
    const connection = new ControlConnection(this.#loop, fd, COOKIE_SIZE);
    const newcomer: Newcomer = {
      connection,
      serial: this.#accepted++,
      alarm: this.#loop.at(performance.now() + COOKIE_MS, () => this.#dismiss(newcomer)),
    };
    this.#newcomers.add(newcomer);
    connection.onInput = () => this.#meet(newcomer);
  }

  #dismiss(newcomer: Newcomer): void {
    this.#newcomers.delete(newcomer);
    this.#loop.cancel(newcomer.alarm);
    newcomer.connection.close();
  }

  #meet(newcomer: Newcomer): void {
    const { connection, serial, alarm } = newcomer;
    if (connection.received.length < COOKIE_SIZE) {
      if (connection.ended) this.#dismiss(newcomer);
      return;
    }
    this.#newcomers.delete(newcomer);
    this.#loop.cancel(alarm);
    const cookie = Buffer.from(connection.take(COOKIE_SIZE)).toString('latin1');
    if (this.#session === null) {
      connection.limit = MAX_RESULTS + 4;
      this.#session = new Session(this.#loop, connection, cookie, {
        ...this.#settings,
        prepare: (mss, window) => this.#prepare(mss, window),
        done: () => this.#done(),
      });
      this.#session.begin();
    } else if (cookie !== this.#session.cookie || !this.#offer(this.#session, connection, serial)) {
      connection.sendState(ACCESS_DENIED);
      connection.finish();
    }
  }

  #offer(session: Session, connection: ControlConnection, serial: number): boolean {
    if (!session.wantsStreams) return false;
    session.offer(connection.release(), serial);
    return true;
  }

  #done(): void {
    this.#session = null;
    if (this.#settings.oneOff) this.#loop.stop();
    else this.#prepare(0, 0);
  }
}

class Listener implements Watched {
  fd: number;
  readonly ready: () => void;

  constructor(fd: number, ready: () => void) {
    this.fd = fd;
    this.ready = ready;
  }
}

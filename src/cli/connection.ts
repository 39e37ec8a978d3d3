// One connection of a server, as the event loop sees it: something that is ready now and then, wants to hear of this or that
// next, and ends once.

import { EPOLLIN, errnoName, type Syscalls } from '../index.js';

export abstract class Connection {
  readonly sys: Syscalls;
  readonly fd: number;
  /** `10.0.0.1:40000` */
  readonly peer: string;
  readonly openedAt = performance.now();
  bytesIn = 0;
  bytesOut = 0;
  /** EPOLLIN or EPOLLOUT: what a level-triggered loop should wait for. */
  wants = EPOLLIN;
  /** How it ended; null while it is open. */
  ended: string | null = null;

  constructor(sys: Syscalls, fd: number, peer: string) {
    this.sys = sys;
    this.fd = fd;
    this.peer = peer;
  }

  /** Does what can be done now: all of it (`exhaust`, as edge-triggered readiness demands), or one helping. */
  abstract ready(exhaust: boolean): void;

  /** What it did, for the line that is printed when it ends. */
  abstract summary(): string;

  /** Ends after a syscall failed: the peer is gone, most likely. */
  fail(call: string, result: number): void {
    this.ended = `${call}: ${errnoName(result)}`;
  }
}

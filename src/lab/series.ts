// How connections fare over time: a point for each connection of a stack, each time something has happened and enough time has
// passed since the last.

import type { Stack } from '../stack.js';
import type { TcpSock } from '../tcp/sock.js';
import type { Clock } from '../time/clock.js';

/** How closely connections are recorded. */
export interface SeriesOptions {
  /** Least time between two points, microseconds. Default 1000. */
  everyUs?: number;
}

/** One moment of one connection. */
export interface SeriesPoint {
  /** Microseconds since the lab began. */
  atUs: number;
  /** Congestion window, segments. */
  cwnd: number;
  /** Slow-start threshold, segments; `TCP_INFINITE_SSTHRESH` (2^31 - 1) while there is none. */
  ssthresh: number;
  /** Smoothed round-trip time, microseconds; 0 before the first measurement. */
  srttUs: number;
  /** Segments thought to be in the network. */
  inFlight: number;
  /** Segments acknowledged or selected since the connection began (`tcpi_delivered`). */
  delivered: number;
}

/** What `lab.record` writes down of a stack's connections; JSON.stringify gives what `tapstack lab plot` draws. */
export class Series {
  /** Points by connection: `10.0.0.1:40000 > 10.0.0.2:80`. */
  readonly connections = new Map<string, SeriesPoint[]>();
  readonly #stack: Stack;
  readonly #clock: Clock;
  readonly #beginUs: number;
  readonly #everyUs: number;
  #next = 0;

  /** Use `lab.record`. */
  constructor(stack: Stack, clock: Clock, beginUs: number, { everyUs = 1000 }: SeriesOptions) {
    this.#stack = stack;
    this.#clock = clock;
    this.#beginUs = beginUs;
    this.#everyUs = everyUs;
  }

  /** Called by the lab after each event. */
  sample(): void {
    const atUs = this.#clock.now() - this.#beginUs;
    if (atUs < this.#next) return;
    this.#next = atUs + this.#everyUs;
    for (const sk of this.#stack.tcp.established) this.#add(sk, atUs);
  }

  /** What `JSON.stringify` writes and `tapstack lab plot` draws. */
  toJSON(): {
    /** The points by connection. */
    connections: Record<string, SeriesPoint[]>;
  } {
    return { connections: Object.fromEntries(this.connections) };
  }

  #add(sk: TcpSock, atUs: number): void {
    const name = `${sk.saddr}:${sk.sport} > ${sk.daddr}:${sk.dport}`;
    let points = this.connections.get(name);
    if (points === undefined) {
      points = [];
      this.connections.set(name, points);
    }
    points.push({
      atUs,
      cwnd: sk.sndCwnd,
      ssthresh: sk.sndSsthresh,
      srttUs: sk.srttUs >> 3,
      inFlight: sk.inFlight,
      delivered: sk.delivered,
    });
  }
}

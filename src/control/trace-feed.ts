// Trace events of one stack as lines of JSON. The points are subscribed to while somebody reads, and cost nothing otherwise.

import type { Socket } from 'node:net';
import { onTrace, type TraceMessage, type TraceName, traceNames } from '../core/trace.js';
import type { Stack } from '../stack.js';
import { Feed } from './feed.js';
import type { TraceLine } from './protocol.js';

export interface TraceFilter {
  /** Points by name; all unless given. */
  points?: string[] | undefined;
  /** Either end's port. What has no ends (a wake-up, a harvest) belongs to what came before it. */
  port?: number | undefined;
}

/** Names in `filter` that are none of ours. */
export function unknownPoints({ points = [] }: TraceFilter): string[] {
  const known: readonly string[] = traceNames();
  return points.filter((name) => !known.includes(name));
}

export class TraceFeed extends Feed {
  readonly #stack: Stack;
  readonly #suffix: string | null;
  readonly #stop: () => void;
  #ours = false;

  constructor(socket: Socket, stack: Stack, { points, port }: TraceFilter) {
    super(socket);
    this.#stack = stack;
    this.#suffix = port === undefined ? null : `:${port}`;
    this.#stop = onTrace((name, message) => this.#event(name, message), points);
  }

  protected detach(): void {
    this.#stop();
  }

  /** By which a reader tells the end from a program that died. */
  protected lastWords(): string {
    return `${JSON.stringify({ point: 'dropped', time: 0, count: this.dropped })}\n`;
  }

  #event(name: TraceName, message: TraceMessage): void {
    const { host, ...rest } = message;
    if (
      host !== this.#stack.host ||
      !this.#concerns(rest as { local?: string; peer?: string }) ||
      this.full()
    )
      return;
    const line: TraceLine = { point: name, ...rest };
    this.socket.write(`${JSON.stringify(line)}\n`);
  }

  #concerns(event: { local?: string; peer?: string }): boolean {
    if (this.#suffix === null) return true;
    const { local, peer } = event;
    if (local !== undefined && peer !== undefined)
      this.#ours = local.endsWith(this.#suffix) || peer.endsWith(this.#suffix);
    return this.#ours;
  }
}

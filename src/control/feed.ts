// A stream of what happens in a running stack to somebody who asked for it: it starts, it ends when either side has had enough, and
// what comes faster than it is read is dropped and counted, so that a slow reader costs the stack no memory.

import type { Socket } from 'node:net';

/** Bytes that may wait for the reader. */
const MAX_WAITING = 8 * 1024 * 1024;

export abstract class Feed {
  protected readonly socket: Socket;
  protected dropped = 0;
  #over = false;

  constructor(socket: Socket) {
    this.socket = socket;
    // The reader closes its half when it wants no more, and still hears how it ended.
    socket.on('end', () => this.finish());
    socket.on('close', () => this.#stop());
  }

  /** Whether there is no room for more at the moment; counts what is dropped therefore. */
  protected full(): boolean {
    if (this.socket.writableLength < MAX_WAITING) return false;
    this.dropped++;
    return true;
  }

  /** Detaches, says the last words and closes. */
  finish(): void {
    if (this.#stop()) this.socket.end(this.lastWords());
  }

  #stop(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.detach();
    return true;
  }

  protected abstract detach(): void;
  protected abstract lastWords(): string | Uint8Array;
}

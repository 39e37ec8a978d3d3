// What socks need only while something is under way, left by those that fell quiet for the next ones. So a round trip allocates
// nothing, and of many connections only those hold such memory that are busy just now.

import type { ByteQueue } from '../memory/byte-queue.js';
import type { SendState } from './send-state.js';
import type { TcpTimer } from './tcp-timer.js';

/** More are left to the garbage collector: a burst of many is over some time. */
const MOST = 1024;
/** So few socks keep what they send with while they are quiet: to let go of it with each answer costs more than it saves. */
const KEPT = 128;

class Spares<T> {
  readonly #spares: T[] = [];

  pop(): T | undefined {
    return this.#spares.pop();
  }

  push(spare: T): void {
    if (this.#spares.length < MOST) this.#spares.push(spare);
  }
}

export class SpareStates {
  /** Calm, with their empty queues and a timer that is not armed. */
  readonly sends = new Spares<SendState>();
  /** How many socks have one. */
  #sending = 0;
  /** Empty receive queues. */
  readonly queues = new Spares<ByteQueue>();
  /** Not armed. */
  readonly delackTimers = new Spares<TcpTimer>();

  /** Whether those that are quiet should let go of theirs. */
  get manySend(): boolean {
    return this.#sending > KEPT;
  }

  taken(tx: SendState): void {
    tx.inUse = true;
    this.#sending++;
  }

  /** The sock needs it no more, or is over; told more than once, or of UNSENT, it counts nothing. */
  left(tx: SendState): void {
    if (!tx.inUse) return;
    tx.inUse = false;
    this.#sending--;
  }
}

// What socks need only while something is under way, left by those that fell quiet for the next ones. So a round trip allocates
// nothing, and of many connections only those hold such memory that are busy just now.

import type { ByteQueue } from '../memory/byte-queue.js';
import type { SendState } from './send-state.js';
import type { TcpTimer } from './tcp-timer.js';

/** More are left to the garbage collector: a burst of many is over some time. */
const MOST = 1024;

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
  /** Empty receive queues. */
  readonly queues = new Spares<ByteQueue>();
  /** Not armed. */
  readonly delackTimers = new Spares<TcpTimer>();
}

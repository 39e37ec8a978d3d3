// The loopback interface (drivers/net/loopback.c): what is sent comes back. A frame is copied once and queued at commit; the
// queue is drained inside the sending call, as the softirq runs in local_bh_enable, unless a drain is under way already.

import type { Host } from '../core/host.js';
import { LinkMib } from '../core/mib.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { frameLength, gatherInto } from './gather.js';
import {
  LINK_F_CSUM,
  LINK_F_ECN,
  LINK_F_LOOPBACK,
  LINK_F_TSO4,
  type Link,
  type LinkReceiver,
  RX_FLAGS,
  RX_GSO_SIZE,
  RX_GSO_TCP4,
  RX_L4_OK,
  RX_LENGTH,
  RX_OFFSET,
  RX_WORDS,
} from './link.js';
import { type Doorbell, TX_FLAGS, TX_GSO_SIZE, TX_GSO_TCP4, TxRing } from './tx-ring.js';

/** Slots of the ring: a frame is taken out as it is committed. */
const SLOTS = 4;

/** Frames under way: receive descriptors and the chunk each frame lies in. */
class Backlog {
  descriptors = new Int32Array(64 * RX_WORDS);
  chunks = new Int32Array(64);
  count = 0;

  push(offset: number, length: number, flags: number, gsoSize: number, chunk: number): void {
    if (this.count === this.chunks.length) this.#grow();
    const at = this.count * RX_WORDS;
    this.descriptors[at + RX_OFFSET] = offset;
    this.descriptors[at + RX_LENGTH] = length;
    this.descriptors[at + RX_FLAGS] = flags;
    this.descriptors[at + RX_GSO_SIZE] = gsoSize;
    this.chunks[this.count++] = chunk;
  }

  #grow(): void {
    const descriptors = new Int32Array(this.descriptors.length * 2);
    descriptors.set(this.descriptors);
    this.descriptors = descriptors;
    const chunks = new Int32Array(this.chunks.length * 2);
    chunks.set(this.chunks);
    this.chunks = chunks;
  }
}

export class LoopbackLink implements Link, Doorbell {
  readonly name = 'lo';
  readonly mtu = 65536;
  readonly mac = new Uint8Array(6);
  readonly features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_ECN | LINK_F_LOOPBACK;

  /** Calls when the program's turn is over; whoever looks on puts himself here. */
  soon: (run: () => void) => void = queueMicrotask;
  readonly #host: Host;
  #memory: PacketMemory | null = null;
  #tx: TxRing | null = null;
  #receiver: LinkReceiver | null = null;
  #filling = new Backlog();
  #emptying = new Backlog();
  #held = 0;
  #draining = false;
  #flushWanted = false;
  #flushScheduled = false;
  #closed = false;

  constructor(host: Host) {
    this.#host = host;
  }

  get tx(): TxRing {
    if (this.#tx === null) throw new Error('the loopback link is not attached to a stack yet');
    return this.#tx;
  }

  attach(receiver: LinkReceiver, memory: PacketMemory): void {
    if (this.#tx !== null) throw new Error('the loopback link is attached to a stack already');
    this.#receiver = receiver;
    this.#memory = memory;
    this.#tx = new TxRing(memory, SLOTS, this);
  }

  /** Work of the kind that softirqs do begins: what is sent meanwhile is received when it ends. Nests. */
  hold(): void {
    this.#held++;
  }

  release(): void {
    if (--this.#held === 0 && (this.#filling.count > 0 || this.#flushWanted)) this.#drain();
  }

  /** A frame was committed. */
  ring(): void {
    this.#take();
    if (this.#held === 0) this.#drain();
  }

  requestFlush(): void {
    if (this.#held > 0 || this.#draining) {
      this.#flushWanted = true;
    } else if (!this.#flushScheduled) {
      // What the program does in this turn may still carry what was put off.
      this.#flushScheduled = true;
      this.soon(() => {
        this.#flushScheduled = false;
        this.#flushWanted = true;
        this.#drain();
      });
    }
  }

  /** Nothing ever waits in the ring. */
  flush(): void {}

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** Copies the frame in the ring to a chunk of its own and queues it; drops it, counted, beyond netdev_max_backlog. */
  #take(): void {
    const memory = this.#memory as PacketMemory;
    const tx = this.#tx as TxRing;
    const at = tx.front();
    const length = frameLength(memory, at);
    const full = this.#closed || this.#filling.count >= this.#host.sysctl.netdevMaxBacklog;
    const chunk = full ? 0 : memory.alloc(length);
    if (chunk === 0) {
      tx.shift();
      this.#host.mib.count(LinkMib.RxDropped);
      return;
    }
    const frame = memory.start[chunk];
    gatherInto(memory, at, frame);
    // Memory is not a wire: nobody computes or verifies checksums here, as on Linux's lo.
    const words = memory.words;
    const isGso = (words[at + TX_FLAGS] & TX_GSO_TCP4) !== 0;
    const flags = isGso ? RX_L4_OK | RX_GSO_TCP4 : RX_L4_OK;
    this.#filling.push(frame, length, flags, isGso ? words[at + TX_GSO_SIZE] : 0, chunk);
    tx.shift();
  }

  /** process_backlog: until nothing is queued, then what receivers put off, until that too is quiet. */
  #drain(): void {
    if (this.#draining || this.#receiver === null) return;
    const memory = this.#memory as PacketMemory;
    this.#draining = true;
    do {
      while (this.#filling.count > 0) {
        const batch = this.#filling;
        this.#filling = this.#emptying;
        this.#emptying = batch;
        this.#receiver.receiveBatch(this, batch.descriptors, batch.count);
        for (let i = 0; i < batch.count; i++) memory.free(batch.chunks[i]);
        batch.count = 0;
      }
      this.#flushWanted = false;
      this.#receiver.flushDeferred();
    } while (this.#filling.count > 0 || this.#flushWanted);
    this.#draining = false;
  }
}

// A link without a device: its rings lie where the recorded link's lay, frames come in when the journal says so, and each that goes
// out is held against the one that went out then.

import { LINK_F_LOOPBACK, type Link, type LinkReceiver } from '../link/link.js';
import { type Doorbell, TxRing } from '../link/tx-ring.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { CTRL_TX_TAIL } from '../memory/ring-control.js';
import { type ByteReader, ByteWriter } from './bytes.js';
import { LAYOUT, type LinkHeader, OUT_TAKE_IN, SENT, TAKEN, TOOK_IN } from './format.js';
import { readBatch, readSent, writeSent } from './frames.js';
import type { Replayer } from './replayer.js';

export class ReplayLink implements Link, Doorbell {
  readonly name: string;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly features: number;
  readonly runsPrograms: boolean;
  readonly #replayer: Replayer;
  readonly #number: number;
  readonly #frame = new ByteWriter();
  #tx: TxRing | null = null;
  #memory: PacketMemory | null = null;
  #receiver: LinkReceiver | null = null;
  #posted: { list: number; count: number }[] = [];

  constructor(header: LinkHeader, replayer: Replayer, number: number) {
    this.name = header.name;
    this.mtu = header.mtu;
    this.mac = Uint8Array.from(header.mac);
    this.features = header.features & ~LINK_F_LOOPBACK;
    this.runsPrograms = header.runsPrograms;
    this.#replayer = replayer;
    this.#number = number;
  }

  get tx(): TxRing {
    if (this.#tx === null) throw new Error(`${this.name} is not attached to a stack yet`);
    return this.#tx;
  }

  attach(receiver: LinkReceiver, memory: PacketMemory): void {
    this.#receiver = receiver;
    this.#memory = memory;
    const layout = this.#replayer.expect(LAYOUT, `the rings of ${this.name} are laid out`);
    const from = layout.unsigned();
    const ctrl = layout.unsigned();
    const slots = layout.unsigned();
    const end = layout.unsigned();
    this.#replayer.same(`the place of the rings of ${this.name}`, from, memory.region(0));
    if (ctrl > from) memory.region(ctrl - from);
    this.#tx = new TxRing(memory, slots, this);
    this.#replayer.same(`the place of the transmit ring of ${this.name}`, ctrl, this.#tx.ctrl * 4);
    const rest = end - memory.region(0);
    if (rest > 0) memory.region(rest);
    for (let lists = layout.unsigned(); lists > 0; lists--) {
      const posted = { list: layout.unsigned(), count: layout.unsigned() };
      memory.post(posted.list, posted.count);
      this.#posted.push(posted);
    }
    memory.region(0);
  }

  receive(from: ByteReader): void {
    const memory = this.#memory as PacketMemory;
    const descriptors = readBatch(from, this.#replayer.values.reader, memory);
    const count = descriptors.length / 4;
    this.#replayer.received(this, memory, descriptors);
    this.#receiver?.receiveBatch(this, descriptors, count);
  }

  flushDeferred(): void {
    this.#receiver?.flushDeferred();
  }

  /** A device that is gone has given back what was posted to it. */
  down(message: string): void {
    const memory = this.#memory as PacketMemory;
    if (this.#posted.length > 0) memory.unwatchRing(this.tx.ctrl);
    for (const { list, count } of this.#posted) memory.unpost(list, count);
    this.#posted = [];
    this.#receiver?.linkDown(this, new Error(message));
  }

  /** A frame was committed. */
  ring(): void {
    const memory = this.#memory as PacketMemory;
    const at = this.tx.back();
    const replayed = this.#frame.clear();
    writeSent(replayed, memory, at, this.#number);
    this.#replayer.sent(this, memory, at);
    this.#replayer.compare(SENT, 'a frame is sent', replayed, readSent);
    this.#replayer.takes();
  }

  /** The NIC has taken everything up to here out of the ring. */
  taken(tail: number): void {
    (this.#memory as PacketMemory).words[this.tx.ctrl + CTRL_TX_TAIL] = tail;
  }

  takeIn(): boolean {
    this.#replayer.outcall(OUT_TAKE_IN);
    const taken = this.#replayer.expect(TOOK_IN, 'the device is read').byte() === 1;
    this.#replayer.takes();
    return taken;
  }

  flush(): void {
    if (this.#replayer.nextIs(TAKEN)) this.#replayer.takes();
  }

  requestFlush(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}

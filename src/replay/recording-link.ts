// A recorded link: it passes everything through, and writes down what comes in, what goes out, and how far the NIC has come with
// what waits in the transmit ring (on which TCP's auto corking depends).

import type { Link, LinkReceiver } from '../link/link.js';
import { LinkAround } from '../link/link-around.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { CTRL_TX_TAIL } from '../memory/ring-control.js';
import { FLUSH, LAYOUT, LINK_DOWN, OUT_TAKE_IN, RECEIVE, SENT, TAKEN, TOOK_IN } from './format.js';
import { writeBatch, writeSent } from './frames.js';
import type { Recorder, Watched } from './recorder.js';

export class RecordingLink extends LinkAround implements Watched {
  readonly #recorder: Recorder;
  readonly #number: number;
  #taken = 0;

  constructor(link: Link, recorder: Recorder) {
    super(link);
    this.#recorder = recorder;
    this.#number = recorder.links.push(this) - 1;
  }

  /** Where the link's rings come to lie is written down: a replay has them at the same places. */
  override attach(receiver: LinkReceiver, memory: PacketMemory): void {
    const lists = memory.posted.length;
    const from = memory.region(0);
    super.attach(receiver, memory);
    const { tx } = this.link;
    this.#taken = memory.words[tx.ctrl + CTRL_TX_TAIL];
    const posted = memory.posted.slice(lists);
    this.#recorder.record(LAYOUT, (to) => {
      to.unsigned(from);
      to.unsigned(tx.ctrl * 4);
      to.unsigned(tx.slots);
      to.unsigned(memory.region(0));
      to.unsigned(posted.length);
      for (const { list, count } of posted) {
        to.unsigned(list);
        to.unsigned(count);
      }
    });
  }

  override ring(): void {
    const memory = this.memory as PacketMemory;
    this.#recorder.record(SENT, (to) => writeSent(to, memory, this.link.tx.back(), this.#number));
    super.ring();
    this.noteTaken();
  }

  noteTaken(): void {
    if (this.memory === null) return;
    const tail = this.memory.words[this.link.tx.ctrl + CTRL_TX_TAIL];
    if (tail === this.#taken) return;
    this.#taken = tail;
    this.#recorder.record(TAKEN, (to) => {
      to.unsigned(this.#number);
      to.int32(tail);
    });
  }

  override receiveBatch(link: Link, descriptors: Int32Array, count: number): void {
    const memory = this.memory as PacketMemory;
    this.#recorder.event(
      RECEIVE,
      (to) => {
        to.unsigned(this.#number);
        writeBatch(to, this.#recorder.values.writer, memory, descriptors, count);
      },
      () => super.receiveBatch(link, descriptors, count),
    );
  }

  override flushDeferred(): void {
    this.#recorder.event(
      FLUSH,
      (to) => to.unsigned(this.#number),
      () => super.flushDeferred(),
    );
  }

  override linkDown(link: Link, error: Error): void {
    this.#recorder.event(
      LINK_DOWN,
      (to) => {
        to.unsigned(this.#number);
        to.string(error.message);
      },
      () => super.linkDown(link, error),
    );
  }

  override flush(): void {
    super.flush();
    this.noteTaken();
  }

  override takeIn(): boolean {
    const taken = this.#recorder.outcall(OUT_TAKE_IN, () => super.takeIn());
    if (this.#recorder.during) this.#recorder.record(TOOK_IN, (to) => to.byte(taken ? 1 : 0));
    this.noteTaken();
    return taken;
  }
}

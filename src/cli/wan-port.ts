// One end of the network that `tapstack wan` makes: a link used as a wire, without a stack. Frames that its host sends are copied
// out of the receive arena; frames for the host are copied into an arena of our own and put on the link's transmit ring.

import { type Link, type LinkReceiver, RX_LENGTH, RX_OFFSET, RX_WORDS } from '../link/link.js';
import { PacketMemory } from '../memory/packet-memory.js';
import { ETH_HLEN } from '../packet/ethernet.js';

const MEMORY = 16 << 20;
const ARENA = 4 << 20;
/** Beyond the MTU: the Ethernet header and two VLAN tags. */
const FRAME_EXTRA = ETH_HLEN + 8;

export class WanPort implements LinkReceiver {
  readonly link: Link;
  /** Frames for the host that found the ring full. */
  dropped = 0;
  readonly #memory = new PacketMemory(MEMORY);
  readonly #onFrames: (frames: readonly Uint8Array[]) => void;
  readonly #onDown: (error: Error) => void;
  readonly #place: number;
  readonly #places: number;
  readonly #arena: number;
  #next = 0;

  /** Attaches the link. `onFrames` gets copies of what the host has sent. */
  constructor(link: Link, onFrames: (frames: readonly Uint8Array[]) => void, onDown: (error: Error) => void) {
    this.link = link;
    this.#onFrames = onFrames;
    this.#onDown = onDown;
    link.attach(this, this.#memory);
    this.#place = (link.mtu + FRAME_EXTRA + 63) & ~63;
    // The ring holds no more frames than the arena, so a place is free again when its turn comes.
    this.#places = Math.min(link.tx.slots, Math.floor(ARENA / this.#place));
    this.#arena = this.#memory.region(this.#places * this.#place);
  }

  receiveBatch(_link: Link, descriptors: Int32Array, count: number): void {
    const frames: Uint8Array[] = [];
    for (let at = 0; at < count * RX_WORDS; at += RX_WORDS) {
      const offset = descriptors[at + RX_OFFSET];
      frames.push(this.#memory.bytes.slice(offset, offset + descriptors[at + RX_LENGTH]));
    }
    this.#onFrames(frames);
  }

  /** Frames for the host; they leave with `flush`, or before when there are many. */
  send(frames: readonly Uint8Array[]): void {
    for (const frame of frames) {
      if (this.link.tx.pending >= this.#places) this.link.flush();
      if (!this.#put(frame)) this.dropped++;
    }
  }

  #put(frame: Uint8Array): boolean {
    const { tx } = this.link;
    if (tx.pending >= this.#places || frame.length > this.#place) return false;
    const header = tx.claim();
    if (header < 0) return false;
    const rest = this.#arena + this.#next * this.#place;
    this.#next = (this.#next + 1) % this.#places;
    this.#memory.bytes.set(frame.subarray(0, ETH_HLEN), header);
    this.#memory.bytes.set(frame.subarray(ETH_HLEN), rest);
    tx.piece(rest, frame.length - ETH_HLEN);
    tx.commit(header, ETH_HLEN, 0, 0, 0, 0);
    return true;
  }

  flush(): void {
    this.link.flush();
  }

  flushDeferred(): void {}

  linkDown(_link: Link, error: Error): void {
    this.#onDown(error);
  }
}

// The link between a stack and a script: what leaves the stack is caught frame by frame with its time, cut to segments as a
// device with TSO would (GSO in software on a tun device), and what the script injects arrives as a batch of one.

import { LINK_F_CSUM, LINK_F_ECN, LINK_F_TSO4, RX_L4_OK } from '../../link/link.js';
import { MemoryNic } from '../../link/memory-nic.js';
import {
  TX_ACCECN,
  TX_CSUM_OFFSET,
  TX_CSUM_START,
  TX_FLAGS,
  TX_GSO_SIZE,
  TX_GSO_TCP4,
  TX_IPV4_CSUM,
} from '../../link/tx-ring.js';
import { ETH_HLEN } from '../../packet/ethernet.js';
import { fillIpv4, fillPartial } from '../../packet/frame-checksum.js';
import type { Clock } from '../../time/clock.js';
import { cutTso } from './cut-tso.js';

const BLOCK = 1 << 17;
const SLOTS = 1024;

/** A frame that left the stack, checksums complete. */
export interface Caught {
  readonly bytes: Uint8Array;
  /** The clock's time. */
  readonly at: number;
}

export class ScriptLink extends MemoryNic {
  readonly name = 'tun0';
  readonly mtu: number;
  readonly mac = Uint8Array.of(0x02, 0x74, 0x61, 0x70, 0x01, 0x01);
  readonly features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_ECN;
  /** Frames caught and not yet looked at. */
  readonly caught: Caught[] = [];
  /** Told of each frame as it leaves. */
  onFrame: ((frame: Caught) => void) | null = null;

  readonly #clock: Clock;
  #flushWanted = false;

  constructor(clock: Clock, mtu: number) {
    super(SLOTS, BLOCK);
    this.#clock = clock;
    this.mtu = mtu;
  }

  /** A frame was committed. */
  ring(): void {
    const { words } = this;
    const at = this.tx.front();
    const bytes = this.frameAt(at);
    const flags = words[at + TX_FLAGS];
    const gsoSize = words[at + TX_GSO_SIZE];
    const start = words[at + TX_CSUM_START];
    const offset = words[at + TX_CSUM_OFFSET];
    this.tx.shift();
    if ((flags & TX_GSO_TCP4) !== 0) {
      for (const segment of cutTso(bytes, gsoSize, (flags & TX_ACCECN) !== 0)) this.#catch(segment);
      return;
    }
    const view = new DataView(bytes.buffer);
    if ((flags & TX_IPV4_CSUM) !== 0) fillIpv4(view, ETH_HLEN);
    if (start !== 0) fillPartial(view, 0, bytes.length, start, offset);
    this.#catch(bytes);
  }

  #catch(bytes: Uint8Array): void {
    const frame = { bytes, at: this.#clock.now() };
    this.caught.push(frame);
    this.onFrame?.(frame);
  }

  /** A frame arrives, with the NIC's verdict on it. What it wakes runs afterwards; then `settled` must be called. */
  inject(frame: Uint8Array, verdict = RX_L4_OK): void {
    this.#flushWanted = true;
    this.putVerified(frame, verdict);
    this.submit();
  }

  /** The moment's programs have run: what was put off goes out. True if there was something to do. */
  settled(): boolean {
    if (!this.#flushWanted) return false;
    this.#flushWanted = false;
    this.receiver?.flushDeferred();
    return true;
  }

  requestFlush(): void {
    this.#flushWanted = true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

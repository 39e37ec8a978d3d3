// An Ethernet wire in memory that joins two stacks of one process: what one sends, the other receives, after a delay, unless
// a fault takes it. Each end has a NIC of TypeScript, or offloads as the two ends of a veth pair do.

import { ETH_HLEN } from '../packet/ethernet.js';
import { fillIpv4, fillPartial } from '../packet/frame-checksum.js';
import type { Alarm, Clock } from '../time/clock.js';
import { LINK_F_CSUM, LINK_F_ECN, LINK_F_TSO4, RX_GSO_TCP4, RX_L4_OK } from './link.js';
import { MemoryNic } from './memory-nic.js';
import {
  TX_CSUM_OFFSET,
  TX_CSUM_START,
  TX_FLAGS,
  TX_GSO_SIZE,
  TX_GSO_TCP4,
  TX_IPV4_CSUM,
} from './tx-ring.js';

/** What becomes of a frame. */
export interface WireVerdict {
  /** Microseconds beside the wire's own delay. Default 0. */
  delayUs?: number;
  /** How many of it arrive. Default 1. */
  copies?: number;
}

/** From the first end to the second, or back. */
export type WireDirection = 'ab' | 'ba';

/** Sees every frame and may change its bytes in place; `false` loses it. */
export type WireFault = (frame: Uint8Array, direction: WireDirection) => undefined | false | WireVerdict;

/** What joins two stacks in one process, and how well. */
export interface WireOptions {
  /** The clock that both stacks live by. */
  clock: Clock;
  /** Largest IP packet in bytes. Default 1500. */
  mtu?: number;
  /** One-way delay in microseconds. Default 0: at once, but never inside the sending call. */
  delayUs?: number;
  /** Leave out checksums and pass TSO frames whole, as veth does. Corruption then goes unnoticed. Default false. */
  offload?: boolean;
  /** Asked about every frame. Default: none is harmed. */
  fault?: WireFault;
  /** Names of the two ends. Default `wire0` and `wire1`. */
  names?: readonly [string, string];
}

const SLOTS = 256;
const BLOCK = 1 << 18;
/** Frames on the wire in one direction; more are lost, and counted. */
const CAPACITY = 4096;

/** A frame on its way. */
interface InFlight {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly flags: number;
  readonly gsoSize: number;
}

/** A delay that is no number would never be over. */
function check({ clock, mtu = 1500, delayUs = 0 }: WireOptions): void {
  if (typeof clock?.now !== 'function')
    throw new TypeError('createWire needs the `clock` that both stacks live by');
  if (!(Number.isInteger(mtu) && mtu >= 68 && mtu <= 65535))
    throw new RangeError(`a wire's mtu is a whole number of bytes from 68 to 65535, not ${mtu}`);
  if (!(Number.isFinite(delayUs) && delayUs >= 0))
    throw new RangeError(`a wire's delayUs is microseconds, 0 or more, not ${delayUs}`);
}

/** Lays a wire: two links, to be given to one stack each. @throws RangeError, TypeError for what cannot be */
export function createWire(options: WireOptions): [WireLink, WireLink] {
  check(options);
  const [a, b] = options.names ?? ['wire0', 'wire1'];
  const first = new WireLink(options, a, 'ab', 1);
  const second = new WireLink(options, b, 'ba', 2);
  first.join(second);
  second.join(first);
  return [first, second];
}

/** One end of a wire in memory; `createWire` makes both. */
export class WireLink extends MemoryNic implements Alarm {
  /** Of `WireOptions.names`. */
  readonly name: string;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  /** Ethernet address of this end, 6 bytes: 02:74:61:70:00:01 or :02. */
  readonly mac: Uint8Array;
  /** LINK_F_* bits: with `offload` LINK_F_CSUM, LINK_F_TSO4 and LINK_F_ECN, else none. */
  readonly features: number;
  /** Which way the frames go that this end sends. */
  readonly direction: WireDirection;
  /** Frames this end sent that were lost to a full wire or a closed end; faults not counted. */
  dropped = 0;

  readonly #clock: Clock;
  readonly #delayUs: number;
  readonly #fault: WireFault | null;
  #peer: WireLink | null = null;
  #closed = false;
  /** Frames on their way to this end, by time of arrival. */
  readonly #arriving: InFlight[] = [];
  readonly #flushAlarm: Alarm = { onAlarm: () => this.receiver?.flushDeferred() };

  /** Use `createWire`. */
  constructor(options: WireOptions, name: string, direction: WireDirection, station: number) {
    super(SLOTS, BLOCK);
    this.#clock = options.clock;
    this.#delayUs = options.delayUs ?? 0;
    this.#fault = options.fault ?? null;
    this.name = name;
    this.mtu = options.mtu ?? 1500;
    this.direction = direction;
    this.mac = Uint8Array.of(0x02, 0x74, 0x61, 0x70, 0x00, station);
    this.features = options.offload === true ? LINK_F_CSUM | LINK_F_TSO4 | LINK_F_ECN : 0;
  }

  /** Frames sent here arrive at `peer`. `createWire` has done so. */
  join(peer: WireLink): void {
    this.#peer = peer;
  }

  /** A frame was committed: it leaves at once. */
  ring(): void {
    if (this.#closed) this.dropped++;
    else this.#send(this.tx.front());
    this.tx.shift();
  }

  #send(at: number): void {
    const { words } = this;
    const bytes = this.frameAt(at);
    const view = new DataView(bytes.buffer);
    const flags = words[at + TX_FLAGS];
    const start = words[at + TX_CSUM_START];
    const hasNic = this.features !== 0;
    const isGso = (flags & TX_GSO_TCP4) !== 0;
    // The IPv4 checksum is never left out: a receiver checks it whatever the link offloads.
    if ((flags & TX_IPV4_CSUM) !== 0) fillIpv4(view, ETH_HLEN);
    if (start !== 0 && !hasNic) fillPartial(view, 0, bytes.length, start, words[at + TX_CSUM_OFFSET]);
    const verdict = this.#fault === null ? undefined : this.#fault(bytes, this.direction);
    if (verdict === false) return;
    const partial = start !== 0 && hasNic ? RX_L4_OK : 0;
    const arrival = this.#clock.now() + this.#delayUs + (verdict?.delayUs ?? 0);
    for (let copies = verdict?.copies ?? 1; copies > 0; copies--) {
      const delivered = this.#peer?.arrive({
        bytes,
        at: arrival,
        flags: isGso ? partial | RX_GSO_TCP4 : partial,
        gsoSize: isGso ? words[at + TX_GSO_SIZE] : 0,
      });
      if (delivered !== true) this.dropped++;
    }
  }

  /** Puts a frame on the way to this end. False if it is lost. */
  arrive(frame: InFlight): boolean {
    const queue = this.#arriving;
    if (this.#closed || this.receiver === null || queue.length >= CAPACITY) return false;
    let place = queue.length;
    while (place > 0 && queue[place - 1].at > frame.at) place--;
    if (place === queue.length) queue.push(frame);
    else queue.splice(place, 0, frame);
    if (place === 0) this.#clock.setAlarm(this, frame.at);
    return true;
  }

  /** Frames are due here. */
  onAlarm(): void {
    const now = this.#clock.now();
    const queue = this.#arriving;
    let due = 0;
    while (due < queue.length && queue[due].at <= now) due++;
    const frames = queue.splice(0, due);
    for (const { bytes, flags, gsoSize } of frames) {
      if (this.#closed) break;
      // A peer that leaves checksums out vouches for them.
      if ((flags & RX_L4_OK) === 0) this.put(bytes, flags, gsoSize);
      else this.putVerified(bytes, flags, gsoSize);
    }
    if (!this.#closed) this.submit();
    if (queue.length > 0) this.#clock.setAlarm(this, queue[0].at);
    if (frames.length > 0) this.requestFlush();
  }

  /** After what runs now and its microtasks. */
  requestFlush(): void {
    this.#clock.setAlarm(this.#flushAlarm, this.#clock.now());
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#arriving.length = 0;
    this.#clock.cancelAlarm(this);
    this.#clock.cancelAlarm(this.#flushAlarm);
    return Promise.resolve();
  }
}

// Those who look at every frame of a running stack (ptype_all, dev_queue_xmit_nit): captures. While nobody does, the stack pays
// one test of a null per batch; what hangs on the transmit rings is taken away with the last of them.

import { RX_WORDS } from '../link/link.js';
import type { Doorbell } from '../link/tx-ring.js';
import type { NetDevice } from './device.js';
import type { Ip } from './ip.js';

/** One that looks. Frames may be read during the call only. */
export interface PacketTap {
  /** The receive descriptor at index `at`. */
  received(device: NetDevice, descriptors: Int32Array, at: number): void;
  /** A frame was committed; `at` is the word index of its transmit descriptor. */
  sent(device: NetDevice, at: number): void;
}

/** In front of a ring's own doorbell, if it has one. */
class TapDoorbell implements Doorbell {
  readonly #device: NetDevice;
  readonly #inner: Doorbell | null;
  readonly #taps: ReadonlySet<PacketTap>;

  constructor(device: NetDevice, taps: ReadonlySet<PacketTap>) {
    this.#device = device;
    this.#inner = device.tx.doorbell;
    this.#taps = taps;
    device.tx.doorbell = this;
  }

  ring(): void {
    const at = this.#device.tx.back();
    for (const tap of this.#taps) tap.sent(this.#device, at);
    this.#inner?.ring();
  }

  remove(): void {
    this.#device.tx.doorbell = this.#inner;
  }
}

export class PacketTaps {
  readonly #ip: Ip;
  readonly #taps = new Set<PacketTap>();
  readonly #doorbells: TapDoorbell[];

  private constructor(ip: Ip) {
    this.#ip = ip;
    // What lo sends comes in there again, and is seen then.
    const devices = ip.routes.devices.filter((device) => !device.loopback);
    this.#doorbells = devices.map((device) => new TapDoorbell(device, this.#taps));
  }

  /** Shows `tap` every frame from now on. */
  static add(ip: Ip, tap: PacketTap): void {
    ip.taps ??= new PacketTaps(ip);
    ip.taps.#taps.add(tap);
  }

  static remove(ip: Ip, tap: PacketTap): void {
    const { taps } = ip;
    if (taps === null || !taps.#taps.delete(tap) || taps.#taps.size > 0) return;
    for (const doorbell of taps.#doorbells) doorbell.remove();
    taps.#ip.taps = null;
  }

  received(device: NetDevice, descriptors: Int32Array, count: number): void {
    for (let at = 0; at < count * RX_WORDS; at += RX_WORDS)
      for (const tap of this.#taps) tap.received(device, descriptors, at);
  }
}

// An Ethernet switch: learns behind which port a station is, forwards there, and floods what it does not know yet.

import { ETH_DST, ETH_HLEN, ETH_SRC, formatMac } from '../packet/ethernet.js';
import type { CableEnd } from './cable-end.js';

/** An Ethernet switch that learns addresses. `lab.switch()` makes one. */
export class Switch {
  /** As `lab.switch` was told. */
  readonly name: string;
  readonly #ports: readonly CableEnd[];
  readonly #learnt = new Map<string, CableEnd>();

  /** Use `lab.switch`. */
  constructor(name: string, ports: readonly CableEnd[]) {
    this.name = name;
    this.#ports = ports;
    for (const port of ports) port.plug((frame) => this.#forward(port, frame));
  }

  #forward(from: CableEnd, frame: Uint8Array): void {
    if (frame.length < ETH_HLEN) return;
    const isGroup = (frame[ETH_DST] & 1) !== 0;
    this.#learnt.set(formatMac(frame, ETH_SRC), from);
    const to = isGroup ? undefined : this.#learnt.get(formatMac(frame, ETH_DST));
    if (to !== undefined) {
      if (to !== from) to.send(frame);
      return;
    }
    for (const port of this.#ports) if (port !== from) port.send(frame.slice());
  }
}

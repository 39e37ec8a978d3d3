// A datagram that several sends put together (MSG_MORE, UDP_CORK; struct inet_cork): begun with the first, it leaves with the
// last, or as large as IP allows it is lost.

import type { SendCookie } from '../core/send-cookie.js';
import type { Route } from '../ip/routes.js';

export class Cork {
  /** Where it goes. A connect() meanwhile says otherwise: ip4_datagram_connect writes to inet->cork, too. */
  route: Route;
  dport: number;
  /** Largest packet that it may be cut into, or must fit into (cork->fragsize). */
  readonly mtu: number;
  /** What the first send asked for beside it. */
  readonly cookie: SendCookie | null;
  length = 0;
  /** Sends of it that asked for MSG_ZEROCOPY: one completion tells of them all. */
  zerocopies = 0;
  readonly #parts: Uint8Array[] = [];

  constructor(route: Route, dport: number, mtu: number, cookie: SendCookie | null) {
    this.route = route;
    this.dport = dport;
    this.mtu = mtu;
    this.cookie = cookie;
  }

  /** ip_append_data: keeps a copy of the first `length` bytes, as the program may write to its buffer again. */
  append(buffer: Uint8Array, length: number): void {
    this.#parts.push(buffer.slice(0, length));
    this.length += length;
  }

  /** All of it, one behind the other. */
  bytes(): Uint8Array {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

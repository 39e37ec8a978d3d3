// Reading what a user writes about addresses, with errors that say what was wrong and what it should look like.

import type { RouteMetricOptions } from '../ip/route-metrics.js';
import type { Link } from '../link/link.js';
import { IpAddress } from '../packet/address.js';

/** One interface of a stack. */
export interface InterfaceOptions {
  /** Where its frames come from and go to; not attached to any stack yet. */
  link: Link;
  /** Its address with the length of its subnet's prefix: `192.0.2.2/24`. */
  address: string;
  /** Default gateway, on that subnet. */
  gateway?: string;
  /** Static neighbours: Ethernet addresses (`02:00:00:00:00:01`) by IP address. */
  neighbours?: Readonly<Record<string, string>>;
}

/** Where a route leads and what it tells of the way there. */
export interface RouteOptions extends RouteMetricOptions {
  /** Gateway on the subnet of an interface; left out: what is reached directly through `dev`. */
  via?: string;
  /** Interface by name; needed only without `via`. */
  dev?: string;
}

/** `192.0.2.2`; `what` names it in the error. */
export function parseAddress(text: string, what: string): IpAddress {
  const address = typeof text === 'string' ? IpAddress.parse(text) : null;
  if (address !== null) return address;
  throw new TypeError(`${what} is ${JSON.stringify(text)}, which is no IPv4 address like '192.0.2.2'`);
}

/** `192.0.2.2/24` */
export function parseCidr(text: string, what: string): { address: IpAddress; prefix: number } {
  const match = typeof text === 'string' ? /^([^/]+)\/(\d{1,2})$/.exec(text) : null;
  const address = match === null ? null : IpAddress.parse(match[1]);
  const prefix = match === null ? -1 : Number(match[2]);
  if (address === null || prefix > 32) {
    throw new TypeError(
      `${what} is ${JSON.stringify(text)}; it must be an IPv4 address and prefix length like '192.0.2.2/24'`,
    );
  }
  return { address, prefix };
}

/** `02:00:00:00:00:01` */
export function parseMac(text: string): Uint8Array {
  if (typeof text !== 'string' || !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw new TypeError(`${JSON.stringify(text)} is no Ethernet address like '02:00:00:00:00:01'`);
  }
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16));
}

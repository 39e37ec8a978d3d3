// A network interface as IP sees it (struct net_device with its in_device): a link, its one address and what follows from it.

import { LINK_F_LOOPBACK, type Link } from '../link/link.js';
import type { TxRing } from '../link/tx-ring.js';
import type { IpAddress } from '../packet/address.js';
import { macHigh, macLow } from '../packet/ethernet.js';
import { IP_MAX_LENGTH } from '../packet/ipv4.js';
import type { NeighbourTable } from './neighbour-table.js';

export class NetDevice {
  /** Interface index, from 1 (lo). */
  readonly index: number;
  readonly name: string;
  readonly link: Link;
  readonly tx: TxRing;
  readonly features: number;
  readonly loopback: boolean;
  /** Largest IP packet; a link may offer more than an IPv4 header can say (lo: 65536). */
  readonly mtu: number;
  readonly address: IpAddress;
  readonly prefix: number;
  readonly mask: number;
  readonly network: number;
  /** The subnet's broadcast address, 0 where there is none (/31, /32). */
  readonly broadcast: number;
  readonly macHigh: number;
  readonly macLow: number;
  up = true;
  /** Frames that may wait in its queue (a pfifo's limit); what comes above is dropped, and its sender told (NET_XMIT_DROP). */
  queueLimit = Number.POSITIVE_INFINITY;
  /** Null where nobody needs resolving (lo). */
  neighbours: NeighbourTable | null = null;
  /** Ethernet header of the transmit slot that `Ip.begin` claimed. */
  frame = 0;

  /** @param link Attached already. */
  constructor(index: number, link: Link, address: IpAddress, prefix: number) {
    this.index = index;
    this.name = link.name;
    this.link = link;
    this.tx = link.tx;
    this.features = link.features;
    this.loopback = (link.features & LINK_F_LOOPBACK) !== 0;
    this.mtu = link.mtu < IP_MAX_LENGTH ? link.mtu : IP_MAX_LENGTH;
    this.address = address;
    this.prefix = prefix;
    this.mask = prefixMask(prefix);
    this.network = address.a & this.mask;
    this.broadcast = prefix >= 31 ? 0 : this.network | ~this.mask;
    const mac = new DataView(link.mac.buffer, link.mac.byteOffset, link.mac.byteLength);
    this.macHigh = macHigh(mac, 0);
    this.macLow = macLow(mac, 0);
  }
}

/** 32-bit mask of a prefix length. */
export function prefixMask(prefix: number): number {
  return prefix === 0 ? 0 : -1 << (32 - prefix);
}

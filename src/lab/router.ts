// An IPv4 router (RFC 1812): forwards between its cables by the longest matching prefix, resolves neighbours by ARP, and tells
// senders what it could not do: time exceeded, no route, packet too large and not to be cut.

import { IpAddress } from '../packet/address.js';
import { ARP_OPERATION, ARP_SENDER_IP, ARP_SENDER_MAC, ARP_TARGET_IP, ARPOP_REQUEST } from '../packet/arp.js';
import { ETH_DST, ETH_HLEN, ETH_P_ARP, ETH_P_IP, ETH_SRC, ETH_TYPE } from '../packet/ethernet.js';
import { fillIpv4 } from '../packet/frame-checksum.js';
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_NET_UNREACH, ICMP_TIME_EXCEEDED } from '../packet/icmp.js';
import {
  IP_DF,
  IP_DST,
  IP_FRAGMENT,
  IP_HLEN,
  IP_SRC,
  IP_TOTAL_LENGTH,
  IP_TTL_FIELD,
} from '../packet/ipv4.js';
import type { CableEnd } from './cable-end.js';
import { fragmentFrame } from './router-fragments.js';
import { arpFrame, icmpErrorFrame } from './router-frames.js';

/** A cable of the router, and its address there with prefix length. */
export interface RouterPort {
  /** The cable's end that is plugged in. */
  link: CableEnd;
  /** `10.0.0.254/24` */
  address: string;
}

/** What lies behind another router. */
export interface RouterRoute {
  /** `10.2.0.0/16` */
  to: string;
  /** A neighbour on one of the cables. */
  via: string;
}

/** Packets that wait for one neighbour's answer; more are dropped. */
const PENDING = 100;

interface Interface {
  link: CableEnd;
  address: number;
  network: number;
  prefix: number;
  neighbours: Map<number, Uint8Array>;
  waiting: Map<number, Uint8Array[]>;
}

function parse(cidr: string): { address: number; prefix: number } {
  const [text, prefix] = cidr.split('/');
  const address = IpAddress.parse(text);
  if (address === null || !/^\d{1,2}$/.test(prefix ?? '') || Number(prefix) > 32)
    throw new TypeError(
      `${JSON.stringify(cidr)} must be an IPv4 address and prefix length like '10.0.0.254/24'`,
    );
  return { address: address.a, prefix: Number(prefix) };
}

function network(address: number, prefix: number): number {
  return prefix === 0 ? 0 : address & (-1 << (32 - prefix));
}

/** An IPv4 router between cables: ARP, TTL, ICMP errors, fragments. `lab.router()` makes one. */
export class Router {
  /** As `lab.router` was told. */
  readonly name: string;
  /** Packets passed on. */
  forwarded = 0;
  /** Packets dropped, for whatever reason. */
  dropped = 0;
  /** Packets that went on in pieces. */
  fragmented = 0;
  readonly #interfaces: Interface[];
  readonly #routes: { network: number; prefix: number; via: number }[];

  /** Use `lab.router`. @throws TypeError for addresses that are none */
  constructor(name: string, ports: readonly RouterPort[], routes: readonly RouterRoute[]) {
    this.name = name;
    this.#interfaces = ports.map(({ link, address: cidr }) => {
      const { address, prefix } = parse(cidr);
      const net = network(address, prefix);
      return { link, address, prefix, network: net, neighbours: new Map(), waiting: new Map() };
    });
    this.#routes = routes.map(({ to, via }) => {
      const { address, prefix } = parse(to);
      return { network: network(address, prefix), prefix, via: parse(`${via}/32`).address };
    });
    this.#routes.sort((a, b) => b.prefix - a.prefix);
    for (const port of this.#interfaces) port.link.plug((frame) => this.#receive(port, frame));
  }

  #receive(port: Interface, frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const type = frame.length < ETH_HLEN + IP_HLEN ? 0 : view.getUint16(ETH_TYPE);
    if (type === ETH_P_ARP) this.#arp(port, frame, view);
    else if (type === ETH_P_IP) this.#forward(port, frame, view);
  }

  #arp(port: Interface, frame: Uint8Array, view: DataView): void {
    if (frame.length < ETH_HLEN + 28) return;
    const sender = view.getInt32(ETH_HLEN + ARP_SENDER_IP);
    const mac = frame.slice(ETH_HLEN + ARP_SENDER_MAC, ETH_HLEN + ARP_SENDER_MAC + 6);
    port.neighbours.set(sender, mac);
    const waiting = port.waiting.get(sender) ?? [];
    port.waiting.delete(sender);
    for (const each of waiting) this.#transmit(port, each, mac);
    const isForUs = view.getInt32(ETH_HLEN + ARP_TARGET_IP) === port.address;
    if (isForUs && view.getUint16(ETH_HLEN + ARP_OPERATION) === ARPOP_REQUEST)
      port.link.send(arpFrame(port.link.mac, port.address, mac, sender));
  }

  #forward(port: Interface, frame: Uint8Array, view: DataView): void {
    const destination = view.getInt32(ETH_HLEN + IP_DST);
    if ((frame[ETH_DST] & 1) !== 0 || this.#interfaces.some(({ address }) => address === destination)) return;
    const ttl = view.getUint8(ETH_HLEN + IP_TTL_FIELD);
    if (ttl <= 1) {
      this.#refuse(port, frame, ICMP_TIME_EXCEEDED, 0, 0);
      return;
    }
    const out = this.#route(destination);
    if (out === null) {
      this.#refuse(port, frame, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0);
      return;
    }
    const { mtu } = out.port.link;
    const isTooLarge = view.getUint16(ETH_HLEN + IP_TOTAL_LENGTH) > mtu;
    if (isTooLarge && (view.getUint16(ETH_HLEN + IP_FRAGMENT) & IP_DF) !== 0) {
      this.#refuse(port, frame, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
      return;
    }
    view.setUint8(ETH_HLEN + IP_TTL_FIELD, ttl - 1);
    fillIpv4(view, ETH_HLEN);
    this.forwarded++;
    if (!isTooLarge) {
      this.#toNeighbour(out.port, out.neighbour, frame);
      return;
    }
    this.fragmented++;
    for (const fragment of fragmentFrame(frame, mtu)) this.#toNeighbour(out.port, out.neighbour, fragment);
  }

  #route(destination: number): { port: Interface; neighbour: number } | null {
    const on = (address: number): Interface | undefined =>
      this.#interfaces.find((each) => network(address, each.prefix) === each.network);
    const direct = on(destination);
    if (direct !== undefined) return { port: direct, neighbour: destination };
    const route = this.#routes.find((each) => network(destination, each.prefix) === each.network);
    const port = route === undefined ? undefined : on(route.via);
    return route === undefined || port === undefined ? null : { port, neighbour: route.via };
  }

  #toNeighbour(port: Interface, neighbour: number, frame: Uint8Array): void {
    const mac = port.neighbours.get(neighbour);
    if (mac !== undefined) {
      this.#transmit(port, frame, mac);
      return;
    }
    const waiting = port.waiting.get(neighbour) ?? [];
    if (waiting.length >= PENDING) {
      this.dropped++;
      return;
    }
    waiting.push(frame);
    port.waiting.set(neighbour, waiting);
    port.link.send(arpFrame(port.link.mac, port.address, null, neighbour));
  }

  #transmit(port: Interface, frame: Uint8Array, mac: Uint8Array): void {
    frame.set(mac, ETH_DST);
    frame.set(port.link.mac, ETH_SRC);
    port.link.send(frame);
  }

  /** The sender learns why its packet went no further. */
  #refuse(port: Interface, frame: Uint8Array, type: number, code: number, mtu: number): void {
    this.dropped++;
    const answer = icmpErrorFrame(frame, port.address, type, code, mtu);
    if (answer === null) return;
    const source = new DataView(frame.buffer, frame.byteOffset).getInt32(ETH_HLEN + IP_SRC);
    const out = this.#route(source);
    if (out !== null) this.#toNeighbour(out.port, out.neighbour, answer);
  }
}

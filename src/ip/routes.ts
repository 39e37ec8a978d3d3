// Where a packet for an address goes (fib and dst_entry): the table of routes, and the interned result of looking one up,
// which connections to one peer share and which carries what was learnt on the way there (path MTU, neighbour, IP ids).

import type { Host } from '../core/host.js';
import { type IpAddress, LOOPBACK_V4 } from '../packet/address.js';
import { IP_MIN_PMTU } from '../packet/ipv4.js';
import { EINVAL, ENETUNREACH } from '../uapi/errno.js';
import { type NetDevice, prefixMask } from './device.js';
import type { Neighbour } from './neighbour.js';

/** A learnt path MTU is forgotten after ten minutes (ip_rt_mtu_expires). */
const PMTU_EXPIRES_MS = 600_000;
/** Interned routes; the oldest is let go first. Whoever holds it goes on using it. */
const INTERNED = 4096;

/** The way to one destination (struct rtable). */
export class Route {
  readonly host: Host;
  readonly device: NetDevice;
  /** Where it really leads: 127.0.0.1 for 0.0.0.0, as ip_route_output has it. */
  readonly destination: IpAddress;
  /** Preferred source address. */
  readonly source: IpAddress;
  readonly gateway: IpAddress | null;
  /** Address that ARP resolves: the gateway or the destination. */
  readonly nextHop: number;
  readonly local: boolean;
  /** The destination is a broadcast or multicast address. */
  readonly broadcast: boolean;
  /** RTAX_QUICKACK: acknowledge at once on this route. */
  quickack = false;
  /** The routes have changed since: look it up again (dst_check). */
  obsolete = false;
  /** Looked up on first use; a dead one is replaced. */
  neighbour: Neighbour | null = null;
  /** Next IPv4 identification. */
  ipId: number;
  /** State of the per-destination ICMP limit (inet_peer: rate_tokens, rate_last), in milliseconds. */
  icmpTokens: number;
  icmpLast: number;
  #pmtu = 0;
  #pmtuSince = 0;

  constructor(
    host: Host,
    device: NetDevice,
    destination: IpAddress,
    source: IpAddress,
    gateway: IpAddress | null,
    local: boolean,
    broadcast: boolean,
  ) {
    this.host = host;
    this.device = device;
    this.destination = destination;
    this.source = source;
    this.gateway = gateway;
    this.nextHop = gateway === null ? destination.a : gateway.a;
    this.local = local;
    this.broadcast = broadcast;
    this.ipId = host.random.int32() & 0xffff;
    this.icmpTokens = 0;
    this.icmpLast = (host.nowMs - 60_000) | 0;
  }

  /** Largest IP packet that passes on this path. */
  get mtu(): number {
    if (this.#pmtu === 0) return this.device.mtu;
    if (((this.host.nowMs - this.#pmtuSince) | 0) >= PMTU_EXPIRES_MS) {
      this.#pmtu = 0;
      return this.device.mtu;
    }
    return this.#pmtu;
  }

  /** A router asked for smaller packets (RFC 1191, __ip_rt_update_pmtu). False if that was no news. Never below 552. */
  updateMtu(mtu: number): boolean {
    const old = this.mtu;
    if (mtu >= old) return false;
    const least = old < IP_MIN_PMTU ? old : IP_MIN_PMTU;
    this.#pmtu = mtu < least ? least : mtu;
    this.#pmtuSince = this.host.nowMs;
    return this.#pmtu < old;
  }

  /** A transport has proof that the next hop works (dst_confirm): postpones ARP's own probing. */
  confirm(): void {
    if (this.neighbour !== null) this.neighbour.confirmed = this.host.nowMs;
  }
}

/** One line of the table. */
interface Entry {
  readonly network: number;
  readonly mask: number;
  readonly device: NetDevice;
  readonly gateway: IpAddress | null;
}

export class RoutingTable {
  readonly host: Host;
  readonly devices: NetDevice[] = [];
  /** Longest prefix first. */
  readonly #entries: Entry[] = [];
  readonly #interned = new Map<number, Route>();

  constructor(host: Host) {
    this.host = host;
  }

  /** An interface comes with the route to its own subnet. */
  addDevice(device: NetDevice): void {
    this.devices.push(device);
    if (!device.loopback) this.#insert({ network: device.network, mask: device.mask, device, gateway: null });
    this.#flush();
  }

  /** Adds a route through a gateway that is a neighbour: 0, -EINVAL, or -ENETUNREACH if no interface reaches the gateway. */
  add(network: IpAddress, prefix: number, gateway: IpAddress): number {
    if (!Number.isInteger(prefix) || prefix < 0 || prefix > 32) return -EINVAL;
    if ((network.a & ~prefixMask(prefix)) !== 0 || this.isLocal(gateway.a)) return -EINVAL;
    const way = this.#lookup(gateway.a);
    if (way === null || way.gateway !== null || this.broadcastDevice(gateway.a) !== null) return -ENETUNREACH;
    this.#insert({ network: network.a, mask: prefixMask(prefix), device: way.device, gateway });
    this.#flush();
    return 0;
  }

  /** An interface is gone: nothing leads through it any more. */
  downDevice(device: NetDevice): void {
    device.up = false;
    this.#flush();
  }

  /** One of our own addresses; all of 127.0.0.0/8 is. */
  isLocal(address: number): boolean {
    if (address >>> 24 === 127) return true;
    for (let i = 0; i < this.devices.length; i++) if (this.devices[i].address.a === address) return true;
    return false;
  }

  /** The interface of whose subnet this is the broadcast address. */
  broadcastDevice(address: number): NetDevice | null {
    for (let i = 0; i < this.devices.length; i++) {
      if (this.devices[i].broadcast === address && address !== 0) return this.devices[i];
    }
    return null;
  }

  /** ip_route_output: the interned way to `destination`, or null where none leads (ENETUNREACH). */
  output(destination: IpAddress): Route | null {
    const known = this.#interned.get(destination.a);
    if (known !== undefined) return known;
    const route = this.#resolve(destination);
    if (route === null) return null;
    if (this.#interned.size >= INTERNED) this.#interned.delete(this.#interned.keys().next().value as number);
    this.#interned.set(destination.a, route);
    return route;
  }

  #resolve(wanted: IpAddress): Route | null {
    const destination = wanted.isAny ? LOOPBACK_V4 : wanted.clone();
    const lo = this.devices[0];
    const subnet = this.broadcastDevice(destination.a);
    if (subnet !== null) {
      return subnet.up ? new Route(this.host, subnet, destination, subnet.address, null, false, true) : null;
    }
    if (this.isLocal(destination.a)) {
      // The local table: 127.0.0.0/8 prefers 127.0.0.1 as its source, an own address itself.
      return new Route(
        this.host,
        lo,
        destination,
        destination.isLoopback ? lo.address : destination,
        null,
        true,
        false,
      );
    }
    if (destination.isLimitedBroadcast || destination.isMulticast) {
      const device = this.devices.find((candidate) => !candidate.loopback && candidate.up);
      return device === undefined
        ? null
        : new Route(this.host, device, destination, device.address, null, false, true);
    }
    const entry = this.#lookup(destination.a);
    if (entry === null) return null;
    return new Route(this.host, entry.device, destination, entry.device.address, entry.gateway, false, false);
  }

  #lookup(address: number): Entry | null {
    for (const entry of this.#entries) {
      if ((address & entry.mask) === entry.network && entry.device.up) return entry;
    }
    return null;
  }

  #insert(entry: Entry): void {
    // A newer route of the same length goes first, so that a default gateway can be replaced.
    const at = this.#entries.findIndex((other) => other.mask >>> 0 <= entry.mask >>> 0);
    this.#entries.splice(at < 0 ? this.#entries.length : at, 0, entry);
  }

  #flush(): void {
    for (const route of this.#interned.values()) route.obsolete = true;
    this.#interned.clear();
  }
}

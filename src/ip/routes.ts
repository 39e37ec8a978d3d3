// Where a packet for an address goes (fib and dst_entry): the table of routes, and the interned result of looking one up,
// which connections to one peer share and which carries what was learnt on the way there (path MTU, neighbour, IP ids).

import type { Host } from '../core/host.js';
import { type IpAddress, LOOPBACK_V4 } from '../packet/address.js';
import { EEXIST, EINVAL, ENETUNREACH, ENOENT, ESRCH } from '../uapi/errno.js';
import { IP_PMTUDISC_DO, IP_PMTUDISC_WANT } from '../uapi/socket.js';
import { type NetDevice, prefixMask } from './device.js';
import type { Neighbour } from './neighbour.js';
import { DEFAULT_METRICS, type RouteMetrics } from './route-metrics.js';

/** Interned routes; the oldest is let go first. Whoever holds it goes on using it. */
const INTERNED = 4096;

/** The way to one destination (struct rtable). */
export class Route {
  readonly host: Host;
  readonly #table: RoutingTable;
  /** The table's genid when this was looked up (rt_genid). */
  readonly #genid: number;
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
  /** What the line of the table says beyond the way. */
  readonly metrics: RouteMetrics;
  /** Looked up on first use; a dead one is replaced. */
  neighbour: Neighbour | null = null;
  /** The neighbour is to be told that it was found to work, with the packet being made (dst_pending_confirm of an skb). */
  confirmPending = false;
  /** Next IPv4 identification. */
  ipId: number;
  /** State of the per-destination ICMP limit (inet_peer: rate_tokens, rate_last), in milliseconds. */
  icmpTokens: number;
  icmpLast: number;
  /** What a router said passes here, and until when that is believed; 0: nothing. */
  #pmtu = 0;
  #pmtuSince = 0;
  /** It said less than any path should: such packets are no longer made, but may be fragmented (rt_mtu_locked). */
  #pmtuLocked = false;

  constructor(
    table: RoutingTable,
    device: NetDevice,
    destination: IpAddress,
    source: IpAddress,
    gateway: IpAddress | null,
    local: boolean,
    broadcast: boolean,
    metrics: RouteMetrics = DEFAULT_METRICS,
  ) {
    const { host } = table;
    this.host = host;
    this.#table = table;
    this.#genid = table.genid;
    this.metrics = metrics;
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

  /** The routes have changed since: look it up again (ipv4_dst_check, rt_is_expired). */
  get obsolete(): boolean {
    return this.#genid !== this.#table.genid;
  }

  /** Largest IP packet that passes on this path (ipv4_mtu): what was learnt, else what the route says, else the device's. */
  get mtu(): number {
    this.#forgetOldMtu();
    if (this.#pmtu !== 0) return this.#pmtu;
    const { mtu } = this.metrics;
    return mtu !== 0 && mtu < this.device.mtu ? mtu : this.device.mtu;
  }

  #forgetOldMtu(): void {
    if (this.#pmtu === 0) return;
    if ((this.host.nowMs - this.#pmtuSince) >>> 0 < this.host.sysctl.ipRtMtuExpires * 1000) return;
    this.#pmtu = 0;
    this.#pmtuLocked = false;
  }

  /** ip_mtu_locked: the MTU is not to be discovered, so that packets go without DF unless their sender insists. */
  get mtuLocked(): boolean {
    return this.metrics.mtuLocked || (this.#pmtuLocked && this.#pmtu !== 0);
  }

  /** ip_dont_fragment, `mode` being one of IP_PMTUDISC_*: routers are to refuse what is too large (RFC 1191), not to cut it up. */
  dontFragment(mode: number): boolean {
    return mode === IP_PMTUDISC_DO || (mode === IP_PMTUDISC_WANT && !this.mtuLocked);
  }

  /** Hops that packets may take here (ip4_dst_hoplimit). */
  get hopLimit(): number {
    return this.metrics.hoplimit !== 0 ? this.metrics.hoplimit : this.host.sysctl.ipDefaultTtl;
  }

  /**
   * A router asked for smaller packets (RFC 1191, __ip_rt_update_pmtu); 0: it did not say how small. False if that was no news.
   * Less than `net.ipv4.route.min_pmtu` is not believed: that much is sent, without DF.
   */
  updateMtu(mtu: number): boolean {
    if (this.metrics.mtuLocked) return false;
    const old = this.mtu;
    if (old < mtu) return false;
    const least = this.host.sysctl.ipRtMinPmtu;
    const tooSmall = mtu < least;
    this.#pmtu = tooSmall ? Math.min(old, least) : mtu;
    this.#pmtuLocked = tooSmall;
    this.#pmtuSince = this.host.nowMs;
    return this.#pmtu < old;
  }

  /** A router has told a path MTU that still holds. */
  get learnt(): boolean {
    this.#forgetOldMtu();
    return this.#pmtu !== 0;
  }

  /** `old` led the same way by the same line of the table: what was learnt of it holds here. */
  inheritMtu(old: Route): void {
    if (old.device !== this.device || old.nextHop !== this.nextHop || old.metrics !== this.metrics) return;
    this.#pmtu = old.#pmtu;
    this.#pmtuSince = old.#pmtuSince;
    this.#pmtuLocked = old.#pmtuLocked;
  }

  /** A transport has proof that the next hop works (skb_set_dst_pending_confirm): what it sends next postpones ARP's own probing. */
  confirm(): void {
    this.confirmPending = true;
  }
}

/** One line of the table. */
export interface RouteLine {
  readonly network: number;
  readonly mask: number;
  readonly device: NetDevice;
  readonly gateway: IpAddress | null;
  readonly metrics: RouteMetrics;
}

export class RoutingTable {
  readonly host: Host;
  readonly devices: NetDevice[] = [];
  /** Longest prefix first. */
  readonly #entries: RouteLine[] = [];
  readonly #interned = new Map<number, Route>();
  /** Goes up whenever a way may have changed (net->ipv4.rt_genid). */
  genid = 0;
  #localMetrics = DEFAULT_METRICS;

  constructor(host: Host) {
    this.host = host;
  }

  /** An interface comes with the route to its own subnet. */
  addDevice(device: NetDevice): void {
    this.devices.push(device);
    if (!device.loopback)
      this.#insert({
        network: device.network,
        mask: device.mask,
        device,
        gateway: null,
        metrics: DEFAULT_METRICS,
      });
    this.#flush();
  }

  /**
   * Adds a route through a gateway that is a neighbour, ahead of others as long as it: 0, -EINVAL, or -ENETUNREACH if no
   * interface reaches the gateway.
   */
  add(
    network: IpAddress,
    prefix: number,
    gateway: IpAddress,
    metrics: RouteMetrics = DEFAULT_METRICS,
  ): number {
    const entry = this.#entry(network, prefix, gateway, null, metrics);
    if (typeof entry === 'number') return entry;
    this.#insert(entry);
    this.#flush();
    return 0;
  }

  /**
   * What `ip route add`, `change`, `replace` and `prepend` do: a gateway, or a device for what is reached directly.
   * 0; -EEXIST (add), -ENOENT (change), -EINVAL, -ENETUNREACH.
   */
  edit(
    how: 'add' | 'change' | 'replace' | 'prepend',
    network: IpAddress,
    prefix: number,
    gateway: IpAddress | null,
    device: NetDevice | null,
    metrics: RouteMetrics,
  ): number {
    const entry = this.#entry(network, prefix, gateway, device, metrics);
    if (typeof entry === 'number') return entry;
    const at = this.#find(network.a, prefix);
    if (how === 'add' && at >= 0) return -EEXIST;
    if (how === 'change' && at < 0) return -ENOENT;
    if (at < 0 || how === 'prepend') this.#insert(entry);
    else this.#entries[at] = entry;
    this.#flush();
    return 0;
  }

  /** `ip route del`: takes the first route to the network away. 0 or -ESRCH. */
  delete(network: IpAddress, prefix: number): number {
    const at = this.#find(network.a, prefix);
    if (at < 0) return -ESRCH;
    this.#entries.splice(at, 1);
    this.#flush();
    return 0;
  }

  #find(network: number, prefix: number): number {
    const mask = prefixMask(prefix);
    return this.#entries.findIndex((each) => each.network === network && each.mask === mask);
  }

  #entry(
    network: IpAddress,
    prefix: number,
    gateway: IpAddress | null,
    device: NetDevice | null,
    metrics: RouteMetrics,
  ): RouteLine | number {
    if (!Number.isInteger(prefix) || prefix < 0 || prefix > 32) return -EINVAL;
    if ((network.a & ~prefixMask(prefix)) !== 0) return -EINVAL;
    const line = { network: network.a, mask: prefixMask(prefix), metrics };
    if (gateway === null) return device === null ? -EINVAL : { ...line, device, gateway };
    if (this.isLocal(gateway.a)) return -EINVAL;
    const way = this.#lookup(gateway.a);
    if (way === null || way.gateway !== null || this.broadcastDevice(gateway.a) !== null) return -ENETUNREACH;
    if (device !== null && way.device !== device) return -ENETUNREACH;
    return { ...line, device: way.device, gateway };
  }

  /** The table, as it is looked through: longest prefix first. */
  get lines(): readonly RouteLine[] {
    return this.#entries;
  }

  /** Metrics of the ways to our own addresses (`ip route change … table local`). */
  set localMetrics(metrics: RouteMetrics) {
    this.#localMetrics = metrics;
    this.#flush();
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
      return subnet.up ? new Route(this, subnet, destination, subnet.address, null, false, true) : null;
    }
    if (this.isLocal(destination.a)) {
      // The local table: 127.0.0.0/8 prefers 127.0.0.1 as its source, an own address itself.
      return new Route(
        this,
        lo,
        destination,
        destination.isLoopback ? lo.address : destination,
        null,
        true,
        false,
        this.#localMetrics,
      );
    }
    if (destination.isLimitedBroadcast || destination.isMulticast) {
      const device = this.devices.find((candidate) => !candidate.loopback && candidate.up);
      return device === undefined
        ? null
        : new Route(this, device, destination, device.address, null, false, true);
    }
    const entry = this.#lookup(destination.a);
    if (entry === null) return null;
    const { device, gateway, metrics } = entry;
    return new Route(this, device, destination, device.address, gateway, false, false, metrics);
  }

  /**
   * The way for a sock that is bound to an interface (index `oif`, 0: none) or wants none but neighbours (`onLink`,
   * SO_DONTROUTE). Through an interface that no route names, everybody is taken for a neighbour, as Linux does. Not interned.
   */
  outputBound(destination: IpAddress, oif: number, onLink: boolean): Route | null {
    const free = this.output(destination);
    const fits =
      oif === 0 || free?.device.index === oif || (free?.local && this.#owner(destination.a) === oif);
    if (free !== null && fits && !(onLink && free.gateway !== null)) return free;
    const device = this.devices[oif - 1] as NetDevice | undefined;
    if (device === undefined || !device.up || device.loopback) return null;
    const group = destination.isLimitedBroadcast || destination.isMulticast;
    const entry = group ? null : this.#lookup(destination.a, device, onLink);
    const gateway = entry === null ? null : entry.gateway;
    const metrics = entry === null ? DEFAULT_METRICS : entry.metrics;
    return new Route(
      this,
      device,
      destination.clone(),
      device.address,
      gateway,
      false,
      group || device.broadcast === destination.a,
      metrics,
    );
  }

  /** Index of the interface whose address this is; 0: none. */
  #owner(address: number): number {
    return this.devices.find((device) => device.address.a === address)?.index ?? 0;
  }

  #lookup(address: number, device: NetDevice | null = null, onLink = false): RouteLine | null {
    for (const entry of this.#entries) {
      if ((address & entry.mask) !== entry.network || !entry.device.up) continue;
      if (device !== null && entry.device !== device) continue;
      if (!onLink || entry.gateway === null) return entry;
    }
    return null;
  }

  #insert(entry: RouteLine): void {
    // A newer route of the same length goes first, so that a default gateway can be replaced.
    const at = this.#entries.findIndex((other) => other.mask >>> 0 <= entry.mask >>> 0);
    this.#entries.splice(at < 0 ? this.#entries.length : at, 0, entry);
  }

  /** The ways are looked up anew; what was learnt of one that stays the same is kept (fib_nh_exception). */
  #flush(): void {
    const old = [...this.#interned.values()];
    this.#interned.clear();
    this.genid++;
    for (const route of old) if (route.learnt) this.output(route.destination)?.inheritMtu(route);
  }
}

// Finds the sock a datagram is for (udp_table): by its four-tuple among the connected ones, else by the port among those that
// are only bound. It is also the table of who holds which port, so that a bound sock can be found from that moment on.

import type { Host } from '../core/host.js';
import { type PortHolder, PortTable } from '../core/ports.js';
import type { IpAddress } from '../packet/address.js';
import { TCP_ESTABLISHED } from '../uapi/tcp.js';
import type { UdpSock } from './udp-sock.js';

/** compute_score: how well a bound sock fits. */
const NO_MATCH = -1;
/** Of an ICMP error it does not matter by which interface it came. */
export const ANY_DEVICE = 0;

export class UdpTable extends PortTable {
  /** Bound, not connected socks of each port, newest first; and connected ones of each hash. */
  readonly #bound = new Map<number, UdpSock>();
  readonly #connected = new Map<number, UdpSock>();
  readonly #port = new Map<UdpSock, number>();
  readonly #secret: number;
  /** How many are connected to port 0, and so hear any port of their peer's. */
  #toAnyPort = 0;

  constructor(host: Host) {
    super(host);
    this.#secret = host.random.int32();
  }

  /** udp_v4_get_port: claims the port and makes the sock findable by it. */
  override bind(holder: PortHolder, port: number): number {
    const chosen = super.bind(holder, port);
    if (chosen > 0) {
      const sk = holder as UdpSock;
      this.#port.set(sk, chosen);
      push(this.#bound, chosen, sk);
    }
    return chosen;
  }

  /** udp_lib_unhash */
  override release(holder: PortHolder): void {
    const sk = holder as UdpSock;
    const port = this.#port.get(sk);
    if (port !== undefined) {
      this.#unlink(sk, port);
      this.#port.delete(sk);
    }
    super.release(holder);
  }

  /** The sock has a peer from now on: state, daddr and dport are set by the caller afterwards. */
  connected(sk: UdpSock, daddr: IpAddress, dport: number): void {
    const port = this.#port.get(sk) as number;
    this.#unlink(sk, port);
    push(this.#connected, this.#hash(daddr, dport, port), sk);
    if (dport === 0) this.#toAnyPort++;
  }

  #unlink(sk: UdpSock, port: number): void {
    if (sk.state !== TCP_ESTABLISHED) {
      remove(this.#bound, port, sk);
      return;
    }
    remove(this.#connected, this.#hash(sk.daddr, sk.dport, port), sk);
    if (sk.dport === 0) this.#toAnyPort--;
  }

  /** The sock, still ESTABLISHED with daddr and dport set, loses its peer. */
  disconnected(sk: UdpSock): void {
    const port = this.#port.get(sk);
    if (port === undefined) return;
    this.#unlink(sk, port);
    push(this.#bound, port, sk);
  }

  /** __udp4_lib_lookup: for a datagram from `src`.`sport` to `dst`.`dport` that came in by interface `device`. */
  lookup(src: IpAddress, sport: number, dst: IpAddress, dport: number, device: number): UdpSock | null {
    const connected =
      this.#connectedTo(src, sport, dst, dport, device) ??
      (this.#toAnyPort > 0 ? this.#connectedTo(src, 0, dst, dport, device) : null);
    if (connected !== null) return connected;
    let best: UdpSock | null = null;
    let bestScore = NO_MATCH;
    for (let sk = this.#bound.get(dport) ?? null; sk !== null; sk = sk.next) {
      const its = score(sk, dst, device);
      if (its > bestScore) {
        best = sk;
        bestScore = its;
      }
    }
    return best?.reusePort
      ? this.#ofGroup(best, bestScore, dst, dport, device, this.#hash(src, sport, dport))
      : best;
  }

  #connectedTo(src: IpAddress, sport: number, dst: IpAddress, dport: number, device: number): UdpSock | null {
    let sk = this.#connected.get(this.#hash(src, sport, dport)) ?? null;
    while (sk !== null && !(this.#isPeer(sk, src, sport, dport) && score(sk, dst, device) !== NO_MATCH))
      sk = sk.next;
    return sk;
  }

  /** __udp4_lib_mcast_deliver: calls `found` for every sock that wants a broadcast datagram. */
  forEach(
    src: IpAddress,
    sport: number,
    dst: IpAddress,
    dport: number,
    device: number,
    found: (sk: UdpSock) => void,
  ): void {
    for (const port of this.#toAnyPort > 0 && sport !== 0 ? [sport, 0] : [sport]) {
      for (let sk = this.#connected.get(this.#hash(src, port, dport)) ?? null; sk !== null; sk = sk.next) {
        if (this.#isPeer(sk, src, port, dport) && score(sk, dst, device) !== NO_MATCH) found(sk);
      }
    }
    for (let sk = this.#bound.get(dport) ?? null; sk !== null; sk = sk.next) {
      if (score(sk, dst, device) !== NO_MATCH) found(sk);
    }
  }

  #isPeer(sk: UdpSock, src: IpAddress, sport: number, dport: number): boolean {
    return sk.dport === sport && this.#port.get(sk) === dport && sk.daddr.equals(src);
  }

  /** reuseport_select_sock: one peer always reaches the same member of a group. */
  #ofGroup(
    first: UdpSock,
    wanted: number,
    dst: IpAddress,
    dport: number,
    device: number,
    hash: number,
  ): UdpSock {
    let members = 0;
    for (let sk = this.#bound.get(dport) ?? null; sk !== null; sk = sk.next) {
      if (sk.reusePort && score(sk, dst, device) === wanted) members++;
    }
    let choice = (hash >>> 0) % members;
    for (let sk = this.#bound.get(dport) ?? null; sk !== null; sk = sk.next) {
      if (sk.reusePort && score(sk, dst, device) === wanted && choice-- === 0) return sk;
    }
    return first;
  }

  /** Keyed, so that nobody can aim at one chain. */
  #hash(peer: IpAddress, peerPort: number, port: number): number {
    let h = this.#secret ^ ((peerPort << 16) | port);
    h = mix(h ^ peer.a);
    h = mix(h ^ peer.b ^ peer.c);
    return mix(h ^ peer.d);
  }
}

/** The finaliser of MurmurHash3 (Austin Appleby). */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function score(sk: UdpSock, dst: IpAddress, device: number): number {
  let points = 0;
  if (!sk.laddr.isAny) {
    if (!sk.laddr.equals(dst)) return NO_MATCH;
    points += 1;
  }
  if (sk.boundDevice !== 0) {
    if (sk.boundDevice !== device && device !== ANY_DEVICE) return NO_MATCH;
    points += 1;
  }
  return points;
}

function push(map: Map<number, UdpSock>, key: number, sk: UdpSock): void {
  sk.next = map.get(key) ?? null;
  map.set(key, sk);
}

function remove(map: Map<number, UdpSock>, key: number, sk: UdpSock): void {
  const head = map.get(key);
  if (head === sk) {
    if (sk.next === null) map.delete(key);
    else map.set(key, sk.next);
  } else {
    let before = head;
    while (before !== undefined && before.next !== sk) before = before.next ?? undefined;
    if (before !== undefined) before.next = sk.next;
  }
  sk.next = null;
}

// Who holds which local port (inet_bind_hashbucket): bind, listen's second look, children and TIME_WAIT remnants that keep
// their listener's port, and the choice of an ephemeral one. TCP and UDP each have a table of their own.

import type { IpAddress } from '../packet/address.js';
import { EADDRINUSE, EADDRNOTAVAIL } from '../uapi/errno.js';
import { TCP_LISTEN, TCP_TIME_WAIT } from '../uapi/tcp.js';
import type { Host } from './host.js';
import { below } from './random.js';

/** A sock or a TIME_WAIT remnant. Its flags are read when somebody else wants the port, not when it bound. */
export interface PortHolder {
  /** Address it is bound to; any for the wildcard. */
  readonly laddr: IpAddress;
  /** A TCP state. */
  readonly state: number;
  readonly reuse: boolean;
  readonly reusePort: boolean;
  readonly uid: number;
  readonly boundDevice: number;
  /** IP_LOCAL_PORT_RANGE, if it has one. */
  readonly extras?: { readonly portLow: number; readonly portHigh: number } | null;
  /** The port it holds, and its neighbours among those who hold the same; the table's own. */
  bindBucket: PortBucket | null;
  bindNext: PortHolder | null;
  bindPrev: PortHolder | null;
}

/** Answers whether the holder's four-tuple with this local port is taken (__inet_check_established). */
export interface Tuples {
  inUse(port: number): boolean;
}

/** What a bucket remembers of SO_REUSEPORT among its holders (tb->fastreuseport). */
const NEVER = 0;
const FOR_ANY = 1;
const FOR_ADDRESS = 2;
/** Only connect() has used the port: others may connect from it, too (fastreuse and fastreuseport both -1). */
const BY_CONNECT = -1;

/** inet_bind_bucket */
export class PortBucket {
  first: PortHolder | null = null;
  last: PortHolder | null = null;
  fastReuse = BY_CONNECT;
  fastReusePort = BY_CONNECT;
  fastUid = 0;
  fastAddress: IpAddress | null = null;
  readonly port: number;

  constructor(port: number) {
    this.port = port;
  }
}

/** INET_TABLE_PERTURB_SIZE: between the kernel's 2^16 and its 2^8 for small machines. */
const PERTURB_SIZE = 1 << 12;

export class PortTable {
  readonly #host: Host;
  readonly #buckets = new Map<number, PortBucket>();
  // RFC 6056 algorithm 4: a counter for each hash of the destination. 16 KiB, so only for those who connect.
  #perturb: Int32Array | null = null;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Port the holder holds (inet_num); 0 if none. */
  portOf(holder: PortHolder): number {
    return holder.bindBucket === null ? 0 : holder.bindBucket.port;
  }

  /** inet_csk_get_port: claims `port`, or for 0 an ephemeral one, at `holder.laddr`. The port, or -EADDRINUSE. */
  bind(holder: PortHolder, port: number): number {
    const chosen = port === 0 ? this.#findOpenPort(holder) : port;
    if (chosen === 0) return -EADDRINUSE;
    const bucket = this.#buckets.get(chosen);
    if (port !== 0 && bucket !== undefined && this.#refused(bucket, holder)) return -EADDRINUSE;
    this.#claim(holder, bucket ?? this.#create(chosen));
    return chosen;
  }

  /** listen()'s second look at a port that is held already; the holder's state is LISTEN by now. False: EADDRINUSE. */
  recheck(holder: PortHolder): boolean {
    const bucket = holder.bindBucket;
    if (bucket === null || this.#refused(bucket, holder)) return false;
    updateFastReuse(bucket, holder);
    return true;
  }

  /** A child or a TIME_WAIT remnant joins those who hold the parent's port (__inet_inherit_port). */
  inherit(child: PortHolder, parent: PortHolder): void {
    if (parent.bindBucket !== null) this.#join(child, parent.bindBucket);
  }

  release(holder: PortHolder): void {
    const bucket = holder.bindBucket;
    if (bucket === null) return;
    if (holder.bindPrev === null) bucket.first = holder.bindNext;
    else holder.bindPrev.bindNext = holder.bindNext;
    if (holder.bindNext === null) bucket.last = holder.bindPrev;
    else holder.bindNext.bindPrev = holder.bindPrev;
    holder.bindBucket = null;
    holder.bindNext = null;
    holder.bindPrev = null;
    if (bucket.first === null) this.#buckets.delete(bucket.port);
  }

  /**
   * inet_hash_connect for a holder without a port: ports of the range's own parity first, starting where RFC 6056's
   * double hash says. `secretOffset` is a keyed hash of source, destination and destination port (int32).
   * The port, or -EADDRNOTAVAIL.
   */
  connect(holder: PortHolder, secretOffset: number, tuples: Tuples): number {
    const [low, high] = this.#range(holder);
    // Where each walk starts is settled by the keyed hash; the table only moves on from there.
    this.#perturb ??= new Int32Array(PERTURB_SIZE);
    const perturb = this.#perturb;
    const index = secretOffset & (PERTURB_SIZE - 1);
    const range = evened(high + 1 - low);
    const start = (((perturb[index] + (secretOffset >>> 16)) >>> 0) % range) & ~1;
    for (let parity = 0; parity < 2 && parity < range; parity++) {
      for (let step = 0; step < range; step += 2) {
        const port = low + ((start + parity + step) % range);
        const bucket = this.#buckets.get(port);
        if (bucket !== undefined && !onlyConnects(bucket)) continue;
        if (bucket !== undefined && tuples.inUse(port)) continue;
        const jump = Math.max(step, below(this.#host.random, 8) * 2);
        perturb[index] = (perturb[index] + jump + 2) | 0;
        this.#join(holder, bucket ?? this.#create(port));
        return port;
      }
    }
    return -EADDRNOTAVAIL;
  }

  /** Everyone who holds a port, for listings. */
  *holders(): IterableIterator<PortHolder> {
    for (const bucket of this.#buckets.values()) {
      for (let holder = bucket.first; holder !== null; holder = holder.bindNext) yield holder;
    }
  }

  /** inet_csk_find_open_port: the parity connect() does not prefer comes first, and with SO_REUSEADDR the lower half. */
  #findOpenPort(holder: PortHolder): number {
    const [low, last] = this.#range(holder);
    const high = last + 1;
    if (!holder.reuse || high - low < 4) return this.#scan(holder, low, high);
    const half = low + (((high - low) >> 2) << 1);
    return this.#scan(holder, low, half) || this.#scan(holder, half, high);
  }

  /** inet_sk_get_local_port_range: the holder's own wishes, within the sysctl's range. */
  #range(holder: PortHolder): readonly number[] {
    const range = this.#host.sysctl.ipLocalPortRange;
    const extras = holder.extras;
    if (extras === undefined || extras === null || (extras.portLow | extras.portHigh) === 0) return range;
    const [low, high] = range;
    const from = extras.portLow >= low && extras.portLow <= high ? extras.portLow : low;
    const to = extras.portHigh >= low && extras.portHigh <= high ? extras.portHigh : high;
    return [from, to];
  }

  #scan(holder: PortHolder, low: number, high: number): number {
    const range = evened(high - low);
    const offset = below(this.#host.random, range) | 1;
    for (let parity = 0; parity < 2; parity++) {
      for (let step = 0; step < range; step += 2) {
        const port = low + ((offset - parity + step) % range);
        const bucket = this.#buckets.get(port);
        if (bucket === undefined || !conflict(bucket, holder, false)) return port;
      }
    }
    return 0;
  }

  #refused(bucket: PortBucket, holder: PortHolder): boolean {
    if (bucket.fastReuse > 0 && mayShare(holder)) return false;
    if (reusePortMatch(bucket, holder)) return false;
    return conflict(bucket, holder, true);
  }

  #claim(holder: PortHolder, bucket: PortBucket): void {
    updateFastReuse(bucket, holder);
    this.#join(holder, bucket);
  }

  #join(holder: PortHolder, bucket: PortBucket): void {
    holder.bindBucket = bucket;
    holder.bindPrev = bucket.last;
    if (bucket.last === null) bucket.first = holder;
    else bucket.last.bindNext = holder;
    bucket.last = holder;
  }

  #create(port: number): PortBucket {
    const bucket = new PortBucket(port);
    this.#buckets.set(port, bucket);
    return bucket;
  }
}

/** Ports are tried two by two, so an odd one out at the end of the range is left alone, as in the kernel. */
function evened(range: number): number {
  return range > 1 ? range & ~1 : range;
}

function onlyConnects(bucket: PortBucket): boolean {
  return bucket.fastReuse < 0 && bucket.fastReusePort < 0;
}

function mayShare(holder: PortHolder): boolean {
  return holder.reuse && holder.state !== TCP_LISTEN;
}

/**
 * inet_csk_bind_conflict. An ephemeral port (`named` false) is never shared, whatever the flags say;
 * a named one is where both allow it.
 */
function conflict(bucket: PortBucket, holder: PortHolder, named: boolean): boolean {
  for (let other = bucket.first; other !== null; other = other.bindNext) {
    if (other === holder || !overlap(holder, other)) continue;
    if (!named) return true;
    if (holder.reuse && other.reuse && other.state !== TCP_LISTEN) continue;
    const sameUser = other.state === TCP_TIME_WAIT || other.uid === holder.uid;
    if (!holder.reusePort || !other.reusePort || !sameUser) return true;
  }
  return false;
}

function overlap(a: PortHolder, b: PortHolder): boolean {
  if (a.boundDevice !== 0 && b.boundDevice !== 0 && a.boundDevice !== b.boundDevice) return false;
  return a.laddr.isAny || b.laddr.isAny || a.laddr.equals(b.laddr);
}

/** sk_reuseport_match */
function reusePortMatch(bucket: PortBucket, holder: PortHolder): boolean {
  if (bucket.fastReusePort <= 0 || !holder.reusePort || bucket.fastUid !== holder.uid) return false;
  if (bucket.fastReusePort === FOR_ANY || bucket.fastAddress === null) return true;
  return bucket.fastAddress.isAny || holder.laddr.equals(bucket.fastAddress);
}

/** inet_csk_update_fastreuse: what lets the next bind skip the walk over everyone who holds the port. */
function updateFastReuse(bucket: PortBucket, holder: PortHolder): void {
  const empty = bucket.first === null;
  if (empty) bucket.fastReuse = mayShare(holder) ? 1 : 0;
  else if (!mayShare(holder)) bucket.fastReuse = 0;
  if (!holder.reusePort) {
    bucket.fastReusePort = NEVER;
  } else if (empty || !reusePortMatch(bucket, holder)) {
    bucket.fastReusePort = empty ? FOR_ANY : FOR_ADDRESS;
    bucket.fastUid = holder.uid;
    bucket.fastAddress = holder.laddr;
  }
}

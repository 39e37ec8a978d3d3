// Puts fragmented datagrams together (ip_fragment.c). Each datagram under way has one large chunk of packet memory, to which
// its fragments are copied in place, and a bitmap of the 8-byte units that have come. Memory, time and overlap are bounded.

import type { Host } from '../core/host.js';
import { IpExt, Ip as IpMib } from '../core/mib.js';
import { dropped } from '../core/trace.js';
import { RX_L4_BAD, RX_L4_NONE, RX_L4_OK } from '../link/link.js';
import { CHUNK_LARGE } from '../memory/packet-memory.js';
import { ETH_HLEN } from '../packet/ethernet.js';
import { fillIpv4 } from '../packet/frame-checksum.js';
import { ICMP_EXC_FRAGTIME, ICMP_TIME_EXCEEDED } from '../packet/icmp.js';
import {
  INET_ECN_CE,
  INET_ECN_MASK,
  IP_FRAGMENT,
  IP_ID,
  IP_MAX_HLEN,
  IP_MAX_LENGTH,
  IP_MF,
  IP_OFFSET_MASK,
  IP_PROTOCOL,
  IP_TOTAL_LENGTH,
  IP_TTL_FIELD,
} from '../packet/ipv4.js';
import { Timer } from '../time/timer-wheel.js';
import type { IcmpSender } from './protocol.js';
import type { RxPacket } from './rx-packet.js';

/** Layout of a datagram's chunk: headers end and data begins at DATA; behind 64 KiB of data stands the bitmap. */
const DATA = 128;
const BITMAP = DATA + 65536;
const BITMAP_WORDS = 65536 / 8 / 32;

/** A sender with datagrams under way (inet_peer's rid). */
interface Sender {
  /** Fragments of his so far. */
  rid: number;
  datagrams: number;
}

/** One datagram under way (struct ipq). */
class Datagram extends Timer {
  readonly owner: Reassembler;
  readonly key: string;
  readonly chunk: number;
  readonly src: number;
  readonly sender: Sender;
  /** `sender.rid` when the last fragment of this one came. */
  rid = 0;
  readonly dst: number;
  readonly device: number;
  /** Bytes that have come, and the whole length; -1 until the last fragment tells. */
  have = 0;
  length = -1;
  /** Highest byte seen. */
  end = 0;
  /** Header length of the first fragment; 0 until it has come. */
  headerLength = 0;
  firstLength = 0;
  tos = 0;
  /** Which ECN codepoints were seen, one bit each. */
  ecn = 0;
  loopback = false;
  broadcast = false;

  constructor(owner: Reassembler, key: string, chunk: number, sender: Sender, packet: RxPacket) {
    super();
    this.sender = sender;
    this.owner = owner;
    this.key = key;
    this.chunk = chunk;
    this.src = packet.src.a;
    this.dst = packet.dst.a;
    this.device = packet.device;
    this.loopback = packet.loopback;
  }

  /** ip_frag_reinit: what came before belongs to another datagram. */
  reset(): void {
    this.have = 0;
    this.length = -1;
    this.end = 0;
    this.headerLength = 0;
    this.firstLength = 0;
    this.tos = 0;
    this.ecn = 0;
  }

  override expire(): void {
    this.owner.expired(this);
  }
}

export class Reassembler {
  readonly host: Host;
  icmp: IcmpSender | null = null;
  readonly #packet: RxPacket;
  /** Oldest first. */
  readonly #datagrams = new Map<string, Datagram>();
  /** Those who have datagrams under way, by address. */
  readonly #senders = new Map<number, Sender>();
  #delivered: Datagram | null = null;

  constructor(host: Host, packet: RxPacket) {
    this.host = host;
    this.#packet = packet;
  }

  /** Datagrams under way. */
  get size(): number {
    return this.#datagrams.size;
  }

  /** ip_defrag: takes a fragment in. True when it was the last one missing: `packet` is then the whole datagram. */
  add(packet: RxPacket): boolean {
    const mib = this.host.mib;
    mib.count(IpMib.ReasmReqds);
    const offset = (packet.fragment & IP_OFFSET_MASK) << 3;
    const more = (packet.fragment & IP_MF) !== 0;
    // Only the last fragment may end within a unit of 8 bytes; the excess of another is cut off (ip_frag_queue).
    const length = more ? packet.length & ~7 : packet.length;
    const end = offset + length;
    if (length === 0 || end + (packet.transport - packet.network) > IP_MAX_LENGTH) {
      dropped(this.host, 'NOT_SPECIFIED');
      mib.count(IpMib.ReasmFails);
      return false;
    }
    const datagram = this.#find(packet);
    if (datagram === null) {
      dropped(this.host, 'NOMEM');
      mib.count(IpMib.ReasmFails);
      return false;
    }
    this.#passTime(datagram);
    if (more ? datagram.length >= 0 && end > datagram.length : this.#contradictsEnd(datagram, end)) {
      return this.#discard(datagram);
    }
    const units = this.#mark(datagram, offset >> 3, (end + 7) >> 3);
    if (units < 0) {
      mib.count(IpExt.ReasmOverlaps);
      return this.#discard(datagram);
    }
    if (units === 0) {
      dropped(this.host, 'DUP_FRAG');
      return false;
    }
    if (!more) datagram.length = end;
    this.#store(datagram, packet, offset, length);
    return datagram.length >= 0 && datagram.have === datagram.length && this.#complete(datagram, packet);
  }

  /** The datagram that `add` completed has been delivered: its memory goes back. */
  release(): void {
    if (this.#delivered !== null) this.host.memory.free(this.#delivered.chunk);
    this.#delivered = null;
  }

  /** Gives up every datagram under way. */
  clear(): void {
    for (const datagram of [...this.#datagrams.values()]) this.#remove(datagram);
  }

  /** ip_expire: the sender is told, if at least the first fragment came (RFC 792). */
  expired(datagram: Datagram): void {
    const mib = this.host.mib;
    dropped(this.host, 'FRAG_REASM_TIMEOUT');
    mib.count(IpMib.ReasmTimeout);
    mib.count(IpMib.ReasmFails);
    if (datagram.headerLength !== 0 && this.icmp !== null) {
      this.#describe(datagram, datagram.firstLength);
      this.icmp.send(this.#packet, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
    }
    this.#remove(datagram);
  }

  /**
   * ip_frag_too_far: identifications come round. If the sender has sent more than ipfrag_max_dist fragments of other datagrams
   * since the last one of this, what is here is of an older datagram by the same number.
   */
  #passTime(datagram: Datagram): void {
    const most = this.host.sysctl.ipfragMaxDist;
    const rid = ++datagram.sender.rid;
    if (most !== 0 && datagram.have > 0 && rid - datagram.rid > most) {
      dropped(this.host, 'FRAG_TOO_FAR');
      this.host.mib.count(IpMib.ReasmFails);
      datagram.reset();
      this.#clearBitmap(datagram.chunk);
      this.host.wheel.arm(datagram, this.host.sysctl.ipfragTime * 1000);
    }
    datagram.rid = rid;
  }

  #clearBitmap(chunk: number): void {
    const bitmap = (this.host.memory.offsetOf(chunk) + BITMAP) >> 2;
    this.host.memory.words.fill(0, bitmap, bitmap + BITMAP_WORDS);
  }

  /** Who has to give way to a new datagram from `src`: the oldest, of his own if he has his share already. */
  #victim(src: number): Datagram | undefined {
    const own = this.#senders.get(src);
    if (own !== undefined && own.datagrams * this.#senders.size >= this.#datagrams.size) {
      for (const datagram of this.#datagrams.values()) if (datagram.src === src) return datagram;
    }
    return this.#datagrams.values().next().value;
  }

  #find(packet: RxPacket): Datagram | null {
    const memory = this.host.memory;
    const id = memory.view.getUint16(packet.network + IP_ID);
    const key = `${packet.src.a} ${packet.dst.a} ${id} ${packet.protocol} ${packet.device}`;
    const known = this.#datagrams.get(key);
    if (known !== undefined) return known;
    // Above the threshold another gives way: who floods us with first halves loses his own.
    while ((this.#datagrams.size + 1) * CHUNK_LARGE > this.host.sysctl.ipfragHighThresh) {
      const victim = this.#victim(packet.src.a);
      if (victim === undefined) return null;
      dropped(this.host, 'NOMEM');
      this.host.mib.count(IpMib.ReasmFails);
      this.#remove(victim);
    }
    const chunk = memory.alloc(CHUNK_LARGE);
    if (chunk === 0) return null;
    this.#clearBitmap(chunk);
    let sender = this.#senders.get(packet.src.a);
    if (sender === undefined) {
      sender = { rid: 0, datagrams: 0 };
      this.#senders.set(packet.src.a, sender);
    }
    sender.datagrams++;
    const datagram = new Datagram(this, key, chunk, sender, packet);
    this.#datagrams.set(key, datagram);
    this.host.wheel.arm(datagram, this.host.sysctl.ipfragTime * 1000);
    return datagram;
  }

  #contradictsEnd(datagram: Datagram, end: number): boolean {
    return datagram.length >= 0 ? end !== datagram.length : end < datagram.end;
  }

  /** Marks units [from, to) as come: how many, 0 if all had come already (a duplicate), -1 if some had (an overlap). */
  #mark(datagram: Datagram, from: number, to: number): number {
    const words = this.host.memory.words;
    const bitmap = (this.host.memory.offsetOf(datagram.chunk) + BITMAP) >> 2;
    let seen = 0;
    for (let unit = from; unit < to; unit++) seen += (words[bitmap + (unit >> 5)] >>> (unit & 31)) & 1;
    if (seen !== 0) return seen === to - from ? 0 : -1;
    for (let unit = from; unit < to; unit++) words[bitmap + (unit >> 5)] |= 1 << (unit & 31);
    return to - from;
  }

  #store(datagram: Datagram, packet: RxPacket, offset: number, length: number): void {
    const bytes = this.host.memory.bytes;
    const base = this.host.memory.offsetOf(datagram.chunk);
    bytes.copyWithin(base + DATA + offset, packet.transport, packet.transport + length);
    datagram.have += length;
    if (offset + length > datagram.end) datagram.end = offset + length;
    datagram.ecn |= 1 << (packet.tos & INET_ECN_MASK);
    datagram.broadcast = datagram.broadcast || packet.broadcast;
    if (offset !== 0) return;
    // The datagram gets the first fragment's header, options included (RFC 791 section 3.2).
    datagram.headerLength = (packet.transport - packet.network) | 0;
    datagram.firstLength = length;
    datagram.tos = packet.tos;
    bytes.copyWithin(
      base + DATA - datagram.headerLength - ETH_HLEN,
      packet.network - ETH_HLEN,
      packet.transport,
    );
  }

  #complete(datagram: Datagram, packet: RxPacket): boolean {
    // RFC 3168 section 5.3: one fragment with CE marks the whole; CE and Not-ECT do not go together.
    const congested = (datagram.ecn & (1 << INET_ECN_CE)) !== 0;
    if (datagram.headerLength + datagram.length > IP_MAX_LENGTH || (congested && (datagram.ecn & 1) !== 0)) {
      return this.#discard(datagram);
    }
    this.#forget(datagram);
    this.#delivered = datagram;
    this.#describe(datagram, datagram.length);
    // The header is rewritten for the whole datagram, since errors about it quote it (ip_frag_reasm).
    const { view } = this.host.memory;
    view.setUint16(packet.network + IP_TOTAL_LENGTH, packet.networkLength);
    view.setUint16(packet.network + IP_FRAGMENT, 0);
    fillIpv4(view, packet.network);
    if (congested) packet.tos |= INET_ECN_CE;
    packet.gsoSize = 0;
    packet.flags = (packet.flags & ~(RX_L4_OK | RX_L4_BAD)) | RX_L4_NONE;
    this.host.mib.count(IpMib.ReasmOKs);
    return true;
  }

  /** Lets the stack's packet be this datagram, or as much of it as is there. */
  #describe(datagram: Datagram, length: number): void {
    const memory = this.host.memory;
    const packet = this.#packet;
    const transport = (memory.offsetOf(datagram.chunk) + DATA) | 0;
    const network = (transport - datagram.headerLength) | 0;
    const total = datagram.headerLength + length;
    packet.frame = (network - ETH_HLEN) | 0;
    packet.frameLength = total + ETH_HLEN;
    packet.network = network;
    packet.networkLength = total;
    packet.transport = transport;
    packet.length = length;
    packet.protocol = memory.view.getUint8(network + IP_PROTOCOL);
    packet.ttl = memory.view.getUint8(network + IP_TTL_FIELD);
    packet.tos = datagram.tos;
    packet.fragment = 0;
    packet.device = datagram.device;
    packet.loopback = datagram.loopback;
    packet.broadcast = datagram.broadcast;
    packet.src.a = datagram.src;
    packet.dst.a = datagram.dst;
  }

  #discard(datagram: Datagram): false {
    dropped(this.host, 'NOT_SPECIFIED');
    this.host.mib.count(IpMib.ReasmFails);
    this.#remove(datagram);
    return false;
  }

  #forget(datagram: Datagram): void {
    this.host.wheel.cancel(datagram);
    this.#datagrams.delete(datagram.key);
    if (--datagram.sender.datagrams === 0) this.#senders.delete(datagram.src);
  }

  #remove(datagram: Datagram): void {
    this.#forget(datagram);
    this.host.memory.free(datagram.chunk);
  }
}

/** The first fragment's headers fit before the data. */
if (IP_MAX_HLEN + ETH_HLEN > DATA || BITMAP + BITMAP_WORDS * 4 > CHUNK_LARGE) {
  throw new RangeError('the layout of a reassembly chunk does not fit');
}

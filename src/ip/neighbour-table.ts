// The neighbours of one interface, and the frames that wait until a neighbour's Ethernet address is known (arp_queue).
// A waiting frame lies in a chunk of packet memory with its descriptor in front, so that it can be sent by reference.

import type { DropReason } from '../core/drop-reason.js';
import type { Host } from '../core/host.js';
import { Arp as ArpMib, LinkMib } from '../core/mib.js';
import { dropped } from '../core/trace.js';
import { TX_PIECE } from '../link/tx-ring.js';
import { ETH_DST, writeMac } from '../packet/ethernet.js';
import type { Arp } from './arp.js';
import type { NetDevice } from './device.js';
import { Neighbour, NUD_FAILED, NUD_PROBE, NUD_STALE } from './neighbour.js';

/** Before a waiting frame: header length, and the descriptor's checksum start, checksum offset, GSO size and flags. */
const META = 32;
/** Waiting frames of all neighbours together may hold this part of packet memory. */
const WAITING_SHARE = 16;
/** neigh_forced_gc spares entries that changed, and so were of use, in the last five seconds. */
const GC_SPARE_MS = 5000;

/** Hears of frames that will never be sent because the neighbour does not answer (dst_link_failure). */
export interface UnreachableListener {
  /** `frame`: Ethernet header of the frame in packet memory, `length` bytes. */
  neighbourUnreachable(frame: number, length: number): void;
}

export class NeighbourTable {
  readonly host: Host;
  readonly device: NetDevice;
  readonly #arp: Arp;
  readonly #listener: UnreachableListener;
  readonly #entries = new Map<number, Neighbour>();
  #waitingBytes = 0;

  constructor(host: Host, device: NetDevice, arp: Arp, listener: UnreachableListener) {
    this.host = host;
    this.device = device;
    this.#arp = arp;
    this.#listener = listener;
  }

  get size(): number {
    return this.#entries.size;
  }

  lookup(address: number): Neighbour | null {
    return this.#entries.get(address) ?? null;
  }

  /** __neigh_create; null when the table is full of neighbours that cannot be spared. */
  lookupOrCreate(address: number): Neighbour | null {
    const known = this.#entries.get(address);
    if (known !== undefined) return known;
    if (this.#entries.size >= this.host.sysctl.neighGcThresh3 && !this.#collect()) {
      this.host.mib.count(ArpMib.TableFulls);
      return null;
    }
    const neighbour = new Neighbour(this, address);
    this.#entries.set(address, neighbour);
    return neighbour;
  }

  /** All entries, for listings. */
  entries(): IterableIterator<Neighbour> {
    return this.#entries.values();
  }

  /** Forgets an entry and what waits for it. */
  remove(neighbour: Neighbour): void {
    this.host.wheel.cancel(neighbour);
    this.#purge(neighbour);
    neighbour.dead = true;
    this.#entries.delete(neighbour.address);
  }

  /** neigh_forced_gc: entries nobody needs now go first, then merely stale ones. */
  #collect(): boolean {
    const now = this.host.nowMs;
    const before = this.#entries.size;
    for (const neighbour of this.#entries.values()) {
      const rested =
        ((now - neighbour.updated) | 0) > GC_SPARE_MS && ((now - neighbour.used) | 0) > GC_SPARE_MS;
      if (neighbour.state === NUD_FAILED || (neighbour.state === NUD_STALE && rested)) this.remove(neighbour);
    }
    if (this.#entries.size < before) return true;
    for (const neighbour of this.#entries.values()) {
      if (neighbour.state === NUD_STALE) {
        this.remove(neighbour);
        return true;
      }
    }
    return false;
  }

  /** Asks for a neighbour's address: everybody, or in PROBE only the one we believe has it (arp_solicit). */
  solicit(neighbour: Neighbour): void {
    if (neighbour.state === NUD_PROBE) {
      this.#arp.request(this.device, neighbour.address, neighbour.macHigh, neighbour.macLow);
    } else {
      this.#arp.request(this.device, neighbour.address, 0xffff, -1);
    }
  }

  /** Copies the claimed, not yet committed frame of the device's ring to the end of the queue; what finds no room is dropped and counted. */
  enqueue(
    neighbour: Neighbour,
    headerLength: number,
    payloadLength: number,
    csumStart: number,
    csumOffset: number,
    gsoSize: number,
    flags: number,
  ): void {
    const memory = this.host.memory;
    const limit = this.host.sysctl.neighUnresQlen;
    if (limit === 0) {
      this.#drop('NEIGH_QUEUEFULL');
      return;
    }
    while (neighbour.queueLength >= limit) {
      this.#shift(neighbour);
      this.#drop('NEIGH_QUEUEFULL');
    }
    const crowded = this.#waitingBytes > memory.capacity / WAITING_SHARE;
    const chunk = crowded ? 0 : memory.alloc(META + headerLength + payloadLength);
    if (chunk === 0) {
      this.#drop(crowded ? 'NEIGH_QUEUEFULL' : 'NOMEM');
      return;
    }
    this.#waitingBytes += memory.sizeOf(chunk);
    const meta = memory.start[chunk];
    const view = memory.view;
    view.setInt32(meta, headerLength);
    view.setInt32(meta + 4, csumStart);
    view.setInt32(meta + 8, csumOffset);
    view.setInt32(meta + 12, gsoSize);
    view.setInt32(meta + 16, flags);
    const frame = meta + META;
    memory.bytes.copyWithin(frame, this.device.frame, this.device.frame + headerLength);
    let at = (frame + headerLength) | 0;
    let word = this.device.tx.claimed + TX_PIECE;
    for (let left = payloadLength; left > 0; word += 2) {
      const offset = memory.words[word];
      const length = memory.words[word + 1];
      memory.bytes.copyWithin(at, offset, offset + length);
      at = (at + length) | 0;
      left -= length;
    }
    memory.start[chunk] = frame;
    memory.end[chunk] = at;
    if (neighbour.queueTail === 0) neighbour.queueHead = chunk;
    else memory.next[neighbour.queueTail] = chunk;
    neighbour.queueTail = chunk;
    neighbour.queueLength++;
  }

  /** The address is known: everything that waited goes out, in order. */
  sendQueued(neighbour: Neighbour): void {
    const memory = this.host.memory;
    const tx = this.device.tx;
    if (neighbour.queueHead !== 0) neighbour.readyToSend();
    while (neighbour.queueHead !== 0) {
      const chunk = neighbour.queueHead;
      const waiting = memory.start[chunk];
      const length = (memory.end[chunk] - waiting) | 0;
      const meta = (waiting - META) | 0;
      const headerLength = memory.view.getInt32(meta);
      const frame = tx.claim();
      if (frame < 0) {
        this.#drop('FULL_RING');
      } else {
        memory.bytes.copyWithin(frame, waiting, waiting + headerLength);
        writeMac(memory.view, frame + ETH_DST, neighbour.macHigh, neighbour.macLow);
        this.host.mib.count(LinkMib.TxFrames);
        this.host.mib.add(LinkMib.TxBytes, length);
        if (length > headerLength) tx.piece(waiting + headerLength, length - headerLength);
        const view = memory.view;
        tx.commit(
          frame,
          headerLength,
          view.getInt32(meta + 4),
          view.getInt32(meta + 8),
          view.getInt32(meta + 12),
          view.getInt32(meta + 16),
        );
      }
      this.#shift(neighbour);
    }
    neighbour.gone();
  }

  /** Nobody answered: what waited is reported to its senders as unreachable and dropped (neigh_invalidate). */
  failed(neighbour: Neighbour): void {
    this.host.mib.count(ArpMib.ResolveFails);
    const memory = this.host.memory;
    // Detached first: a sender that hears of the failure may try again at once, which starts a new queue.
    let chunk = neighbour.queueHead;
    neighbour.queueHead = 0;
    neighbour.queueTail = 0;
    neighbour.queueLength = 0;
    while (chunk !== 0) {
      dropped(this.host, 'NEIGH_FAILED');
      const next = memory.next[chunk];
      this.#listener.neighbourUnreachable(memory.start[chunk], (memory.end[chunk] - memory.start[chunk]) | 0);
      this.#waitingBytes -= memory.sizeOf(chunk);
      memory.free(chunk);
      chunk = next;
    }
    neighbour.gone();
  }

  /** Stops every timer and frees every waiting frame. */
  clear(): void {
    for (const neighbour of this.#entries.values()) this.remove(neighbour);
  }

  #shift(neighbour: Neighbour): void {
    const memory = this.host.memory;
    const chunk = neighbour.queueHead;
    neighbour.queueHead = memory.next[chunk];
    if (neighbour.queueHead === 0) neighbour.queueTail = 0;
    neighbour.queueLength--;
    this.#waitingBytes -= memory.sizeOf(chunk);
    memory.free(chunk);
  }

  #purge(neighbour: Neighbour): void {
    while (neighbour.queueHead !== 0) this.#shift(neighbour);
  }

  #drop(reason: DropReason): void {
    dropped(this.host, reason);
    this.host.mib.count(ArpMib.QueueDrops);
  }
}

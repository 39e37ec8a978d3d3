// Two stacks joined by a cable that costs nothing: frames go from one's transmit ring straight into the other's receive arena, no
// object is made for any, and time moves only when told. What is then counted is the stacks' own doing.

import { Stack } from 'tapstack';
import { LINK_F_CSUM, LINK_F_TSO4, RX_GSO_TCP4, RX_L4_OK, RX_WORDS } from '../../dist/link/link.js';
import {
  TX_FLAGS,
  TX_GSO_SIZE,
  TX_GSO_TCP4,
  TX_HEADER_LENGTH,
  TX_HEADER_OFFSET,
  TX_PIECE,
  TX_PIECES,
  TxRing,
} from '../../dist/link/tx-ring.js';

const SLOTS = 1024;
const BATCH = 256;
const ARENA = 2 << 20;

/** Taken before anybody counts: the cable's own copies are not the stacks'. */
const set = Function.prototype.call.bind(Uint8Array.prototype.set);
const subarray = Function.prototype.call.bind(Uint8Array.prototype.subarray);

/** Time for two stacks; one alarm each. */
class StillClock {
  epoch = 0;
  #now = 0;
  #alarms = [];
  #due = [];

  now() {
    return this.#now;
  }

  setAlarm(alarm, at) {
    let place = this.#alarms.indexOf(alarm);
    if (place < 0) place = this.#alarms.push(alarm) - 1;
    this.#due[place] = at | 0;
  }

  cancelAlarm(alarm) {
    const place = this.#alarms.indexOf(alarm);
    if (place >= 0) this.#due[place] = -1;
  }

  hold() {}
  release() {}

  advance(us) {
    this.#now = (this.#now + us) | 0;
    for (let i = 0; i < this.#due.length; i++) {
      if (this.#due[i] < 0 || this.#due[i] > this.#now) continue;
      this.#due[i] = -1;
      this.#alarms[i].onAlarm();
    }
  }
}

class CableEnd {
  mtu = 1500;
  /** Sent by this end so far. */
  frames = 0;
  #words = null;
  #memory = null;
  #arena = 0;
  #descriptors = new Int32Array(BATCH * RX_WORDS);
  #count = 0;
  #fill = 0;
  #flushWanted = false;

  constructor(name, station, tso) {
    this.name = name;
    this.mac = Uint8Array.of(2, 0, 0, 0, 0, station);
    this.features = tso ? LINK_F_CSUM | LINK_F_TSO4 : LINK_F_CSUM;
  }

  attach(receiver, memory) {
    this.receiver = receiver;
    this.#memory = memory;
    this.#words = memory.words;
    this.#arena = memory.region(ARENA, 4096);
    this.#fill = this.#arena;
    this.tx = new TxRing(memory, SLOTS);
  }

  requestFlush() {
    this.#flushWanted = true;
  }

  flush() {}

  async close() {}

  /** Moves what is in the ring to the peer's arena. */
  carry(peer) {
    for (let at = this.tx.front(); at >= 0 && peer.#count < BATCH; at = this.tx.front()) {
      const words = this.#words;
      peer.#begin();
      peer.#append(this.#memory.bytes, words[at + TX_HEADER_OFFSET], words[at + TX_HEADER_LENGTH]);
      for (let i = 0; i < TX_PIECES; i++)
        peer.#append(this.#memory.bytes, words[at + TX_PIECE + i * 2], words[at + TX_PIECE + i * 2 + 1]);
      const gso = (words[at + TX_FLAGS] & TX_GSO_TCP4) !== 0;
      peer.#end(gso ? RX_L4_OK | RX_GSO_TCP4 : RX_L4_OK, gso ? words[at + TX_GSO_SIZE] : 0);
      this.tx.shift();
      this.frames++;
    }
  }

  #begin() {
    this.#descriptors[this.#count * RX_WORDS] = this.#fill;
  }

  #append(bytes, from, length) {
    if (length <= 128) for (let i = 0; i < length; i++) this.#memory.bytes[this.#fill + i] = bytes[from + i];
    else set(this.#memory.bytes, subarray(bytes, from, from + length), this.#fill);
    this.#fill += length;
  }

  #end(flags, gsoSize) {
    const at = this.#count++ * RX_WORDS;
    this.#descriptors[at + 1] = this.#fill - this.#descriptors[at];
    this.#descriptors[at + 2] = flags;
    this.#descriptors[at + 3] = gsoSize;
    this.#fill = (this.#fill + 15) & ~15;
  }

  /** Hands what has arrived to the stack. */
  deliver() {
    const count = this.#count;
    this.#count = 0;
    this.#fill = this.#arena;
    if (count > 0) this.receiver.receiveBatch(this, this.#descriptors, count);
  }

  flushDeferred() {
    if (!this.#flushWanted) return;
    this.#flushWanted = false;
    this.receiver.flushDeferred();
  }
}

/** Two stacks, 10.0.0.1 and 10.0.0.2, and the means to let frames pass. */
export function joinedStacks({ tso }) {
  const clock = new StillClock();
  const [a, b] = [new CableEnd('a', 1, tso), new CableEnd('b', 2, tso)];
  const stack = (link, address, seed) => new Stack({ link, address, clock, seed, memory: 16 << 20 });
  const client = stack(a, '10.0.0.1/24', 1);
  const server = stack(b, '10.0.0.2/24', 2);
  return {
    client,
    server,
    frames: () => a.frames + b.frames,
    /** Half a turn each way, ten microseconds apart, as a NIC does it: batch, microtasks, what was put off, transmit. */
    async turn() {
      a.flushDeferred();
      a.carry(b);
      clock.advance(10);
      b.deliver();
      await null;
      await null;
      await null;
      b.flushDeferred();
      b.carry(a);
      clock.advance(10);
      a.deliver();
      await null;
    },
  };
}

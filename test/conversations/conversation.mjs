// Makes a conversation from a seed: what a peer sends to a socket, segment by segment, and what the program does with the socket
// meanwhile. Numbers count from the first byte of each side, so that the same steps can be played to the kernel and to the stack.
//
// A step is { segment }, { call: [name, ...] } or {} (time passes), and takes `ms`. Chosen so that few timers fall on the border
// of two steps: answers to what was written come after 7 ms, everything else after 25, which is neither 40 (the delayed ACK) nor
// 200 (the least timeout) nor twice a round trip.

import { below } from './below.mjs';
import { dice } from './dice.mjs';
import { ending } from './ending.mjs';
import { fastopen } from './fastopen.mjs';
import { keeping } from './keeping.mjs';
import { listening } from './listening.mjs';
import { neighbours } from './neighbours.mjs';
import { opening } from './opening.mjs';
import { telling } from './telling.mjs';
import { closing, mixed, receiving, sending, wild } from './themes.mjs';

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
/** How a theme goes on by one move; some have a way to begin, instead of the handshake (`open`), and settings of their own. */
const THEMES = {
  receiving: { move: receiving, weight: 2 },
  sending: { move: sending, weight: 3 },
  closing: { move: closing, weight: 1 },
  wild: { move: wild, weight: 1 },
  mixed: { move: mixed, weight: 2 },
  opening: { ...opening, weight: 2 },
  listening: { ...listening, weight: 2 },
  ending: { ...ending, weight: 2 },
  keeping: { ...keeping, weight: 3 },
  below: { ...below, weight: 2 },
  telling: { ...telling, weight: 2 },
  fastopen: { ...fastopen, weight: 2 },
  neighbours: { ...neighbours, weight: 2 },
};

export class Conversation {
  steps = [];
  /** Next byte of the peer's, and how far it has acknowledged ours. */
  sent = 0;
  acked = 0;
  /** Bytes that the program has written, and a FIN. */
  written = 0;
  finished = false;
  /** Ends of what lies behind holes. */
  holes = [];
  #clock;

  /** Tunables below net.ipv4, and the listener's backlog. */
  sysctl = {};
  backlog = 8;
  /** The peer is to be asked for its Ethernet address. */
  arp = false;
  /** The descriptor that is looked at besides the first. */
  watched = 0;

  constructor(seed, theme) {
    this.seed = seed;
    this.dice = dice(seed);
    const { chance, pick, below, weighted } = this.dice;
    this.role = chance(0.7) ? 'server' : 'client';
    this.stamps = chance(0.5);
    this.sackOk = chance(0.75);
    this.scale = chance(0.8) ? pick([0, 2, 7, 14]) : null;
    this.mss = pick([1460, 1000, 536, 1460]);
    /** Payload of a full segment of ours. */
    this.full = this.mss - (this.stamps ? 12 : 0);
    this.theme = theme ?? weighted(Object.entries(THEMES).map(([name, { weight }]) => [weight, name]));
    const { move, open, settings, role } = THEMES[this.theme];
    if (role !== undefined) this.role = role;
    this.options = this.#socketOptions();
    this.isn = pick([1000, 0xfffffff0, 0x7ffffff0, below(1 << 30)]);
    this.#clock = 1000 + below(1000);
    this.opening = pick([65535, 65535, 30000, 5840, this.mss * 3]);
    this.window = this.opening;
    settings?.(this);
    if (open === undefined) this.#open();
    else open(this);
    const moves = 4 + below(this.theme === 'sending' ? 22 : 18);
    for (let i = 0; i < moves; i++) {
      move(this);
      const on = chance(0.5) ? this.watched : 0;
      if (chance(0.25)) this.callOn(on, 'poll');
      if (chance(0.3)) this.callOn(on, 'info');
    }
    this.call('poll');
    this.call('info');
    // A neighbour who does not answer is another difference in what is counted (differences.md).
    if (!this.arp) this.call('counters');
  }

  /** [level, name, value] of what is set before anything else. */
  #socketOptions() {
    const { chance, pick } = this.dice;
    // A send buffer that does not grow: how large it would have become depends on the machine.
    const options = [[SOL_SOCKET, 7, 100_000]];
    if (chance(0.4)) options.push([IPPROTO_TCP, 1, 1]); // TCP_NODELAY
    if (chance(0.1)) options.push([SOL_SOCKET, 10, 1]); // SO_OOBINLINE
    if (chance(0.1)) options.push([SOL_SOCKET, 8, pick([4096, 16384, 65536])]); // SO_RCVBUF
    if (chance(0.08)) options.push([IPPROTO_TCP, 8, pick([1, 3])]); // TCP_LINGER2
    if (chance(0.05)) options.push([IPPROTO_TCP, 9, pick([1, 3])]); // TCP_DEFER_ACCEPT
    if (chance(0.05)) options.push([IPPROTO_TCP, 18, pick([100, 500])]); // TCP_USER_TIMEOUT
    return options;
  }

  get syn() {
    const scale = this.scale === null ? {} : { scale: this.scale };
    return { mss: this.mss, sackOk: this.sackOk, ...scale, window: this.opening };
  }

  #open() {
    const { chance } = this.dice;
    const odd = this.theme === 'wild' && chance(0.35);
    const scaled = this.scale === null ? this.opening : Math.max(1, this.opening >> this.scale);
    if (this.role === 'server') {
      this.segment('S', this.syn, 7);
      if (odd) this.#oddly();
      this.window = scaled;
      if (chance(0.1)) this.data('P.', 100);
      else this.segment('.');
      this.call('accept');
    } else {
      this.call('connect');
      if (odd) this.#oddly();
      this.segment('S.', { ...this.syn, ack: 0 });
      this.window = scaled;
    }
  }

  /** Something that has no place in a handshake. */
  #oddly() {
    this.dice.pick([
      () => this.segment('S', this.syn),
      () => this.segment('.', { ack: 5 }),
      () => this.segment('R', { seq: 0 }),
      () => this.segment('R', { seq: 100 }),
      () => this.segment('R.', { ack: 7 }),
      () => this.segment('S', { ...this.syn, late: -50 }),
      () => this.wait(1200),
    ])();
  }

  /**
   * `more` may say seq, ack, length, window, sack, urgent, options, words (of the header), spoilt (the checksum), rebase (a step of the
   * peer's initial sequence number), cookie (of Fast Open: kind and value, 'got' for the last one of ours, 'bad' for one like it), ip (packets.mjs), peer (which one, 0 unless it says), stamp (a number, or null for none) and late
   * (its clock's step).
   */
  segment(flags, more = {}, ms = 25) {
    const { stamp, late, peer, ...rest } = more;
    this.#clock += late ?? ms;
    const segment = { flags, seq: this.sent, ack: this.acked, window: this.window, ...rest };
    if (this.stamps && stamp !== null) segment.stamp = stamp ?? this.#clock;
    this.steps.push({ segment, ms, ...(peer ? { peer } : {}) });
  }

  /** An ICMP message: type, code, rest, and quote (of a segment of ours: seq) or length. */
  icmp(icmp, ms = 25) {
    this.steps.push({ icmp, ms });
  }

  get clock() {
    return this.#clock;
  }

  /** The next `length` bytes of the peer's. */
  data(flags, length, more = {}, ms = 25) {
    this.segment(flags, { length, ...more }, ms);
    this.sent += length;
  }

  call(name, ...more) {
    this.callOn(0, name, ...more);
  }

  /** `on`: which descriptor, by number; 'L' is the listener. */
  callOn(on, name, ...more) {
    const asks = ['info', 'poll', 'error', 'get', 'counters', 'errors'].includes(name);
    const answered = name === 'write' || name === 'connect' || name === 'sendto';
    this.steps.push({ call: [name, ...more], ms: asks ? 1 : answered ? 7 : 25, ...(on === 0 ? {} : { on }) });
  }

  write(bytes) {
    this.call('write', bytes, this.dice.chance(0.06) ? 0x8000 : 0); // MSG_MORE
    this.written += bytes;
  }

  wait(ms) {
    this.steps.push({ ms });
  }

  ackAll() {
    this.acked = this.written;
    this.segment('.');
  }

  /** 5 ms or 25: round trips of any kind. */
  get pause() {
    return this.dice.chance(0.5) ? 5 : 25;
  }
}

// A connection under a schedule of faults, all of it from one seed: what the network does and when, how each program writes, reads
// and closes. `run` carries it through and says what came of it; property.test.ts says what may.

import { below, SeededRandom } from '../../src/core/random.js';
import { Icmp } from '../../src/icmp/icmp.js';
import type { WireFault } from '../../src/link/wire.js';
import { fillIpv4 } from '../../src/packet/frame-checksum.js';
import type { TcpSock } from '../../src/tcp/sock.js';
import { EAGAIN } from '../../src/uapi/errno.js';
import { TCP_CLOSE, TCP_SYN_SENT } from '../../src/uapi/tcp.js';
import { ethernet, icmp, ipv4 } from '../packet/build.js';
import { checkSock } from './invariants.js';
import { type End, type Pair, twoHosts } from './two-hosts.js';

/** What the network does from one moment to the next; rates in millionths, times in milliseconds. */
interface Phase {
  readonly until: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly corrupt: number;
  readonly reorder: number;
  /** Packets that may be marked and are; and those whose mark is taken off. */
  readonly mark: number;
  readonly bleach: number;
  readonly delayMs: number;
  /** Largest packet that passes, and whether a router says so. */
  readonly mtu: number;
  readonly icmp: boolean;
  /** Nothing passes. */
  readonly cut: boolean;
}

/** How one program uses its socket. */
interface Habits {
  /** Bytes to write in all, and in one call; bytes to read in one call. */
  readonly total: number;
  readonly writes: number;
  readonly reads: number;
  /** It looks at its socket once in so many milliseconds, and for the first time then. */
  readonly paceMs: number;
  readonly startsMs: number;
  /** Closes outright after having read so much, whatever is left; Infinity: waits for the end. */
  readonly leavesAt: number;
  /** Says with its last byte that it will write no more, or only when it has read the other's end. */
  readonly shutsFirst: boolean;
}

export interface Schedule {
  readonly seed: number;
  readonly settings: Readonly<Record<string, number | string>>;
  readonly sizes: readonly [number, number];
  readonly delayMs: number;
  readonly offload: boolean;
  readonly phases: readonly Phase[];
  readonly habits: readonly [Habits, Habits];
}

class Dice {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  n(limit: number): number {
    return below(this.#random, limit);
  }

  chance(percent: number): boolean {
    return this.n(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.n(list.length)];
  }
}

export function schedule(seed: number): Schedule {
  const dice = new Dice(seed);
  // Of its own, so that seeds from before there was Accurate ECN keep the rest of what they found.
  const marks = new Dice(seed ^ 0xacec);
  const accurate = marks.chance(40);
  const offload = dice.chance(30);
  // If both waited for the other's end, none would come.
  const patient = dice.n(2);
  const habits = (shutsFirst: boolean): Habits => ({
    total: dice.pick([0, 1, 1000, 20_000, dice.n(200_000), 300_000]),
    writes: dice.pick([1, 100, 1460, 5000, 65_536, 1 + dice.n(20_000)]) + (dice.chance(50) ? 1 : 0),
    reads: dice.pick([1, 700, 4096, 65_536, 1 + dice.n(20_000)]),
    paceMs: dice.pick([1, 1, 1, 3, 20, 200]),
    startsMs: dice.pick([0, 0, 5, 500, 5000]),
    leavesAt: dice.chance(15) ? dice.n(100_000) : Infinity,
    shutsFirst: shutsFirst || dice.chance(40),
  });
  const phases: Phase[] = [];
  let until = 0;
  for (let left = dice.n(6); left > 0; left--) {
    until += dice.pick([10, 200, 1000, 10_000, 60_000]);
    const cut = dice.chance(15);
    phases.push({
      until,
      loss: dice.chance(60) ? dice.n(150_000) : 0,
      duplicate: dice.chance(30) ? dice.n(200_000) : 0,
      // Nobody would notice damage where no checksum is.
      corrupt: dice.chance(30) && !offload ? dice.n(50_000) : 0,
      reorder: dice.chance(40) ? dice.n(300_000) : 0,
      mark: marks.chance(50) ? marks.n(500_000) : 0,
      bleach: marks.chance(20) ? marks.n(1_000_000) : 0,
      delayMs: dice.chance(30) ? dice.n(300) : 0,
      mtu: dice.chance(25) && !offload ? dice.pick([576, 1000, 1400]) : 65_535,
      icmp: dice.chance(70),
      cut,
    });
  }
  return {
    seed,
    settings: {
      tcpSack: dice.n(2),
      tcpTimestamps: dice.n(3),
      tcpWindowScaling: dice.n(2),
      tcpEcn: accurate ? dice.n(3) + 3 : dice.pick([0, 1, 2]),
      tcpEcnOption: marks.n(3),
      tcpEcnOptionBeacon: marks.pick([0, 3]),
      tcpMtuProbing: dice.pick([0, 1, 2]),
      tcpEarlyRetrans: dice.pick([0, 3]),
      tcpFrto: dice.pick([0, 2]),
      tcpSyncookies: dice.pick([0, 1, 2]),
      tcpCongestionControl: dice.pick(['reno', 'cubic', 'bbr']),
    },
    sizes: [dice.pick([8192, 30_000, 131_072]), dice.pick([8192, 30_000, 87_380])],
    delayMs: dice.pick([0, 1, 10, 100]),
    offload,
    phases,
    habits: [habits(patient !== 0), habits(patient !== 1)],
  };
}

/** The byte at `position` of the stream that end `which` writes. */
function byteAt(which: number, position: number): number {
  return (position * 31 + (position >> 8) * 7 + which * 101) & 0xff;
}

/** One program, and what it has seen. */
export class Side {
  readonly end: End;
  readonly habits: Habits;
  readonly which: number;
  sk: TcpSock | null = null;
  written = 0;
  read = 0;
  /** 0: the end of the stream was read. Below: the error that came. */
  result: number | null = null;
  closed = false;
  shut = false;
  #next: number;
  readonly #buffer = new Uint8Array(65_537);

  constructor(end: End, habits: Habits, which: number) {
    this.end = end;
    this.habits = habits;
    this.which = which;
    this.#next = habits.startsMs;
  }

  get done(): boolean {
    return this.written === this.habits.total;
  }

  /** The program's turn, if it is. True: something went on. */
  turn(ms: number): boolean {
    const { sk } = this;
    if (sk === null || this.closed || ms < this.#next) return false;
    this.#next = ms + this.habits.paceMs;
    const before = this.written + this.read;
    this.end.tcp.lock(sk);
    this.#write(sk);
    if (!this.closed) this.#readAll(sk);
    if (!this.closed) this.#finish(sk);
    if (!this.closed) this.end.tcp.release(sk);
    return this.written + this.read !== before;
  }

  #write(sk: TcpSock): void {
    const { total, writes } = this.habits;
    while (this.written < total && (this.result ?? 0) >= 0) {
      const count = Math.min(writes, total - this.written);
      for (let i = 0; i < count; i++) this.#buffer[i] = byteAt(this.which, this.written + i);
      const done = this.end.tcp.send(sk, this.#buffer, count, 0);
      if (done === -EAGAIN) return;
      if (done < 0) {
        this.result = done;
        return;
      }
      this.written += done;
    }
  }

  #readAll(sk: TcpSock): void {
    // At most so much in one turn: a slow reader is one who reads little.
    for (let calls = 0; calls < 64 && this.result === null; calls++) {
      if (this.read >= this.habits.leavesAt) {
        this.close(sk);
        return;
      }
      const got = this.end.tcp.recv(sk, this.#buffer, this.habits.reads, 0);
      if (got === -EAGAIN) return;
      if (got <= 0) {
        this.result = got;
        return;
      }
      for (let i = 0; i < got; i++) {
        const expected = byteAt(1 - this.which, this.read + i);
        if (this.#buffer[i] !== expected)
          throw new Error(`byte ${this.read + i} is ${this.#buffer[i]}, not ${expected}`);
      }
      this.read += got;
    }
  }

  #finish(sk: TcpSock): void {
    if (this.result !== null && this.result < 0) {
      this.close(sk);
      return;
    }
    if (
      sk.state !== TCP_SYN_SENT &&
      this.done &&
      !this.shut &&
      (this.habits.shutsFirst || this.result === 0)
    ) {
      this.shut = true;
      sk.shutdown |= 2;
      this.end.tcp.shutdown(sk, 2);
    }
    if (this.result === 0 && this.shut) this.close(sk);
  }

  close(sk: TcpSock): void {
    this.closed = true;
    this.end.tcp.close(sk);
  }
}

/** The wire's faults by the clock of the schedule, which begins at `start`. */
function faultsOf(plan: Schedule, pair: () => Pair): WireFault {
  const dice = new Dice(plan.seed ^ 0x5a5a5a);
  const marks = new Dice(plan.seed ^ 0xacece);
  const chance = (millionths: number): boolean => millionths > 0 && dice.n(1_000_000) < millionths;
  return (frame, direction) => {
    const ms = pair().clock.now() / 1000;
    const phase = plan.phases.find(({ until }) => ms < until);
    if (phase === undefined) return undefined;
    if (phase.cut || chance(phase.loss)) return false;
    if (frame.length - 14 > phase.mtu && frame[12] === 8 && frame[13] === 0) {
      if (phase.icmp && (frame[20] & 0x40) !== 0) complain(pair(), frame, direction === 'ab', phase.mtu);
      return false;
    }
    remark(frame, marks.n(1_000_000) < phase.mark, marks.n(1_000_000) < phase.bleach);
    if (chance(phase.corrupt)) frame[34 + dice.n(frame.length - 34)] ^= 1 << dice.n(8);
    const late = chance(phase.reorder) ? dice.n(20_000) : 0;
    return { delayUs: late + phase.delayMs * 1000, copies: chance(phase.duplicate) ? 2 : 1 };
  };
}

/** What a router does to the ECN field of what may be marked. */
function remark(frame: Uint8Array, marked: boolean, bleached: boolean): void {
  if (frame[12] !== 8 || frame[13] !== 0 || (frame[15] & 3) === 0 || !(marked || bleached)) return;
  frame[15] = bleached ? frame[15] & ~3 : frame[15] | 3;
  fillIpv4(new DataView(frame.buffer, frame.byteOffset, frame.length), 14);
}

/** "Fragmentation needed", from the other end's address as if from a router's. */
function complain(pair: Pair, frame: Uint8Array, fromFirst: boolean, mtu: number): void {
  const [sender, other] = fromFirst ? [pair.links[0], pair.links[1]] : [pair.links[1], pair.links[0]];
  const [to, from] = fromFirst ? ['10.0.0.1', '10.0.0.2'] : ['10.0.0.2', '10.0.0.1'];
  const text = (mac: Uint8Array): string =>
    [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  const packet = ipv4(from, to, 1, icmp(3, 4, mtu, frame.slice(14, 14 + 28)));
  const bytes = ethernet(text(sender.mac), text(other.mac), 0x0800, packet);
  sender.arrive({ bytes, at: pair.clock.now() + 1000, flags: 0, gsoSize: 0 });
}

/** Nothing is larger than what it may be: a segment more than the buffer, and what was promised before. */
function checkBounds(side: Side): void {
  const { sk } = side;
  if (sk === null || sk.state === TCP_CLOSE) return;
  const most = sk.rcvbuf + (sk.rcvbuf >> 1) + 2 * 65_536;
  if (sk.rmemAlloc > most) throw new Error(`${sk.rmemAlloc} bytes received are held, of at most ${most}`);
  // Bytes, not what they are charged: when the path narrows, segments that were within bounds are split, and each part weighs more.
  // Of the segment at the tail a part may have been sent, and as much may join it then whatever the buffer holds (as on Linux).
  const room = sk.sndbuf + 65_536 + ((sk.sndNxt - sk.sndUna) | 0);
  const { length } = sk.sndQueue;
  if (length > room) throw new Error(`${length} bytes to send are held, of at most ${room}`);
}

export interface Outcome {
  readonly sides: readonly [Side, Side];
  readonly ms: number;
}

/** Half an hour: longer than any timeout. */
const PATIENCE_MS = 1_800_000;

/** Carries a schedule through until both programs have closed. @throws Error if an invariant breaks, or it never ends */
export function run(plan: Schedule): Outcome {
  let pair: Pair | null = null;
  const fault = faultsOf(plan, () => pair as Pair);
  pair = twoHosts(plan.seed, { delayUs: plan.delayMs * 1000, offload: plan.offload, fault });
  const { a, b } = pair;
  for (const { host, ip } of [a, b]) {
    Object.assign(host.sysctl, plan.settings);
    host.sysctl.tcpRmem = [4096, plan.sizes[0], 600_000];
    host.sysctl.tcpWmem = [4096, plan.sizes[1], 600_000];
    host.sysctl.tcpKeepaliveTime = 300;
    new Icmp(ip);
  }
  const listener = b.tcp.createSock();
  // A peer that gave up says nothing, and who only waits for its data would wait for ever.
  listener.keepOpen = true;
  listener.sport = b.tcp.ports.bind(listener, 80);
  b.tcp.listenStart(listener, 16);
  const sides: readonly [Side, Side] = [new Side(a, plan.habits[0], 0), new Side(b, plan.habits[1], 1)];
  sides[0].sk = a.tcp.createSock();
  sides[0].sk.keepOpen = true;
  const begun = a.tcp.connect(sides[0].sk, b.address, 80);
  if (begun < 0) throw new Error(`connect: ${begun}`);
  let ms = 0;
  let quiet = 0;
  while (!sides.every(({ closed }) => closed)) {
    if (ms > PATIENCE_MS) throw new Error(`stuck: ${sides.map(({ written, read }) => [written, read])}`);
    sides[1].sk ??= b.tcp.accept(listener);
    // Whose connection has failed need not be met.
    if (sides[0].closed && sides[1].sk === null && b.tcp.counts.requests === 0 && quiet > 200_000) break;
    for (const side of sides) {
      if (side.turn(ms)) quiet = 0;
      if (side.sk !== null && !side.closed) checkSock(side.sk);
      checkBounds(side);
    }
    const step = quiet < 500 ? 1 : quiet < 5000 ? 10 : 100;
    pair.pass(step);
    ms += step;
    quiet += step;
  }
  b.tcp.close(listener);
  pair.pass(PATIENCE_MS);
  for (const { ip, host, tcp } of [a, b]) {
    ip.close();
    const left = {
      ...tcp.counts,
      chunks: host.memory.used,
      charged: tcp.memory.allocated,
      timers: host.wheel.size,
    };
    const wrong = Object.entries(left).filter(([, count]) => count !== 0);
    if (wrong.length > 0) throw new Error(`left behind: ${JSON.stringify(Object.fromEntries(wrong))}`);
  }
  return { sides, ms };
}

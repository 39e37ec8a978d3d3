// One iperf3 test while it runs, whichever side we are: its streams, its clock, intervals, what is omitted, and the sums.

import { randomFillSync } from 'node:crypto';
import {
  ENOENT,
  ENOMEM,
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_TCP,
  MSG_TRUNC,
  SO_MAX_PACING_RATE,
  SOL_SOCKET,
  TCP_CONGESTION,
  TCP_NODELAY,
} from '../index.js';
import { IESETCONGESTION, IperfError, type TestParameters, type TestResults } from './iperf3-protocol.js';
import { IperfStream, type StreamOwner } from './iperf3-stream.js';
import { LentReader } from './lent-reader.js';
import type { Alarm, ReadyLoop } from './ready-loop.js';

/** How long a throttled sender pauses, in milliseconds. */
const THROTTLE_MS = 1;
const NAME_MAX = 15;

/** Who looks on: a report, line by line. */
export interface Observer {
  interval(test: IperfTest): void;
}

export class IperfTest implements StreamOwner {
  readonly parameters: TestParameters;
  readonly role: 'server' | 'client';
  readonly streams: IperfStream[] = [];
  /** Sent by reference where nothing is received into it, and there is memory to be mapped. */
  readonly block: Uint8Array;
  /** Bytes and whole blocks of all streams since the start, or since what is omitted ended. */
  sent = 0;
  received = 0;
  blocksSent = 0;
  blocksReceived = 0;
  omitting = false;
  /** Milliseconds of `performance.now()`. */
  startedAt = 0;
  endedAt = 0;
  /** Percent of one processor: all, user, system. */
  cpu: [number, number, number] = [0, 0, 0];
  congestion: string | null = null;
  remote: TestResults | null = null;
  /** Told of a stream that broke, and (a client) of the first moment at which enough was transferred. */
  onFailure: (error: IperfError) => void = () => {};
  onEnough: () => void = () => {};
  readonly #loop: ReadyLoop;
  readonly #interval: number;
  readonly #observer: Observer;
  readonly #reader: LentReader;
  #running = false;
  #intervalFrom = 0;
  #cpuFrom: NodeJS.CpuUsage = { user: 0, system: 0 };
  #cpuAt = 0;
  #intervalAlarm: Alarm | null = null;
  #omitAlarm: Alarm | null = null;
  #throttled = new Set<IperfStream>();

  /** @param interval Seconds between reports; 0: none before the end. */
  constructor(
    loop: ReadyLoop,
    parameters: TestParameters,
    role: 'server' | 'client',
    interval: number,
    observer: Observer,
  ) {
    this.#loop = loop;
    this.parameters = parameters;
    this.role = role;
    this.#interval = interval;
    this.#observer = observer;
    const mapped = this.receiving === 0 ? loop.sys.mmap(parameters.blockSize) : -ENOMEM;
    this.block = typeof mapped === 'number' ? new Uint8Array(parameters.blockSize) : mapped;
    if (parameters.repeatingPayload)
      for (let i = 0; i < this.block.length; i++) this.block[i] = 48 + (i % 10);
    else randomFillSync(this.block);
    this.#reader = new LentReader(loop.sys, this.block);
  }

  /** How many streams we write to, and how many we read from. */
  get sending(): number {
    const { parallel, reverse, bidirectional } = this.parameters;
    return bidirectional || reverse === (this.role === 'server') ? parallel : 0;
  }

  get receiving(): number {
    const { parallel, bidirectional } = this.parameters;
    return bidirectional || this.sending === 0 ? parallel : 0;
  }

  /** Takes a connected descriptor in. Numbers go 1, 3, 4, 5 …, as iperf3's do. @throws IperfError */
  addStream(fd: number, sender: boolean): void {
    this.#setOptions(fd);
    const id = this.streams.length === 0 ? 1 : this.streams.length + 2;
    this.streams.push(new IperfStream(this.#loop, this, fd, id, sender));
  }

  start(): void {
    this.#running = true;
    this.#cpuFrom = process.cpuUsage();
    this.#cpuAt = performance.now();
    this.#begin(this.#cpuAt);
    const { omit } = this.parameters;
    this.omitting = omit > 0;
    if (this.omitting) this.#omitAlarm = this.#loop.at(this.startedAt + omit * 1000, () => this.#endOmit());
    for (const stream of this.streams) stream.start();
  }

  /** Nothing is counted any more; the streams stay open. */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#loop.cancel(this.#intervalAlarm);
    this.#loop.cancel(this.#omitAlarm);
    for (const stream of this.streams) stream.pause();
    this.endedAt = performance.now();
    const { user, system } = process.cpuUsage(this.#cpuFrom);
    const percent = (microseconds: number) => microseconds / 10 / Math.max(1, this.endedAt - this.#cpuAt);
    this.cpu = [percent(user + system), percent(user), percent(system)];
    const bytes = this.streams.reduce((sum, { intervalBytes }) => sum + intervalBytes, 0);
    // A rest of an interval in which nothing came is no news.
    if (bytes > 0 || this.endedAt - this.#intervalFrom >= this.#interval * 100)
      this.#endInterval(this.endedAt);
  }

  take(fd: number): number {
    if (!this.parameters.skipCopy) return this.#reader.read(fd);
    return this.#loop.sys.recv(fd, this.block, this.block.length, MSG_TRUNC);
  }

  close(): void {
    this.stop();
    for (const stream of this.streams) stream.close();
    // -EINVAL where it was not mapped, or is no more.
    this.#loop.sys.munmap(this.block);
    this.#reader.close();
  }

  /** Seconds that were measured. */
  get seconds(): number {
    return (this.endedAt - this.startedAt) / 1000;
  }

  results(): TestResults {
    const streams = this.streams.map(({ id, bytes, sender, retransmits }) => ({
      id,
      bytes,
      retransmits: sender ? retransmits : -1,
      seconds: this.seconds,
    }));
    return { cpu: this.cpu, congestion: this.congestion, streams };
  }

  allowed(stream: IperfStream): number {
    if (!this.#running) return 0;
    const { bytes, blocks, rate, blockSize } = this.parameters;
    if (!this.omitting) {
      if (bytes > 0 && this.sent >= bytes) return 0;
      if (blocks > 0 && this.blocksSent >= blocks) return 0;
    }
    if (rate === 0) return Number.POSITIVE_INFINITY;
    const due = ((performance.now() - this.startedAt) / 1000) * (rate / 8);
    const open = Math.ceil((due - stream.bytes) / blockSize);
    if (open > 0) return open;
    this.#throttle(stream);
    return 0;
  }

  transferred(stream: IperfStream, bytes: number, wholeBlock: boolean): void {
    if (stream.sender) {
      this.sent += bytes;
      if (wholeBlock) this.blocksSent++;
    } else {
      this.received += bytes;
      this.blocksReceived = Math.floor(this.received / this.parameters.blockSize);
    }
    const { bytes: most, blocks } = this.parameters;
    if (this.omitting || (most === 0 && blocks === 0)) return;
    if (most > 0 && Math.max(this.sent, this.received) >= most) this.onEnough();
    else if (blocks > 0 && Math.max(this.blocksSent, this.blocksReceived) >= blocks) this.onEnough();
  }

  failed(error: IperfError): void {
    this.onFailure(error);
  }

  #begin(now: number): void {
    this.startedAt = now;
    this.#intervalFrom = now;
    if (this.#interval > 0) this.#nextInterval(now + this.#interval * 1000);
  }

  #nextInterval(at: number): void {
    this.#intervalAlarm = this.#loop.at(at, () => {
      this.#endInterval(performance.now());
      this.#nextInterval(at + this.#interval * 1000);
    });
  }

  #endInterval(now: number): void {
    const from = (this.#intervalFrom - this.startedAt) / 1000;
    for (const stream of this.streams) stream.endInterval(from, (now - this.startedAt) / 1000, this.omitting);
    this.#intervalFrom = now;
    this.#observer.interval(this);
  }

  #endOmit(): void {
    this.#loop.cancel(this.#intervalAlarm);
    const now = performance.now();
    // What was counted since the last report belongs to what is omitted.
    if (this.#interval > 0 && now - this.#intervalFrom >= this.#interval * 100) this.#endInterval(now);
    this.omitting = false;
    this.sent = 0;
    this.received = 0;
    this.blocksSent = 0;
    this.blocksReceived = 0;
    for (const stream of this.streams) stream.reset();
    this.#begin(now);
    for (const stream of this.streams) stream.resume();
  }

  #throttle(stream: IperfStream): void {
    if (this.#throttled.size === 0) {
      this.#loop.at(performance.now() + THROTTLE_MS, () => {
        const waiting = [...this.#throttled];
        this.#throttled.clear();
        for (const each of waiting) each.resume();
      });
    }
    this.#throttled.add(stream);
  }

  /** What the client wants of the connections, apart from what must be set before they are there. */
  #setOptions(fd: number): void {
    const { sys } = this.#loop;
    const { noDelay, tos, pacingRate, congestion } = this.parameters;
    if (noDelay) sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (tos > 0) sys.setsockopt(fd, IPPROTO_IP, IP_TOS, tos);
    if (pacingRate > 0) sys.setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, Math.floor(pacingRate / 8));
    if (congestion !== null) {
      const error = sys.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion);
      // One that only the other side has is no reason to give up: iperf3 goes on with the default, too, and reports which it was.
      if (error < 0 && error !== -ENOENT)
        throw new IperfError(IESETCONGESTION, `unable to set the congestion control ${congestion}`, -error);
    }
    const out: { value: object | number | string } = { value: '' };
    const known = sys.getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, out) === 0;
    this.congestion = known ? String(out.value).slice(0, NAME_MAX) : null;
  }
}

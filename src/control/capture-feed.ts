// Frames of a running stack's links as pieces of a pcapng file: each piece is its length in four bytes, most significant first,
// and the bytes; a piece of length 0 ends the file, and a line of JSON follows that says how it went.

import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { NetDevice } from '../ip/device.js';
import { type PacketTap, PacketTaps } from '../ip/packet-taps.js';
import { recordReceived, recordSent } from '../link/frame-recorder.js';
import { PcapngWriter, SNAPLEN } from '../link/pcapng.js';
import type { Stack } from '../stack.js';
import type { Alarm } from '../time/clock.js';
import { Feed } from './feed.js';
import type { CaptureEnd } from './protocol.js';

/** What was recorded reaches the reader at latest after this: it looks on while things happen. */
const FLUSH_US = 100_000;

export interface CaptureWish {
  /** Frames after which it ends. */
  count?: number | undefined;
  /** Bytes that are kept of each. */
  snaplen?: number | undefined;
  interfaces?: string[] | undefined;
}

export class CaptureFeed extends Feed implements PacketTap, Alarm {
  readonly #stack: Stack;
  readonly #writer: PcapngWriter;
  /** The interface's number in the file, by index of the device; undefined: not wanted. */
  readonly #numbers: (number | undefined)[] = [];
  readonly #interfaces: number;
  #left: number;
  #flushSet = false;

  constructor(socket: Socket, stack: Stack, { count, snaplen, interfaces }: CaptureWish) {
    super(socket);
    this.#stack = stack;
    this.#left = count ?? Number.POSITIVE_INFINITY;
    const wanted = stack.ip.routes.devices.filter(({ name }) => interfaces?.includes(name) ?? true);
    wanted.forEach((device, at) => {
      this.#numbers[device.index] = at;
    });
    this.#interfaces = wanted.length;
    const pieces = new Writable({
      write: (bytes: Uint8Array, _encoding, done) => {
        this.#send(bytes);
        done();
      },
    });
    this.#writer = new PcapngWriter(
      pieces,
      wanted.map(({ name }) => name),
      snaplen ?? SNAPLEN,
    );
    // The head of the file at once, so that whoever reads it knows that it has begun.
    this.#writer.flush();
    PacketTaps.add(stack.ip, this);
  }

  received(device: NetDevice, descriptors: Int32Array, at: number): void {
    const number = this.#numbers[device.index];
    if (number === undefined || this.full()) return;
    recordReceived(this.#writer, this.#stack.host.memory, descriptors, at, this.#time(), number);
    this.#count();
  }

  sent(device: NetDevice, at: number): void {
    const number = this.#numbers[device.index];
    if (number === undefined || this.full()) return;
    recordSent(this.#writer, this.#stack.host.memory, at, this.#time(), number);
    this.#count();
  }

  onAlarm(): void {
    this.#flushSet = false;
    this.#writer.flush();
  }

  protected detach(): void {
    PacketTaps.remove(this.#stack.ip, this);
    this.#stack.host.clock.cancelAlarm(this);
  }

  protected lastWords(): string {
    const { frames } = this.#writer;
    const time = this.#stack.host.clock.epoch + this.#stack.host.clock.now();
    for (let number = 0; number < this.#interfaces; number++)
      this.#writer.statistics(number, time, frames + this.dropped, this.dropped);
    this.#writer.flush();
    const end: CaptureEnd = { frames, dropped: this.dropped };
    return `\0\0\0\0${JSON.stringify(end)}\n`;
  }

  #count(): void {
    if (--this.#left <= 0) this.finish();
  }

  #time(): number {
    const { clock } = this.#stack.host;
    const now = clock.now();
    if (!this.#flushSet) {
      this.#flushSet = true;
      clock.setAlarm(this, now + FLUSH_US);
    }
    return clock.epoch + now;
  }

  #send(bytes: Uint8Array): void {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length);
    this.socket.write(length);
    this.socket.write(bytes);
  }
}

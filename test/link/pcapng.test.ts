// Captures: the file by the specification, what a link carried in both directions, and checksums as they are on the wire.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Host } from '../../src/core/host.js';
import { SeededRandom } from '../../src/core/random.js';
import { Icmp } from '../../src/icmp/icmp.js';
import { Ip } from '../../src/ip/ip.js';
import { type Link, RX_GSO_TCP4, RX_L4_BAD, RX_L4_OK } from '../../src/link/link.js';
import { CaptureLink, capture } from '../../src/link/pcap-link.js';
import { INBOUND, OUTBOUND, PcapngWriter } from '../../src/link/pcapng.js';
import { createWire } from '../../src/link/wire.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { pseudoHeader } from '../../src/packet/checksum.js';
import { formatFrame } from '../../src/packet/format.js';
import { parseFrame } from '../../src/packet/parse.js';
import { VirtualClock } from '../../src/time/clock.js';
import { Udp } from '../../src/udp/udp.js';
import { address, fromPeer, introduce, TestLink, type TestStack } from '../ip/stack.js';
import { bytes, icmp, ipv4, pattern, udp } from '../packet/build.js';
import { readPcapng } from './pcapng-reader.js';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapstack-pcap-'));
  path = join(directory, 'a.pcapng');
});

afterEach(() => rmSync(directory, { recursive: true }));

const EPOCH = 1_750_000_000_123_456;

describe('a pcapng file', () => {
  it('begins with a section and an interface, and has each frame with its time, direction and length', () => {
    const writer = new PcapngWriter(path, 'tap0');
    for (let length = 0; length < 9; length++)
      writer.write(pattern(length), EPOCH + length, 1 + (length % 2));
    writer.close();
    writer.close();
    writer.write(bytes('too late'), EPOCH, INBOUND);
    const file = readPcapng(readFileSync(path));
    expect(file.application).toBe('tapstack');
    expect(file.interfaces).toEqual([{ linkType: 1, snapLength: 262144, name: 'tap0', resolution: 6 }]);
    expect(file.frames).toEqual(
      Array.from({ length: 9 }, (_, length) => ({
        interfaceId: 0,
        time: EPOCH + length,
        originalLength: length,
        flags: length % 2 === 0 ? INBOUND : OUTBOUND,
        bytes: pattern(length),
      })),
    );
  });

  it('is written in large pieces, and holds more than its buffer', () => {
    const writer = new PcapngWriter(path, 'lo');
    for (let i = 0; i < 100; i++) writer.write(pattern(65_549, i), EPOCH + i, OUTBOUND);
    expect(writer.buffered).toBeGreaterThan(0);
    writer.flush();
    expect(writer.buffered).toBe(0);
    writer.close();
    const { frames } = readPcapng(readFileSync(path));
    expect(frames).toHaveLength(100);
    expect(frames.every((frame, i) => Buffer.from(frame.bytes).equals(pattern(65_549, i)))).toBe(true);
  });

  it('can go to a descriptor that stays open, or to a stream', async () => {
    const fd = openSync(path, 'w');
    const writer = new PcapngWriter(fd, 'x');
    writer.close();
    closeSync(fd);
    expect(readPcapng(readFileSync(path)).interfaces).toHaveLength(1);
    const stream = new PassThrough();
    const streamed = new PcapngWriter(stream, 'y');
    streamed.write(bytes('frame'), EPOCH, INBOUND);
    streamed.close();
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(readPcapng(bytes(...chunks)).frames).toHaveLength(1);
  });

  it('that cannot be made is refused with its path and a way out', () => {
    expect(() => new PcapngWriter(join(directory, 'no', 'such'), 'x')).toThrow(
      /no\/such.*ENOENT.*Choose a path/,
    );
  });
});

/** A capture around a link whose other end is the test. */
function captured(features = 0): {
  stack: TestStack;
  recorder: CaptureLink;
  read: () => ReturnType<typeof readPcapng>;
} {
  const clock = new VirtualClock(EPOCH);
  const host = new Host(clock, new PacketMemory(8 << 20), new SeededRandom(1));
  const ip = new Ip(host);
  const link = new TestLink(1500, features);
  const recorder = capture(link, path, clock);
  ip.addInterface(recorder, address('10.0.0.2'), 24);
  const read = () => {
    recorder.writer.flush();
    return readPcapng(readFileSync(path));
  };
  return { stack: { clock, host, ip, link }, recorder, read };
}

describe('a captured link', () => {
  it('looks like the link it records', () => {
    const { stack, recorder } = captured(3);
    expect([recorder.name, recorder.mtu, recorder.features]).toEqual(['test0', 1500, 3]);
    expect(recorder.link === stack.link && recorder.tx === stack.link.tx).toBe(true);
    expect(recorder.mac).toBe(stack.link.mac);
    expect(recorder.runsPrograms).toBe(false);
    const tap = { ...stack.link, name: 'tap0', runsPrograms: true } as unknown as Link;
    expect(new CaptureLink(tap, recorder.writer, stack.clock).runsPrograms).toBe(true);
  });

  it('records the conversation, in order, at its time', () => {
    const { stack, read } = captured();
    new Icmp(stack.ip);
    introduce(stack);
    stack.clock.advance(250);
    stack.link.deliver([fromPeer(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(8, 0, 1, bytes('ping'))))]);
    expect(
      read().frames.map(({ time, flags, bytes: frame }) => `${time - EPOCH} ${flags} ${formatFrame(frame)}`),
    ).toEqual([
      '0 1 ARP, who-has 10.0.0.2 tell 10.0.0.1',
      '0 2 ARP, reply 10.0.0.2 is-at 02:00:00:00:00:02',
      '250 1 10.0.0.1 > 10.0.0.2: ICMP echo request, id 0, seq 1, length 12',
      '250 2 10.0.0.2 > 10.0.0.1: ICMP echo reply, id 0, seq 1, length 12',
    ]);
  });

  it('shows what the NIC will fill in, and leaves the frame itself as it was', () => {
    const { stack, read } = captured(3);
    introduce(stack);
    const transport = new Udp(stack.ip);
    const sk = transport.createSock();
    transport.autobind(sk);
    transport.output.send(sk, bytes('hello'), 5, 0, address('10.0.0.1'), 7);
    const { ip, host } = stack;
    const route = ip.route(address('10.0.0.1'));
    if (route === null) throw new Error('no route');
    const chunk = host.memory.alloc(10_000);
    host.memory.bytes.fill(0xab, host.memory.start[chunk], host.memory.start[chunk] + 10_000);
    for (const gsoSize of [0, 1448]) {
      const payload = gsoSize === 0 ? 1000 : 10_000;
      const at = ip.begin(route);
      host.memory.view.setInt32(at + 12, 0x50100400); // header of 5 words, ACK, a window
      host.memory.view.setUint16(at + 16, pseudoHeader(route.source.a, route.destination.a, 6, 20 + payload));
      route.device.tx.piece(host.memory.start[chunk], payload);
      ip.send(route, route.source, route.destination, 6, 20, payload, 0, 64, true, 16, gsoSize, 0);
    }
    const sent = read()
      .frames.slice(2)
      .map((frame) => parseFrame(frame.bytes));
    expect(
      sent.map((frame) => [frame?.ipv4?.checksumOk, frame?.l4ChecksumOk, frame?.payload.length]),
    ).toEqual([
      [true, true, 5],
      [true, true, 1000],
      [true, true, 10_000],
    ]);
    const { words, view } = host.memory;
    expect(view.getUint16(words[stack.link.tx.front()] + 14 + 10)).toBe(0); // the header checksum is the NIC's business
  });

  it('shows frames the kernel vouches for with the checksum they would have had, bad ones as they came', () => {
    const { stack, read } = captured();
    const partial = fromPeer(
      ipv4('10.0.0.1', '10.0.0.2', 17, udp('10.0.0.1', 1, '10.0.0.2', 7, bytes('partial'))),
    );
    partial[41] ^= 0x55;
    stack.link.deliver([partial], RX_L4_OK | RX_GSO_TCP4, 1448);
    stack.link.deliver([partial], RX_L4_BAD);
    const [vouched, bad] = read().frames.map((frame) => parseFrame(frame.bytes));
    expect([vouched?.l4ChecksumOk, bad?.l4ChecksumOk]).toEqual([true, false]);
  });

  it('records both ends of a wire, whose ring rings a bell', () => {
    const clock = new VirtualClock(EPOCH);
    const [left, right] = createWire({ clock });
    const recorder = capture(left, path, clock);
    const [a, b] = [recorder, right].map((link, i) => {
      const ip = new Ip(new Host(clock, new PacketMemory(8 << 20), new SeededRandom(i)));
      new Icmp(ip);
      ip.addInterface(link, address(`10.0.0.${i + 1}`), 24);
      return new Udp(ip);
    });
    const sk = a.createSock();
    a.connect(sk, address('10.0.0.2'), 9);
    a.output.send(sk, bytes('closed?'), 7, 0, null, 0);
    clock.advance(1000);
    expect(sk.err).toBe(111);
    expect(b.host.mib.snapshot().Udp.NoPorts).toBe(1);
    recorder.writer.flush();
    expect(readPcapng(readFileSync(path)).frames).toHaveLength(4);
  });

  it('reaches the file within a second, and wholly when it is closed or the device dies', async () => {
    const { stack, recorder } = captured();
    introduce(stack);
    expect(readFileSync(path)).toHaveLength(0);
    stack.clock.advance(1_000_000);
    expect(readPcapng(readFileSync(path)).frames).toHaveLength(2);
    introduce(stack);
    stack.link.down(new Error('gone'));
    expect(readPcapng(readFileSync(path)).frames).toHaveLength(4);
    await recorder.close();
    await recorder.close();
    expect(stack.clock.nextAlarm).toBe(Number.POSITIVE_INFINITY);
  });

  it('goes on carrying frames when the disk is full, and says so when it is closed', async () => {
    const { stack, recorder } = captured();
    const full = capture(new TestLink(), openSync('/dev/full', 'w'), stack.clock);
    full.writer.flush();
    expect(full.writer.error?.message).toMatch(/stopped after 0 frames.*ENOSPC/);
    expect(full.writer.reserve(10, 0, INBOUND)).toBe(-1);
    await expect(full.close()).rejects.toThrow(/ENOSPC/);
    await recorder.close();
  });
});

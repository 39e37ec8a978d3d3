// TapLink against the kernel: what it makes and leaves behind, what it refuses, and frames in both directions.

import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Link, LinkReceiver } from '../../src/link/link.js';
import { RX_FLAGS, RX_L4_NONE, RX_L4_OK, RX_LENGTH, RX_OFFSET, RX_WORDS } from '../../src/link/link.js';
import { nativeNic } from '../../src/link/native-nic.js';
import { TapLink, type TapOptions } from '../../src/link/tap.js';
import { TX_IPV4_CSUM } from '../../src/link/tx-ring.js';
import { CHUNK_LARGE, PacketMemory } from '../../src/memory/packet-memory.js';
import { ip, requireLab } from './lab.js';

const HOST = '10.79.1.1';
const PEER = '10.79.1.2';
const PEER_BYTES = [10, 79, 1, 2];
const UDP = 17;

const opened: TapLink[] = [];

async function open(options: TapOptions = {}): Promise<TapLink> {
  const link = await TapLink.open({ name: 'link0', hostAddress: `${HOST}/24`, ...options });
  opened.push(link);
  return link;
}

/** Answers ARP for PEER and echoes UDP datagrams, straight on the rings: as little of a stack as shows frames. */
class Echo implements LinkReceiver {
  readonly memory: PacketMemory;
  readonly flags: number[] = [];
  readonly lengths: number[] = [];
  flushes = 0;
  down: (Error & { code?: string }) | null = null;

  constructor(size = 16 << 20) {
    this.memory = new PacketMemory(size);
  }

  receiveBatch(link: Link, descriptors: Int32Array, count: number): void {
    for (let at = 0; at < count * RX_WORDS; at += RX_WORDS) {
      const frame = descriptors[at + RX_OFFSET];
      const type = this.memory.view.getUint16(frame + 12);
      if (type === 0x0806) this.answerArp(link, frame);
      if (type !== 0x0800 || this.memory.bytes[frame + 23] !== UDP) continue;
      this.flags.push(descriptors[at + RX_FLAGS]);
      this.lengths.push(descriptors[at + RX_LENGTH]);
      this.echo(link, frame, descriptors[at + RX_LENGTH]);
    }
    link.requestFlush();
  }

  flushDeferred(): void {
    this.flushes++;
  }

  linkDown(_link: Link, error: Error): void {
    this.down = error;
  }

  private answerArp(link: Link, request: number): void {
    const { bytes, view } = this.memory;
    if (view.getUint16(request + 20) !== 1 || PEER_BYTES.some((byte, i) => bytes[request + 38 + i] !== byte))
      return;
    const reply = link.tx.claim();
    bytes.copyWithin(reply, request + 6, request + 12);
    bytes.set(link.mac, reply + 6);
    bytes.copyWithin(reply + 12, request + 12, request + 20);
    view.setUint16(reply + 20, 2);
    bytes.set(link.mac, reply + 22);
    bytes.set(PEER_BYTES, reply + 28);
    bytes.copyWithin(reply + 32, request + 22, request + 32);
    link.tx.commit(reply, 42, 0, 0, 0, 0);
  }

  /** The header is written anew, the payload goes out by reference to a copy behind the rings. */
  private echo(link: Link, frame: number, length: number): void {
    const { bytes, view } = this.memory;
    const reply = link.tx.claim();
    const payload = 12 << 20;
    bytes.copyWithin(payload, frame + 42, frame + length);
    bytes.copyWithin(reply, frame, frame + 42);
    bytes.copyWithin(reply, frame + 6, frame + 12);
    bytes.set(link.mac, reply + 6);
    bytes.copyWithin(reply + 26, frame + 30, frame + 34);
    bytes.copyWithin(reply + 30, frame + 26, frame + 30);
    bytes.copyWithin(reply + 34, frame + 36, frame + 38);
    bytes.copyWithin(reply + 36, frame + 34, frame + 36);
    let sum = UDP + length - 34; // the pseudo-header, which the NIC's checksum starts from
    for (let at = 26; at < 34; at += 2) sum += view.getUint16(reply + at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    view.setUint16(reply + 40, sum);
    const half = (length - 42) >> 1;
    if (half > 0) link.tx.piece(payload, half);
    if (length - 42 - half > 0) link.tx.piece(payload + half, length - 42 - half);
    link.tx.commit(reply, 42, 34, 6, 0, TX_IPV4_CSUM);
    this.sent(link);
  }

  /** Its payload is overwritten by the next one. */
  protected sent(link: Link): void {
    link.flush();
  }
}

async function exchange(sizes: number[]): Promise<Buffer[]> {
  const socket = createSocket('udp4');
  const answers: Buffer[] = [];
  try {
    socket.bind(0, HOST);
    await once(socket, 'listening');
    for (const size of sizes) {
      socket.send(Buffer.alloc(size, size), 7, PEER);
      const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(3000) })) as [Buffer];
      answers.push(answer);
    }
  } finally {
    socket.close();
  }
  return answers;
}

beforeAll(requireLab);
afterEach(async () => {
  for (const link of opened.splice(0)) await link.close();
});

describe('frames', () => {
  for (const offload of [true, false]) {
    test(`go both ways ${offload ? 'with offloads' : 'plain'}, their checksums right`, async () => {
      const echo = new Echo();
      const link = await open({ offload, mtu: 1500 });
      expect(link.info.vnetHdr).toBe(offload);
      link.attach(echo, echo.memory);
      const sizes = [0, 1, 2, 3, 64, 555, 1001, 1472];
      const answers = await exchange(sizes);
      expect(answers.map((answer) => answer.length)).toEqual(sizes);
      expect(answers.every((answer, i) => answer.equals(Buffer.alloc(sizes[i], sizes[i])))).toBe(true);
      expect(echo.lengths).toEqual(sizes.map((size) => size + 42));
      expect(new Set(echo.flags)).toEqual(new Set([RX_L4_OK]));
      expect(echo.flushes).toBeGreaterThan(0);
      const stats = link.stats();
      expect(stats).toMatchObject({ txDropped: 0, txInvalid: 0, rxDropped: 0 });
      expect(stats.txFrames).toBeGreaterThanOrEqual(sizes.length + 1);
      expect(link.tx.pending).toBe(0);
      await link.close();
      expect(link.stats()).toEqual(stats);
    });
  }

  test('several at once are handed over together where io_uring can be had, in their order', async () => {
    const echo = new Echo();
    const link = await open();
    link.attach(echo, echo.memory);
    await exchange([10]);
    const { txFrames, txBatched } = link.stats();
    expect(txBatched).toBe(0);
    const { memory } = echo;
    const socket = createSocket('udp4');
    socket.bind(9, HOST);
    await once(socket, 'listening');
    const came: number[] = [];
    socket.on('message', (message) => came.push(message[0]));
    for (let i = 0; i < 100; i++) {
      const frame = link.tx.claim();
      memory.bytes.set(link.info.hostMac, frame);
      memory.bytes.set(link.mac, frame + 6);
      const ip = [0x45, 0, 0, 29, 0, 0, 0, 0, 64, UDP, 0, 0, ...PEER_BYTES, 10, 79, 1, 1];
      memory.bytes.set([8, 0, ...ip, 0, 9, 0, 9, 0, 9, 0, 0, i], frame + 12);
      link.tx.commit(frame, 43, 0, 0, 0, TX_IPV4_CSUM); // no UDP checksum is one, too
    }
    link.flush();
    const sent = link.stats();
    expect(sent.txFrames - txFrames).toBe(100);
    expect(sent.txBatched).toBe(link.info.noIoUring === null ? 100 : 0);
    for (let i = 0; i < 100 && came.length < 100; i++) await sleep(10);
    socket.close();
    expect(came).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test('several at once are read together where a system call is dear, and all arrive in their order', async () => {
    const echo = new Echo();
    const link = await open();
    link.attach(echo, echo.memory);
    await exchange([10]);
    const socket = createSocket('udp4');
    for (let burst = 0; burst < 3; burst++) {
      const before = echo.lengths.length;
      for (let i = 0; i < 40; i++) socket.send(Buffer.alloc(i), 7, PEER);
      for (let i = 0; i < 100 && echo.lengths.length < before + 40; i++) await sleep(10);
      expect(echo.lengths.slice(before)).toEqual(Array.from({ length: 40 }, (_, i) => 42 + i));
    }
    socket.close();
    if (link.info.dearCalls) expect(link.stats().rxBatched).toBeGreaterThan(60);
    else expect(link.stats().rxBatched).toBe(0);
  });

  test('that are fragments are passed up unjudged', async () => {
    const echo = new Echo();
    const link = await open({ mtu: 600 });
    link.attach(echo, echo.memory);
    await exchange([10]);
    const socket = createSocket('udp4');
    socket.send(Buffer.alloc(1400), 7, PEER);
    for (let i = 0; i < 100 && echo.flags.length < 4; i++) await sleep(10);
    socket.close();
    expect(echo.flags.slice(1)).toEqual([RX_L4_NONE, RX_L4_NONE, RX_L4_NONE]);
  });

  test('a device that is deleted, and closed by who hears of it, while busy polling reads it', async () => {
    // What the batch provokes finds the device gone; nothing of it may be touched after it is closed.
    class Fatal extends Echo {
      override receiveBatch(link: Link, descriptors: Int32Array, count: number): void {
        if ((link.stats?.()?.rxBusyPolled ?? 0) > 20) ip('link', 'delete', 'link0');
        super.receiveBatch(link, descriptors, count);
      }
      override linkDown(link: Link, error: Error): void {
        super.linkDown(link, error);
        void link.close();
      }
      protected override sent(link: Link): void {
        if ((link.stats?.()?.rxBusyPolled ?? 0) <= 20) link.flush(); // the last is left to the end of the batch
      }
    }
    const echo = new Fatal();
    const link = await open({ busyPoll: 10_000 });
    link.attach(echo, echo.memory);
    // In a process of its own: this one spins.
    const script = [
      'import socket',
      's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
      's.settimeout(2)',
      `s.connect(("${PEER}", 7))`,
      'while True: s.send(b"x"); s.recv(9)',
    ];
    const client = spawn('python3', ['-c', script.join('\n')], { stdio: 'ignore' });
    onTestFinished(() => void client.kill('SIGKILL'));
    for (let i = 0; i < 1000 && echo.down === null; i++) await sleep(10);
    expect(echo.down).toMatchObject({ code: 'ENODEV' });
  });

  test('stop when the device is deleted, and the link says so', async () => {
    const echo = new Echo();
    const link = await open();
    link.attach(echo, echo.memory);
    ip('link', 'delete', 'link0');
    for (let i = 0; i < 100 && echo.down === null; i++) await sleep(10);
    expect(echo.down).toMatchObject({ code: 'ENODEV', message: expect.stringContaining('link0') });
    link.flush();
    await link.close();
  });
});

describe('opening', () => {
  test('configures the host side, closing removes it, twice does no harm', async () => {
    const link = await open({ mtu: 1400, hostMac: '02:00:00:00:00:aa', mac: '02:00:00:00:00:bb' });
    expect(link).toMatchObject({ name: 'link0', mtu: 1400 });
    expect([...link.mac]).toEqual([2, 0, 0, 0, 0, 0xbb]);
    expect([...link.info.hostMac]).toEqual([2, 0, 0, 0, 0, 0xaa]);
    expect(ip('address', 'show', 'link0')).toMatch(
      /,UP.*mtu 1400(.|\n)*02:00:00:00:00:aa(.|\n)*10\.79\.1\.1\/24/,
    );
    expect(() => link.tx).toThrow('before it is attached');
    await link.close();
    await link.close();
    expect(networkInterfaces()).not.toHaveProperty('link0');
  });

  test('gives each link its own unicast, locally administered address', async () => {
    const one = await open();
    const two = await open({ name: 'link1', hostAddress: '10.79.2.1/24' });
    expect(one.mac[0] & 3).toBe(2);
    expect(one.mac).not.toEqual(two.mac);
  });

  test('makes a namespace and takes it away again; the host sees no device', async () => {
    const link = await open({ netns: 'tapstack-link' });
    expect(link.info).toMatchObject({ created: true, netnsCreated: true });
    expect(networkInterfaces()).not.toHaveProperty('link0');
    expect(ip('-n', 'tapstack-link', 'address', 'show', 'link0')).toContain(`${HOST}/24`);
    const echo = new Echo();
    link.attach(echo, echo.memory);
    const ping = spawnSync('ip', [
      'netns',
      'exec',
      'tapstack-link',
      'bash',
      '-c',
      `echo hello >/dev/udp/${PEER}/7`,
    ]);
    expect(ping.status).toBe(0);
    for (let i = 0; i < 100 && echo.flags.length === 0; i++) await sleep(10);
    expect(echo.flags).toEqual([RX_L4_OK]);
    await link.close();
    expect(existsSync('/run/netns/tapstack-link')).toBe(false);
    expect(() => nativeNic().removeNetns('tapstack-link')).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
  });

  test('leaves a persistent device as it found it', async () => {
    ip('tuntap', 'add', 'dev', 'link0', 'mode', 'tap');
    const link = await open({ mtu: 1300 });
    expect(link.info.created).toBe(false);
    await link.close();
    expect(ip('address', 'show', 'link0')).not.toMatch(/10\.79|mtu 1300|,UP/);
    ip('link', 'delete', 'link0');
  });

  const refusals: [string, TapOptions, string, RegExp][] = [
    ['a name that is taken', { name: 'lo' }, 'EEXIST', /lo is taken/],
    ['a name that is none', { name: 'no/name' }, 'EINVAL', /not a name/],
    ['a name too long', { name: 'sixteen-letters-' }, 'EINVAL', /1 to 15 characters/],
    ['a device in use', { name: 'link9', hostAddress: undefined }, 'EBUSY', /link9 is in use/],
    [
      'an address the host has',
      { hostAddress: '10.79.9.5/24' },
      'ERR_ROUTE_SHADOW',
      /10\.79\.9\.1\/24 on link9/,
    ],
    ['an address that is none', { hostAddress: '10.0.0.1' }, 'EINVAL', /10\.0\.0\.1\/24/],
    ['an MTU out of range', { mtu: 20 }, 'EINVAL', /68 to 65521/],
    ['a group address as MAC', { mac: '01:00:00:00:00:01' }, 'EINVAL', /one station/],
    ['half a MAC', { mac: '02:00' }, 'EINVAL', /one station/],
  ];
  test.each(refusals)('refuses %s', async (_what, options, code, message) => {
    await open({ name: 'link9', hostAddress: '10.79.9.1/24' });
    const before = Object.keys(networkInterfaces());
    const refusal = TapLink.open({ name: 'link8', ...options });
    await expect(refusal).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(Object.keys(networkInterfaces())).toEqual(before);
  });

  test('a link is attached with something to receive into, or not at all', async () => {
    const full = new PacketMemory(4 << 20);
    let blocks = 0;
    while (full.alloc(CHUNK_LARGE) !== 0) blocks++;
    const link = await open();
    const refusals = new Set<string>();
    let list = 0;
    for (; list === 0 && blocks > 0; blocks--) {
      const echo = new Echo(4 << 20);
      for (let i = 0; i < blocks; i++) echo.memory.alloc(CHUNK_LARGE);
      try {
        link.attach(echo, echo.memory);
        list = echo.memory.posted[0].list;
        expect.soft(echo.memory.words[list]).not.toBe(0);
      } catch (error) {
        refusals.add((error as Error).message);
        expect(echo.memory.posted).toEqual([]);
      }
    }
    expect([...refusals]).toEqual([
      expect.stringMatching(/its rings have no place$/),
      expect.stringMatching(/nothing to receive into$/),
    ]);
  });

  test.each([
    [4, 7],
    [8, 15],
    [64, 32],
  ])('of %i MiB of packet memory %i blocks are posted, and given back', async (mebibytes, count) => {
    const link = await open();
    const echo = new Echo(mebibytes << 20);
    const { memory } = echo;
    link.attach(echo, memory);
    const { list } = memory.posted[0];
    expect(memory.posted).toEqual([{ list, count }]);
    expect(memory.words.subarray(list, list + count + 1).indexOf(0)).toBe(count);
    await link.close();
    expect(memory.words.subarray(list, list + count).every((word) => word === 0)).toBe(true);
  });

  test('a link serves one stack', async () => {
    const link = await open();
    const echo = new Echo();
    link.attach(echo, echo.memory);
    expect(() => link.attach(echo, new PacketMemory())).toThrow('attached to a stack already');
  });
});

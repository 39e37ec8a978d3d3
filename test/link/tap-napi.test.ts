// A TAP device whose frames a thread of the kernel's receives for the host: who may have one, and that nothing is lost or overtaken.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism, networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { nativeNic } from '../../src/link/native-nic.js';
import { TapLink, type TapOptions } from '../../src/link/tap.js';
import { TX_IPV4_CSUM } from '../../src/link/tx-ring.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { ip, requireLab, sendDatagrams } from './lab.js';

const HOST = '10.77.1.1';
const UDP = 17;
const opened: TapLink[] = [];

async function open(options: TapOptions): Promise<TapLink> {
  const link = await TapLink.open({ name: 'napi0', hostAddress: `${HOST}/24`, ...options });
  opened.push(link);
  return link;
}

/**
 * The thread receives from one of two queues, and the other is detached. As many disciplines (mq) as it might have queues would take
 * 61 MB.
 */
const hasNapi = () =>
  / qdisc pfifo_fast .* numqueues 1 numdisabled 1 /s.test(ip('-d', 'link', 'show', 'napi0'));

beforeAll(requireLab);
afterEach(async () => {
  for (const link of opened.splice(0)) await link.close();
});

async function untilThreaded(link: TapLink): Promise<void> {
  for (let i = 0; i < 300 && link.stats().napi !== 'threaded'; i++) await sleep(10);
  expect(link.stats().napi).toBe('threaded');
}

/** Claims, fills and commits a datagram for port 9 of the host. */
function datagram(link: TapLink, memory: PacketMemory, number: number): void {
  const frame = link.tx.claim();
  memory.bytes.set(link.info.hostMac, frame);
  memory.bytes.set(link.mac, frame + 6);
  const header = [0x45, 0, 0, 30, 0, 0, 0, 0, 64, UDP, 0, 0, 10, 77, 1, 2, 10, 77, 1, 1];
  memory.bytes.set([8, 0, ...header, 0, 9, 0, 9, 0, 10, 0, 0, number >> 8, number], frame + 12);
  link.tx.commit(frame, 44, 0, 0, 0, TX_IPV4_CSUM); // no UDP checksum is one, too
}

test.each([
  ['plain', false],
  ['with offloads', true],
])('frames that the thread receives arrive in order, %s', async (_how, offload) => {
  const link = await open({ napi: 'threaded', offload });
  expect([link.info.noThreadedNapi, hasNapi()]).toEqual([null, true]);
  await untilThreaded(link);
  expect(readFileSync('/sys/class/net/napi0/threaded', 'utf8')).toBe('1\n');
  const memory = new PacketMemory(16 << 20);
  link.attach({ receiveBatch() {}, flushDeferred() {}, linkDown() {} }, memory);
  const socket = createSocket('udp4');
  socket.bind(9, HOST);
  await once(socket, 'listening');
  const came: number[] = [];
  socket.on('message', (message) => came.push(message.readUInt16BE()));
  const all = Array.from({ length: 1000 }, (_, i) => i);
  for (const i of all) {
    // No more at once than its socket holds.
    for (let turn = 0; turn < 1000 && i - came.length >= 200; turn++) await sleep(1);
    datagram(link, memory, i);
    if (i % 100 === 99) link.flush();
  }
  for (let i = 0; i < 300 && came.length < all.length; i++) await sleep(10);
  socket.close();
  expect(came).toEqual(all);
});

test.each([
  [{ napi: 'softirq' }, 'ECANCELED'],
  [{ busyPoll: 50 }, 'ECANCELED'],
  [{ persist: true }, 'ECANCELED'],
  [{}, availableParallelism() > 1 ? null : 'ECANCELED'],
] as [TapOptions, string | null][])('is for those who may gain by it: %j', async (options, refused) => {
  const link = await open(options);
  const has = hasNapi();
  if (options.persist) {
    await link.close();
    ip('link', 'delete', 'napi0');
  }
  expect([link.info.noThreadedNapi, link.stats().napi, has]).toEqual([refused, 'softirq', refused === null]);
});

test.skipIf(availableParallelism() === 1)(
  'without being asked a device tries it while its loop is busy with small frames',
  async () => {
    const link = await open({});
    const memory = new PacketMemory(16 << 20);
    const seen = new Set<string>();
    const receiver = {
      receiveBatch() {
        seen.add(link.stats().napi);
        for (let i = 0; i < 32; i++) datagram(link, memory, i);
        // What comes meanwhile keeps the loop from sleeping.
        for (const end = performance.now() + 2; performance.now() < end; );
      },
      flushDeferred() {},
      linkDown() {},
    };
    link.attach(receiver, memory);
    sendDatagrams('10.77.1.2', 'napi0');
    for (let i = 0; i < 1500 && !seen.has('threaded'); i++) await sleep(10);
    expect([...seen]).toEqual(expect.arrayContaining(['softirq', 'threaded']));
  },
);

test('of a namespace that the process is not in', async () => {
  const link = await open({ napi: 'threaded', netns: 'tapstack-napi' });
  expect(link.info).toMatchObject({ netnsCreated: true, noThreadedNapi: null });
  await untilThreaded(link);
  // `ip netns exec` has a sysfs of its own.
  expect(ip('netns', 'exec', 'tapstack-napi', 'cat', '/sys/class/net/napi0/threaded')).toBe('1\n');
});

test('a device that is closed is switched no more, and one that is closed meanwhile does no harm', async () => {
  const { Nic } = nativeNic();
  for (const early of [true, false]) {
    const nic = new Nic({ name: 'napi0', offload: true, persist: false, napi: true });
    nic.threadNapi(true);
    if (!early) while (nic.stats().napi === 'switching') await sleep(1);
    nic.close();
    nic.threadNapi(true);
    expect(nic.stats().napi).toBe('softirq');
    expect(networkInterfaces()).not.toHaveProperty('napi0');
  }
});

test('a device that was there before is left as it is, and who insists hears of it', async () => {
  ip('tuntap', 'add', 'dev', 'napi0', 'mode', 'tap');
  const link = await open({});
  expect(link.info).toMatchObject({ created: false, noThreadedNapi: 'EEXIST' });
  expect(hasNapi()).toBe(false);
  await link.close();
  await expect(open({ napi: 'threaded' })).rejects.toMatchObject({
    code: 'ERR_NO_THREADED_NAPI',
    message: expect.stringMatching(/napi0 cannot have threaded NAPI: the device was there before/),
  });
  expect(ip('address', 'show', 'napi0')).not.toMatch(/10\.77|,UP/);
  ip('link', 'delete', 'napi0');
});

test.each([
  ['no kind of NAPI', { napi: 'yes' as 'auto' }, /'auto', 'threaded' or 'softirq', not "yes"/],
  ['a thread for what is left behind', { napi: 'threaded', persist: true }, /left without threaded NAPI/],
] as [string, TapOptions, RegExp][])('refused: %s', async (_what, options, message) => {
  await expect(open(options)).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringMatching(message),
  });
});

// `tapstack wan`: what two namespaces see of each other through it, what it counts, and that nothing of it remains.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WanClock } from '../../src/cli/wan-clock.js';
import { layPipes } from '../../src/cli/wan-pipes.js';
import type { PipeOptions } from '../../src/lab/pipe-options.js';
import { RealClock, VirtualClock } from '../../src/time/clock.js';
import { ip, requireLab } from '../link/lab.js';
import { main, place, Server, shell, shellAsync, temporaryDirectory, tshark, until } from './server.js';

const ROOM = 90;

interface Wan {
  readonly server: Server;
  readonly a: string;
  readonly b: string;
  readonly addressA: string;
  readonly addressB: string;
}

const namespaceThere = (name: string): boolean => existsSync(`/run/netns/${name}`);

function launch(net: number, options: readonly string[], node: readonly string[] = []): Wan {
  requireLab();
  const at = place(ROOM, net);
  const [a, b] = [`${at.tap}a`, `${at.tap}b`];
  const ends = ['--netns-a', a, '--netns-b', b, '--tap-a', a, '--tap-b', b];
  const addresses = ['--address-a', `${at.host}/24`, '--address-b', `${at.stack}/24`];
  const args = [...node, main, 'wan', ...ends, ...addresses, ...options];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await server.exited();
  });
  const server = new Server(child, at, undefined);
  return { server, a, b, addressA: at.host, addressB: at.stack };
}

async function start(
  net: number,
  options: readonly string[] = [],
  node: readonly string[] = [],
): Promise<Wan> {
  const wan = launch(net, options, node);
  await wan.server.ready();
  return wan;
}

/** The counters of a wan that has ended, by direction. */
function counters({ server }: Wan, way: 'A to B' | 'B to A'): Record<string, number> {
  const line = server.out.split('\n').find((each) => each.startsWith(`${way}: `) && each.includes(' sent'));
  const found = [...(line ?? '').matchAll(/(\d+) ([a-z][a-z ]*)/g)];
  return Object.fromEntries(found.map(([, count, what]) => [what, Number(count)]));
}

/** Sends random bytes from A to B by nc, the kernel's TCP at both ends; how long it took, in seconds. */
async function transfer({ a, b, addressB }: Wan, bytes: number): Promise<number> {
  const file = join(temporaryDirectory(), 'data');
  shell('head -c "$1" /dev/urandom > "$2"', String(bytes), file);
  const received = shellAsync('ip netns exec "$1" timeout 14 nc -l -p 5001 | sha256sum', b);
  await until(() => shell('ip netns exec "$1" ss -Hltn "sport = 5001"', b).stdout !== '', 'nc to listen');
  const from = performance.now();
  const sent = shellAsync('ip netns exec "$1" timeout 14 nc -N "$2" 5001 < "$3"', a, addressB, file);
  expect((await sent).code).toBe(0);
  expect((await received).out).toBe(shell('sha256sum < "$1"', file).stdout);
  return (performance.now() - from) / 1000;
}

/** Both ends have said their last: nothing is sent again any more. */
async function parted({ a, b }: Wan): Promise<void> {
  const open = 'ip netns exec "$1" ss -Htn state connected exclude time-wait';
  await until(() => shell(open, a).stdout + shell(open, b).stdout === '', 'the connection to end');
}

test('without faults everything passes, whole', async () => {
  const wan = await start(1);
  expect(wan.server.out).toContain(`in the network namespace ${wan.a} (made for this)`);
  expect(wan.server.out).toContain('each way: no faults');
  await transfer(wan, 20_000_000);
  expect(await wan.server.stop()).toEqual({ code: 130, signal: null });
  expect(wan.server.err).toBe('');
  for (const way of ['A to B', 'B to A'] as const) {
    const { sent, passed, ...faults } = counters(wan, way);
    expect(passed).toBe(sent);
    expect(Object.values(faults).every((count) => count === 0)).toBe(true);
  }
  expect(counters(wan, 'A to B').sent).toBeGreaterThan(20_000_000 / 1500);
});

test('a ping takes the delay of both directions', async () => {
  const wan = await start(2, ['--delay', '40/10']);
  expect(wan.server.out).toContain('A to B: 40 ms delay');
  expect(wan.server.out).toContain('B to A: 10 ms delay');
  const { out } = await shellAsync('ip netns exec "$1" ping -q -c 10 -i 0.1 "$2"', wan.a, wan.addressB);
  const least = Number(/= ([\d.]+)\//.exec(out)?.[1]);
  expect(least).toBeGreaterThanOrEqual(50);
  expect(least).toBeLessThan(65);
});

test('2 % of loss lose about 2 %, and the count at the end is right', async () => {
  const wan = await start(3, ['--loss', '2/0', '--seed', '7']);
  const { out } = await shellAsync('ip netns exec "$1" ping -f -q -c 2000 "$2"', wan.a, wan.addressB);
  const missing = 2000 - Number(/(\d+) received/.exec(out)?.[1]);
  expect(missing).toBeGreaterThan(10);
  expect(missing).toBeLessThan(90);
  await wan.server.stop();
  const { lost } = counters(wan, 'A to B');
  // The kernel's own chatter (ARP, IPv6) may be hit too; a ping that waits for a lost ARP is only late.
  expect(Math.abs(lost - missing)).toBeLessThan(6);
  expect(counters(wan, 'B to A').lost).toBe(0);
});

test('a limited bandwidth limits', async () => {
  const wan = await start(4, ['--rate', '8', '--queue', '100', '--delay', '2']);
  expect(wan.server.out).toContain('8 Mbit/s with a queue of 100 frames (tail)');
  const seconds = await transfer(wan, 2_000_000);
  expect(seconds).toBeGreaterThan(1.9);
  expect(seconds).toBeLessThan(8);
});

test('every fault at once: TCP gets through, each is counted, and the captures show both ends', async () => {
  const pcap = join(temporaryDirectory(), 'wan.pcapng');
  const wan = await start(5, [
    ...[
      '--seed',
      '7',
      '--burst',
      '0.5,40',
      '--duplicate',
      '2',
      '--reorder',
      '2',
      '--reorder-by',
      '3',
      '--corrupt',
      '1',
    ],
    ...['--delay', '2', '--jitter', '1', '--rate', '50', '--queue', '40', '--qdisc', 'codel', '--pcap', pcap],
  ]);
  await transfer(wan, 1_000_000);
  await parted(wan);
  await wan.server.stop();
  expect(wan.server.err).toBe('');
  const { sent, lost, duplicated, reordered, corrupted } = counters(wan, 'A to B');
  for (const count of [lost, duplicated, reordered, corrupted]) {
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThan(sent / 5);
  }
  const bad = 'tcp.checksum.status == "Bad" || ip.checksum.status == "Bad"';
  const captured = (end: 'a' | 'b', filter: string): number =>
    tshark(pcap.replace('.pcapng', `-${end}.pcapng`), '-Y', filter).length;
  // What the hosts send is sound; what comes out at the other end is not always.
  expect(captured('a', `frame.packet_flags_direction == 1 && (${bad})`)).toBe(0);
  // A frame or two may still come in while the counters are being printed.
  expect(captured('a', 'frame.packet_flags_direction == 1') - sent).toBeGreaterThanOrEqual(0);
  expect(captured('a', 'frame.packet_flags_direction == 1') - sent).toBeLessThanOrEqual(3);
  expect(captured('b', `frame.packet_flags_direction == 2 && (${bad})`)).toBeGreaterThan(0);
});

describe('what is left', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s: nothing', async (signal) => {
    const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
    const wan = await start(codes[signal] - 120, ['--delay', '50']);
    expect(namespaceThere(wan.a) && namespaceThere(wan.b)).toBe(true);
    const ping = shellAsync('ip netns exec "$1" ping -q -w 1 -i 0.05 "$2"', wan.a, wan.addressB);
    await sleep(60);
    expect(await wan.server.stop(signal)).toEqual({ code: codes[signal], signal: null });
    expect(namespaceThere(wan.a) || namespaceThere(wan.b)).toBe(false);
    await ping;
  });

  test('--duration: nothing, and --quiet says one line', async () => {
    const wan = launch(31, ['--duration', '0.3', '--quiet']);
    expect(await wan.server.exited()).toEqual({ code: 0, signal: null });
    const { a, b, addressA, addressB } = wan;
    expect(wan.server.out).toBe(
      `tapstack wan: A (${addressA} in ${a}) and B (${addressB} in ${b}) are joined\n`,
    );
    expect(namespaceThere(a) || namespaceThere(b)).toBe(false);
  });

  test('a crash: nothing, and it says that it is a bug', async () => {
    const trap = encodeURIComponent("process.on('SIGUSR2', () => { throw new Error('made up') })");
    const wan = await start(32, [], ['--import', `data:text/javascript,${trap}`]);
    expect(await wan.server.stop('SIGUSR2')).toEqual({ code: 1, signal: null });
    expect(wan.server.err).toContain('Something went wrong that should not have');
    expect(namespaceThere(wan.a) || namespaceThere(wan.b)).toBe(false);
  });

  test('a device that somebody removes: nothing, with a word', async () => {
    const wan = await start(33);
    ip('-n', wan.b, 'link', 'delete', wan.b);
    expect(await wan.server.exited()).toEqual({ code: 1, signal: null });
    expect(wan.server.err).toMatch(/^tapstack: The TAP device is gone: /);
    expect(namespaceThere(wan.a) || namespaceThere(wan.b)).toBe(false);
  });

  test('a namespace that was there', async () => {
    const name = `${place(ROOM, 34).tap}a`;
    ip('netns', 'add', name);
    onTestFinished(() => void ip('netns', 'delete', name));
    const wan = await start(34);
    expect(wan.server.out).not.toContain(`${name} (made for this)`);
    await wan.server.stop();
    expect(namespaceThere(wan.a)).toBe(true);
    expect(namespaceThere(wan.b)).toBe(false);
    expect(ip('-n', name, 'link')).not.toContain(`${name}:`);
  });
});

describe('refusals', () => {
  test('a device that is taken, by the name of its end', async () => {
    const first = await start(41);
    const second = launch(42, ['--netns-b', first.b, '--tap-b', first.b]);
    expect(await second.server.exited()).toEqual({ code: 1, signal: null });
    expect(second.server.err).toContain(`The TAP device is taken: ${first.b} is in use by another program`);
    expect(second.server.err).toContain('  - another name: --tap-b NAME');
    expect(second.server.out).toBe('');
    expect(namespaceThere(second.a)).toBe(false);
    expect(shell('ip netns exec "$1" ping -q -c 1 "$2"', first.a, first.addressB).status).toBe(0);
  });

  test('a capture that cannot be written', async () => {
    const wan = launch(43, ['--pcap', join(temporaryDirectory(), 'nowhere', 'wan.pcapng')]);
    expect((await wan.server.exited()).code).toBe(1);
    expect(wan.server.err).toMatch(/Cannot capture to .*nowhere\/wan-a\.pcapng: ENOENT/);
    expect(namespaceThere(wan.a) || namespaceThere(wan.b)).toBe(false);
  });
});

test.each([
  [['--delay', 'soon'], 'It is a number from 0 to 60000 (milliseconds).'],
  [['--loss', '101'], 'It is a number from 0 to 100 (percent).'],
  [['--loss', '1/2/3'], 'It is one value, or two: A to B / B to A.'],
  [['--burst', '1'], 'It is two to four percentages with commas'],
  [['--rate', '0'], 'It is a number from 0.001 to 100000 (Mbit/s).'],
  [['--rate', '1', '--queue', '0'], 'A queue is a whole number from 1 to 1000000.'],
  [['--rate', '1', '--qdisc', 'fq'], 'It is one of tail, codel, red.'],
  [['--mtu', '67'], 'An MTU is a whole number from 68 to 65521.'],
  [['--tap-a', 'a b'], 'A device name is 1 to 15 characters'],
  [['--netns-b', '../x'], 'A namespace is named as a file is'],
  [['--address-a', '10.0.0.2'], 'Write an IPv4 address and a prefix length, like 10.0.0.2/24.'],
  [['--address-a', '10.1.0.1/24', '--address-b', '10.2.0.1/24'], 'they are not in one network'],
  [['--address-a', '10.1.0.1/24', '--address-b', '10.1.0.1/24'], 'they are the same address'],
  [['--netns-a', 'x', '--netns-b', 'x'], 'cannot both be in the network namespace x'],
  [['--loss', '1', '--burst', '1,25'], 'either one by one (--loss) or in bursts (--burst)'],
  [['--queue', '10'], 'A queue is only ever filled by a limited bandwidth.'],
  [['--reorder-by', '3'], 'No frame is held back without --reorder.'],
])('a command line that is wrong: %j', (args, why) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'wan', ...args], {
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(why);
});

describe('the model', () => {
  const FRAMES = 2000;
  const faults: PipeOptions = { loss: 0.02, duplicate: 0.01, reorder: 0.01, corrupt: 0.01, delayUs: 500 };

  /** Sends numbered frames from A to B, `noise` for each the other way, and tells what arrived. */
  function run(seed: number, noise = 0): { arrived: string[]; lost: number } {
    const clock = new VirtualClock();
    const arrived: string[] = [];
    const note = (frames: readonly Uint8Array[]): void => {
      for (const frame of frames) arrived.push(Buffer.from(frame).toString('hex'));
    };
    const pipes = layPipes(clock, seed, { ab: faults, ba: faults }, { ab: note, ba: () => {} });
    for (let i = 0; i < FRAMES; i++) {
      pipes.ab.send(Uint8Array.of(i >> 8, i));
      for (let j = 0; j < noise; j++) pipes.ba.send(new Uint8Array(2));
      clock.advance(100);
    }
    clock.advance(10_000);
    return { arrived, lost: pipes.ab.counters.lost };
  }

  test('the same seed does the same to the same frames, whatever comes the other way', () => {
    const first = run(5);
    expect(first.lost).toBeGreaterThan(15);
    expect(first.lost).toBeLessThan(75);
    expect(run(5)).toEqual(first);
    expect(run(5, 3)).toEqual(first);
    expect(run(6)).not.toEqual(first);
  });

  test('waking up late costs no bandwidth: every alarm sees the moment that it was set for', () => {
    const machine = new VirtualClock();
    const wan = new WanClock(machine);
    onTestFinished(() => wan.close());
    let bytes = 0;
    const count = (frames: readonly Uint8Array[]): void => {
      for (const frame of frames) bytes += frame.length;
    };
    // 1000 bytes a millisecond, with the 24 that each frame costs on the wire.
    const pipe: PipeOptions = { bandwidth: 8_000_000 };
    const { ab } = layPipes(wan.clock, 1, { ab: pipe, ba: pipe }, { ab: count, ba: count });
    for (let i = 0; i < 200; i++) ab.send(new Uint8Array(976));
    for (let late = 1; late <= 10; late++) {
      machine.advance(10_000);
      wan.catchUp();
      expect(bytes).toBe(late * 10 * 976);
    }
  });

  test('a delay of less than a millisecond is kept', async () => {
    const real = new RealClock();
    const late: number[] = [];
    const wan = new WanClock(real);
    onTestFinished(() => wan.close());
    wan.catchUp();
    for (let i = 0; i < 100; i++) {
      await new Promise<void>((resolve) => {
        wan.catchUp();
        const at = wan.clock.now() + 500;
        const onAlarm = (): void => {
          late.push(real.now() - at);
          resolve();
        };
        wan.clock.setAlarm({ onAlarm }, at);
        wan.catchUp();
      });
    }
    late.sort((one, other) => one - other);
    expect(late[0]).toBeGreaterThanOrEqual(0);
    // The machine may be busy with other things, but not always.
    expect(late[10]).toBeLessThan(300);
  });
});

// A TAP device that looks for frames again and again (busy polling): what else the event loop waits for does not wait for it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { TapLink } from '../../src/link/tap.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { requireLab, sendDatagrams } from './lab.js';

const TIMES = 200;

beforeAll(requireLab);

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

/** Milliseconds for a byte to another process and back, as a pipe has it. */
async function throughPipe(): Promise<number> {
  const cat = spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] });
  const times: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const start = performance.now();
    cat.stdin.write('x');
    await once(cat.stdout, 'data');
    times.push(performance.now() - start);
  }
  cat.stdin.end();
  await once(cat, 'exit');
  return median(times);
}

test('a pipe is as fast while frames keep the device polling', async () => {
  const link = await TapLink.open({ name: 'poll0', hostAddress: '10.77.2.1/24', busyPoll: 10_000 });
  onTestFinished(() => link.close());
  link.attach({ receiveBatch() {}, flushDeferred() {}, linkDown() {} }, new PacketMemory(16 << 20));
  const before = await throughPipe();
  sendDatagrams('10.77.2.2', 'poll0');
  while (link.stats().rxBusyPolled < 100) await sleep(1);
  const polled = link.stats().rxBusyPolled;
  const meanwhile = await throughPipe();
  expect(link.stats().rxBusyPolled - polled).toBeGreaterThan(TIMES / 10);
  // A millisecond each, ten to twenty times as much, if it were looked for when polling ends.
  expect(meanwhile / before).toBeLessThan(6);
});

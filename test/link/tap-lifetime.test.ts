// A device and the life around it: closing, garbage collection, exceptions, workers, memory and devices that vanish.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { requireLab } from './lab.js';

const scenarios = fileURLToPath(new URL('tap-scenarios.mjs', import.meta.url));
const terminated = fileURLToPath(new URL('tap-terminated.mjs', import.meta.url));
const standIn = fileURLToPath(new URL('tap-stand-in.py', import.meta.url));
const fullDevice = fileURLToPath(new URL('tap-full-device.py', import.meta.url));

const run = (...scenario: string[]) => runFile(scenarios, ...scenario);

function runStandIn(scenario: string) {
  const child = spawnSync('python3', [standIn, scenario, process.execPath, scenarios, scenario], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status: child.status, said: child.stdout.trim(), complained: child.stderr };
}

function runFile(...args: string[]) {
  const child = spawnSync(process.execPath, ['--expose-gc', ...args], { encoding: 'utf8', timeout: 60_000 });
  return { status: child.status, signal: child.signal, said: child.stdout.trim(), complained: child.stderr };
}

beforeAll(requireLab);

describe('TAP device', () => {
  test('outlives the garbage collection of its owner, and its owner is garbage once it is closed', () => {
    expect(run('gc')).toMatchObject({ status: 0, said: 'alive true\nclosed true\ncollected' });
  });

  test('passes exceptions of its callbacks to uncaughtException and goes on', () => {
    expect(run('throws')).toMatchObject({ status: 0, said: 'flush receive', complained: '' });
  });

  test('is removed, with the namespace made for it, when an exception ends the process', () => {
    const { status, said, complained } = run('uncaught');
    expect({ status, said }).toEqual({ status: 1, said: 'netns true' });
    expect(complained).toContain('nobody handles this');
    expect(existsSync('/run/netns/tapstack-scene')).toBe(false);
  });

  test('may be closed inside a batch, twice', () => {
    expect(run('close-inside')).toMatchObject({ status: 0, said: 'closed true frames true' });
  });

  test('runs the microtasks of a batch before it asks for deferred work', () => {
    expect(run('order')).toMatchObject({ status: 0, said: 'receive, tick, microtask, flush 0' });
  });

  test('reports memory that was detached, and stops', () => {
    const { status, said } = run('detach');
    expect(status).toBe(0);
    expect(said).toMatch(/^EFAULT .*detached/);
  });

  test('reports that somebody removed it, and lets the process end', () => {
    const { status, said } = run('removed');
    expect(status).toBe(0);
    expect(said).toMatch(/^ENODEV the TAP device scene0 is gone/);
  });

  test('does not keep the process when it is unreferenced or was never started', () => {
    expect(run('unref')).toMatchObject({ status: 0, said: 'free to go' });
    expect(run('forgotten')).toMatchObject({ status: 0, said: 'open true' });
  });

  test('is removed when the process exits inside a batch', () => {
    expect(run('exit-inside')).toMatchObject({ status: 7, signal: null, complained: '' });
    expect(networkInterfaces()).not.toHaveProperty('scene0');
  });

  test('is removed when the worker that opened it ends, in whatever way', () => {
    expect(run('worker')).toMatchObject({
      status: 0,
      said: [
        'returns: true then false, 0',
        'exits: true then false, 2',
        'exits-inside: true then false, 3',
        'throws: true then false, 1',
        'throws-inside: true then false, 1',
        'terminated: true then false, 1',
        'forgets: true then false, 0',
      ].join('\n'),
      complained: '',
    });
  });

  test('is removed when its worker is terminated inside the addon, and the process goes on', () => {
    expect(runFile(terminated)).toMatchObject({
      status: 0,
      said: [
        'open: 1, false',
        'open in vain: 1, false',
        'remove in vain: 1, false',
        'start: 1, false',
        'stats: 1, false',
        'switch NAPI: 1, false',
        'others: 1, false',
      ].join('\n'),
      complained: '',
    });
  });

  test('is left alone for a while when there is no block to receive into, or it gives nothing but errors', () => {
    expect(run('no-blocks')).toMatchObject({ status: 0, said: 'sleeps\nreceived' });
    expect(runStandIn('fails')).toMatchObject({ status: 0, said: 'sleeps\nerrors true' });
  });

  test('frames that were read ahead are received though the device is full, and counted when it is removed', () => {
    expect(runStandIn('ahead')).toMatchObject({ status: 0, said: 'full\nreceived 5', complained: '' });
    expect(run('removed-ahead')).toMatchObject({ status: 0, said: 'ENODEV true' });
  });

  test('that was handed over is called by its descriptor when the other end leaves', async () => {
    const child = spawn(process.execPath, [scenarios, 'full', '2000'], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    const left = child.stdio[3] as Socket;
    left.once('data', () => left.destroy());
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    expect(await once(child, 'close')).toEqual([1, null]);
    // Whoever looks first finds it out, by an errno of its own: a write, a read, the poll.
    expect(said).toMatch(
      /^ENODEV the device of descriptor 3 is gone: it was removed while in use \(E[A-Z]+\)/,
    );
  });

  test('keeps the ring while it is full, and resumes: nothing lost, nothing twice', () => {
    const child = spawnSync('python3', [fullDevice, process.execPath, scenarios, 'full', '2000'], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(child.stderr).toBe('');
    expect(child.stdout).toContain('in order 2000');
    const stats = JSON.parse(child.stdout.split('\n')[0]);
    expect(stats).toMatchObject({ txFrames: 2000, txDropped: 0, txInvalid: 0 });
    expect(stats.txEagain).toBeGreaterThan(0);
  });
});

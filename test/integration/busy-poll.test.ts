// `--busy-poll`: while round trips follow each other, the server finds the next frame itself instead of sleeping until it is woken.
// Counted in frames so found, since how often it does depends on who else wants the processors.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { TapLink } from 'tapstack';
import { expect, test } from 'vitest';
import type { InterfaceDetail } from '../../src/control/protocol.js';
import { main, place, type Server, shell, start } from './server.js';

const ROOM = 91;
const ROUND_TRIPS = 400;

async function roundTrips(server: Server, count = ROUND_TRIPS): Promise<void> {
  const socket = connect({ host: server.at.stack, port: 7, noDelay: true });
  await once(socket, 'connect');
  for (let i = 0; i < count; i++) {
    socket.write('ping');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toBe('ping');
  }
  socket.destroy();
}

/** The frames its device has received, and those of them that busy polling found. */
function frames(server: Server): { received: number; found: number } {
  const asked = shell(
    '"$@"',
    process.execPath,
    main,
    'netstat',
    '--pid',
    `${server.child.pid}`,
    '-i',
    '--json',
  );
  const { interfaces } = JSON.parse(asked.stdout) as { interfaces: InterfaceDetail[] };
  const stats = interfaces.find(({ name }) => name === server.at.tap)?.stats;
  return { received: stats?.rxFrames ?? Number.NaN, found: stats?.rxBusyPolled ?? Number.NaN };
}

/** Nobody asks any more: its processor time stands still. */
async function sleepsNow(server: Server): Promise<void> {
  const used = () => Number(readFileSync(`/proc/${server.child.pid}/stat`, 'utf8').split(' ')[13]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = used();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(used() - before).toBeLessThan(25); // of 50 ticks that a spinning thread would have used
}

test('finds frames instead of sleeping, and sleeps once nothing comes', async () => {
  const plain = await start('echo', place(ROOM, 1), { options: ['--quiet', '--busy-poll', '0'] });
  await roundTrips(plain);
  const woken = frames(plain);
  expect(woken.found).toBe(0);
  expect(woken.received).toBeGreaterThan(ROUND_TRIPS);

  const busy = await start('echo', place(ROOM, 2), { options: ['--quiet', '--busy-poll', '10000'] });
  // On a quiet machine nearly every round trip; where the client waits for a processor, the server rightly gives up.
  do await roundTrips(busy);
  while (frames(busy).found < ROUND_TRIPS / 4);

  await sleepsNow(busy);
}, 120_000);

test('by itself it tries that where it is woken again and again, and sleeps once nothing comes', async ({
  skip,
}) => {
  const server = await start('echo', place(ROOM, 3), { options: ['--quiet'] });
  expect(frames(server).found).toBe(0);
  /** Milliseconds for which it waited for a processor. */
  const waited = () =>
    Number(readFileSync(`/proc/${server.child.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  // Not where others want the processors: what was asked then says nothing.
  let undisturbed = 0;
  for (const end = performance.now() + 80_000; frames(server).found === 0; ) {
    const before = [performance.now(), waited()];
    await roundTrips(server, 10 * ROUND_TRIPS);
    if (waited() - before[1] < 0.02 * (performance.now() - before[0])) undisturbed++;
    if (performance.now() > end) skip(undisturbed < 5, 'the processors were never free for long enough');
    expect(undisturbed).toBeLessThan(10);
  }
  await sleepsNow(server);
}, 120_000);

test.each([-1, 10_001, 0.5, 'always' as 'auto'])('refuses %s', async (busyPoll) => {
  await expect(TapLink.open({ name: 'never0', busyPoll })).rejects.toThrow(/busyPoll is a whole number/);
});

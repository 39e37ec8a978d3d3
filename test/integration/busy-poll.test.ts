// `--busy-poll`: while round trips follow each other, the server does not go to sleep between them. Counted in times it slept.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { TapLink } from 'tapstack';
import { expect, test } from 'vitest';
import { place, type Server, start } from './server.js';

const ROOM = 91;
const ROUND_TRIPS = 400;

/** How often the server's thread has gone to sleep so far. */
function sleeps(server: Server): number {
  const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

async function sleepsPerRoundTrip(server: Server): Promise<number> {
  const socket = connect({ host: server.at.stack, port: 7, noDelay: true });
  await once(socket, 'connect');
  let before = 0;
  for (let i = -20; i < ROUND_TRIPS; i++) {
    if (i === 0) before = sleeps(server);
    socket.write('ping');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toBe('ping');
  }
  const count = sleeps(server) - before;
  socket.destroy();
  return count / ROUND_TRIPS;
}

test('spins instead of sleeping, and sleeps once nothing comes', async () => {
  const plain = await start('echo', place(ROOM, 1), { options: ['--quiet'] });
  const busy = await start('echo', place(ROOM, 2), { options: ['--quiet', '--busy-poll', '10000'] });
  const sleeping = await sleepsPerRoundTrip(plain);
  expect(await sleepsPerRoundTrip(busy)).toBeLessThan(sleeping / 2);
  // Nobody asks any more: its processor time stands still.
  const used = () => Number(readFileSync(`/proc/${busy.child.pid}/stat`, 'utf8').split(' ')[13]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = used();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(used() - before).toBeLessThan(25); // of 50 ticks that a spinning thread would have used
});

test.each([-1, 10_001, 0.5])('refuses %d µs', async (busyPoll) => {
  await expect(TapLink.open({ name: 'never0', busyPoll })).rejects.toThrow(/busyPoll is a whole number/);
});

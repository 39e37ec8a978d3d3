// What the C client measures: bulk transfers, round trips, whole connections. Each is one way to call it and one number of its answer.

import { contenders } from '../contenders.mjs';
import { client } from '../shell.mjs';

async function measure(server, { args, work }, { seconds }) {
  const warmUp = Math.max(0.1, seconds / 4);
  const stretch = ['-w', `${warmUp}`, '-t', `${seconds}`, '-p', `${server.pid}`];
  return client([...args, ...stretch, work, server.contender.server], seconds + 15);
}

const transfer = (name, title, work, connections, more = {}) => ({
  name,
  title,
  work,
  contenders: contenders.filter(({ only }) => only === undefined || only.includes(name)),
  measure,
  args: ['-n', `${connections}`, ...(more.congestion ? ['-c', more.congestion] : [])],
  ...(work.startsWith('i') || work.startsWith('o')
    ? { unit: 'Gbit/s', metric: 'gbps' }
    : { unit: 'per second', metric: 'perSecond' }),
});

export const transfers = [
  transfer('in-1', 'bulk in, 1 stream', 'in', 1),
  transfer('in-1-cubic', 'bulk in, 1 stream, cubic', 'in', 1, { congestion: 'cubic' }),
  transfer('out-1', 'bulk out, 1 stream', 'out', 1),
  transfer('in-8', 'bulk in, 8 streams', 'in', 8),
  transfer('out-8', 'bulk out, 8 streams', 'out', 8),
  transfer('rr-1', 'round trips, 1 connection', 'rr', 1),
  transfer('rr-64', 'round trips, 64 connections', 'rr', 64),
  transfer('crr-1', 'connections, 1 in flight', 'crr', 1),
  transfer('crr-64', 'connections, 64 in flight', 'crr', 64),
];

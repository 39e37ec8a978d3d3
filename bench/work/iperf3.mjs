// The stock iperf3 client against `tapstack iperf3` and against its own server on the kernel: both directions, one stream and four.

import { inNamespace, place, tapstackServer } from '../contenders.mjs';
import { run } from '../shell.mjs';

const SECONDS = 1;

const servers = [
  {
    name: 'tapstack-iperf3',
    title: 'tapstack iperf3',
    command: tapstackServer('iperf3', '--interval', '0'),
    ready: /listening/,
  },
  {
    name: 'kernel-iperf3',
    title: 'iperf3, kernel',
    kernel: true,
    command: inNamespace('iperf3', '--server', '--forceflush'),
    ready: /listening/,
  },
].map((contender, index) => ({ ...contender, ...place(24 + index) }));

async function measure({ contender }, { flags }) {
  const args = ['--client', contender.server, '--json', '--time', `${SECONDS}`, '--omit', '0', ...flags];
  const { end, error } = JSON.parse(await run('iperf3', args, 20));
  if (error !== undefined) throw new Error(error);
  return { gbps: end.sum_received.bits_per_second / 1e9 };
}

const work = (name, title, ...flags) => ({
  name,
  title: `iperf3, ${title}`,
  unit: 'Gbit/s',
  metric: 'gbps',
  contenders: servers,
  measure,
  flags,
  most: 2,
  mostWarmUps: 1,
});

export const iperf3 = [
  work('iperf3-in', 'in'),
  work('iperf3-out', 'out', '--reverse'),
  work('iperf3-in-4', 'in, 4 streams', '--parallel', '4'),
  work('iperf3-out-4', 'out, 4 streams', '--reverse', '--parallel', '4'),
];

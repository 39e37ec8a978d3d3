// Who is measured: each contender is a server on 7001 to 7003 that one network of its own leads to. It is started anew for each kind
// of work, so that what a just-in-time compiler learnt from one does not colour another.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sh } from './shell.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const main = here('../dist/cli/main.js');

/** 10.N.0.0/16: the host's end is .0.1, the server .0.2. */
const place = (index) => ({
  device: `bench${index}`,
  namespace: `bench${index}`,
  host: `10.${70 + index}.0.1`,
  server: `10.${70 + index}.0.2`,
});

const tapstack =
  (...options) =>
  ({ device, host, server }) => [
    process.execPath,
    [
      main,
      'bench-server',
      '--tap',
      device,
      '--host-address',
      `${host}/16`,
      '--address',
      `${server}/16`,
      ...options,
    ],
  ];

const inNamespace =
  (...command) =>
  ({ namespace }) => ['ip', ['netns', 'exec', namespace, ...command]];

const limit =
  (...options) =>
  ({ device, host, server }) => [here('build/limit'), [device, host, server, ...options]];

/** The order is that of tables and charts. `kernel`: reached over a veth pair. */
export const contenders = [
  { name: 'tapstack', title: 'tapstack', command: tapstack() },
  {
    name: 'node-net',
    title: 'Node net, kernel',
    kernel: true,
    command: inNamespace(process.execPath, here('net-server.mjs')),
  },
  {
    name: 'kernel',
    title: 'C epoll, kernel',
    kernel: true,
    command: inNamespace(here('build/epoll-server')),
  },
  { name: 'limit', title: 'limit of the TAP', command: limit() },
  { name: 'tapstack-plain', title: 'tapstack, plain frames', command: tapstack('--no-offload') },
  { name: 'limit-plain', title: 'limit of the TAP, plain frames', command: limit('plain') },
].map((contender, index) => ({ ...contender, ...place(index) }));

async function makeVeth({ device, namespace, host, server }) {
  await sh(`
    ip netns add ${namespace}
    ip link add ${device} type veth peer name ${device} netns ${namespace}
    ip address add ${host}/16 dev ${device}
    ip link set ${device} up
    ip -n ${namespace} address add ${server}/16 dev ${device}
    ip -n ${namespace} link set lo up
    ip -n ${namespace} link set ${device} up`);
}

async function removeVeth({ device, namespace }) {
  await sh(`ip link delete ${device}; ip netns delete ${namespace}`);
}

/** A running server; resolves when it listens. */
export async function start(contender) {
  if (contender.kernel) await makeVeth(contender);
  const [file, args] = contender.command(contender);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const ready = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`${contender.name} ended (${code ?? signal}): ${said.trim()}`)),
    );
    const hear = (text) => {
      said += text;
      if (/^ready$/m.test(said)) resolve();
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
  });
  await ready;
  return {
    contender,
    pid: child.pid,
    /** What it printed, for when it fails. */
    said: () => said.trim(),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill(contender.kernel ? 'SIGKILL' : 'SIGTERM');
        const impatient = setTimeout(() => child.kill('SIGKILL'), 3000);
        await ended;
        clearTimeout(impatient);
      }
      if (contender.kernel) await removeVeth(contender);
    },
  };
}

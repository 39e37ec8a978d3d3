// Who is measured: each contender is a server on 7001 to 7003 that one network of its own leads to. It is started anew for each kind
// of work, so that what a just-in-time compiler learnt from one does not colour another; `compiled` are those that have none.

import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const main = here('../dist/cli/main.js');

/** 10.N.0.0/16: the host's end is .0.1, the server .0.2. */
export const place = (index) => ({
  index,
  device: `bench${index}`,
  namespace: `bench${index}`,
  host: `10.${70 + index}.0.1`,
  server: `10.${70 + index}.0.2`,
});

/** A server of the tapstack command, on a TAP of its own. */
export const tapstackServer =
  (subcommand, ...options) =>
  ({ device, host, server }) => {
    const ends = ['--tap', device, '--host-address', `${host}/16`, '--address', `${server}/16`];
    return [process.execPath, [main, subcommand, ...ends, ...options]];
  };

/** A program in the far namespace of a veth pair. */
export const inNamespace =
  (...command) =>
  ({ namespace }) => ['ip', ['netns', 'exec', namespace, ...command]];

/**
 * What the tapstack command sets for itself (src/v8-flags.ts): Node's server is to have no worse compiler. The other flag, for buffers,
 * makes it no faster.
 */
const inlining = '--max-inlined-bytecode-size-cumulative=4000';

/** A program in C that opens its TAP itself. */
const program =
  (name, ...options) =>
  ({ device, host, server }) => [here(`build/${name}`), [device, host, server, ...options]];

/** The order is that of tables and charts. `kernel`: reached over a veth pair; `only`: the work for which it is there. */
export const contenders = [
  { name: 'tapstack', title: 'tapstack', command: tapstackServer('bench-server') },
  {
    name: 'tapstack-busy',
    title: 'tapstack, busy-polling',
    only: ['rr-1', 'rr-64'],
    command: tapstackServer('bench-server', '--busy-poll', '50'),
  },
  {
    name: 'tapstack-sleeping',
    title: 'tapstack, never polling',
    only: ['rr-1', 'crr-1'],
    command: tapstackServer('bench-server', '--busy-poll', '0'),
  },
  {
    name: 'tapstack-net',
    title: 'tapstack/net',
    command: tapstackServer('bench-server', '--api', 'net'),
  },
  {
    name: 'node-net',
    title: 'Node net, kernel',
    kernel: true,
    command: inNamespace(process.execPath, inlining, here('net-server.mjs')),
  },
  {
    name: 'kernel',
    title: 'C epoll, kernel',
    kernel: true,
    compiled: true,
    command: inNamespace(here('build/epoll-server')),
  },
  { name: 'limit', title: 'limit of the TAP', compiled: true, command: program('limit') },
  {
    name: 'tapstack-plain',
    title: 'tapstack, plain',
    command: tapstackServer('bench-server', '--no-offload'),
  },
  { name: 'lwip', title: 'lwIP', compiled: true, command: program('lwip-server') },
  {
    name: 'limit-plain',
    title: 'limit of the TAP, plain',
    compiled: true,
    command: program('limit', 'plain'),
  },
].map((contender, index) => ({ ...contender, ...place(index) }));

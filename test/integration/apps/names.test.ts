// Names that the machine gives IPv6 addresses first, `localhost` above all: the stack has none, and takes the others.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireLab } from '../../link/lab.js';
import { root, temporaryDirectory } from '../server.js';
import { program } from './both.js';

const SOURCE = `
  import { connect, createServer } from 'node:net';
  import { lookup } from 'node:dns/promises';
  console.log((await lookup('localhost')).address);
  const server = createServer((socket) => socket.end()).listen(0, 'localhost', () => {
    const { port, address } = server.address();
    console.log('listening on', address);
    const first = connect({ port, host: 'localhost', autoSelectFamily: false }, () => {
      console.log('connected to', first.remoteAddress);
      const second = connect({ port, host: 'localhost' }, () => console.log('connected to', second.remoteAddress));
      second.on('close', () => server.close()).resume();
    });
  });
`;

test('a server and its clients on localhost', () => {
  requireLab();
  const hosts = join(temporaryDirectory(), 'hosts');
  writeFileSync(hosts, '::1 localhost\n127.0.0.1 localhost\n');
  const node = `exec "${process.execPath}" --import tapstack/register "${program(SOURCE)}"`;
  const script = `ip link set lo up; mount --bind "${hosts}" /etc/hosts; ${node}`;
  const { stdout, stderr, status } = spawnSync('unshare', ['--mount', '--net', 'sh', '-c', script], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  expect(stderr).toBe('');
  expect(stdout.split('\n').slice(0, -1)).toEqual([
    '::1',
    'listening on 127.0.0.1',
    'connected to 127.0.0.1',
    'connected to 127.0.0.1',
  ]);
  expect(status).toBe(0);
});

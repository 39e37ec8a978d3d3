// Addresses that stay on the kernel: the program uses both networks, and nothing looks different from one.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { shellAsync, temporaryDirectory } from '../server.js';
import { bothWays } from './both.js';

test('servers and clients on 127.0.0.1 and on a path, beside the stack', async () => {
  const server = createServer((socket) => socket.end());
  onTestFinished(() => void server.close());
  await once(server.listen(0, '0.0.0.0'), 'listening');
  const { port } = server.address() as { port: number };
  const path = join(temporaryDirectory(), 'socket');
  const { out, err, exit } = await bothWays(
    71,
    'both-networks.mjs',
    async (app) => {
      await app.says('ready');
      const [line, own] = /^port (\d+)$/m.exec(app.out) ?? [];
      // The host's 127.0.0.1 is the program's, where the stack left it to the kernel.
      if (app.way === 'stack') {
        const seen = await shellAsync(`curl -sS -d hello http://127.0.0.1:${own}/`);
        expect(seen.out).toBe('hello');
      }
      app.out = app.out.replace(line ?? '', 'port');
      app.child.stdin?.end();
      await app.exited();
    },
    { args: [path, `10.86.71.1:${port}`], stdin: 'pipe', env: { TAPSTACK_KERNEL: '127.0.0.0/8,::1' } },
  );
  expect(err).toBe('');
  expect(out.split('\n')).toEqual([
    '127.0.0.1 IPv4 true',
    '127.0.0.1 3000000',
    'EADDRINUSE listen 127.0.0.1',
    'connect ECONNREFUSED 127.0.0.1:1',
    'connect ENOENT PATH-missing',
    'true',
    'by path 100000 100000 100000',
    'half 127.0.0.1 127.0.0.1 IPv4',
    'read ECONNRESET',
    'closed true',
    'abroad 10.86.71.2',
    'port',
    'ready',
    'closed',
    '',
  ]);
  expect(exit).toEqual({ code: 0, signal: null });
});

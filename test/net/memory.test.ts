// What a connection costs in memory that is read into: as much as was received, and nothing for its end.
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { expect, it, vi } from 'vitest';
import { createNet } from '../../src/net/create-net.js';
import { READ_SIZE } from '../../src/net/slab.js';
import { Stack } from '../../src/stack.js';

const CONNECTIONS = 200;

it('takes memory for what is received, none for the end of a connection', async () => {
  const net = createNet(new Stack({ memory: 16 << 20 }));
  const server: Server = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const slabs = vi.spyOn(Buffer, 'allocUnsafeSlow');
  try {
    for (let i = 0; i < CONNECTIONS; i++) {
      const client = net.connect(port, '127.0.0.1').end('a request');
      const [answer] = (await once(client, 'data')) as [Buffer];
      expect(`${answer}`).toBe('a request');
      await once(client, 'close');
    }
    const bytes = CONNECTIONS * 2 * 16;
    expect(slabs.mock.calls.length).toBeLessThanOrEqual(1 + Math.ceil(bytes / READ_SIZE));
  } finally {
    slabs.mockRestore();
    server.close();
    await once(server, 'close');
  }
});

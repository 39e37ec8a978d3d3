// A client and a server: connected, read, written, ended, and the order in which they hear of it.
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { nets } from './nets.js';

describe.each(nets)('%s', (_name, net) => {
  async function pair(): Promise<[server: InstanceType<typeof net.Server>, client: Socket, peer: Socket]> {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [Socket],
      [],
    ];
    return [server, client, peer];
  }

  it('carries bytes both ways and closes both ends', async () => {
    const [server, client, peer] = await pair();
    peer.on('data', (data) => peer.write(`echo ${data}`));
    client.write('hello');
    const [answer] = (await once(client, 'data')) as [Buffer];
    expect(`${answer}`).toBe('echo hello');
    client.end();
    const closes = await Promise.all([once(client, 'close'), once(peer, 'close')]);
    expect(closes).toEqual([[false], [false]]);
    server.close();
    await once(server, 'close');
  });

  it('knows its port when listen() returns', async () => {
    const server = net.createServer().listen(0);
    expect((server.address() as AddressInfo).port).toBeGreaterThan(0);
    server.close();
    await once(server, 'close');
    expect(server.address()).toBe(null);
  });

  it('is refused where nobody listens', async () => {
    const server = net.createServer().listen(0);
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const client = net.connect(port, '127.0.0.1');
    const [error] = (await once(client, 'error')) as [Error];
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '127.0.0.1',
      port,
      message: `connect ECONNREFUSED 127.0.0.1:${port}`,
    });
    expect(await once(client, 'close')).toEqual([true]);
  });

  it('keeps every byte of a slow reader', async () => {
    const [server, client, peer] = await pair();
    const size = 16 << 20;
    peer.end(Buffer.alloc(size, 'abcdefg'));
    client.pause();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(peer.writableLength).toBeGreaterThan(0);
    const chunks: Buffer[] = [];
    client.on('data', (chunk) => chunks.push(chunk));
    client.resume();
    await once(client, 'end');
    expect(Buffer.concat(chunks).equals(Buffer.alloc(size, 'abcdefg'))).toBe(true);
    server.close();
  });
});

// A connected socket: writing, reading, ending and resetting, time-outs, options.
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { nets } from './nets.js';

describe.each(nets)('%s', (_name, net) => {
  async function pair(options: object = {}): Promise<{ server: Server; client: Socket; peer: Socket }> {
    const server = net.createServer(options).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = net.connect({ ...options, port, host: '127.0.0.1' });
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
      [Socket],
      [],
    ];
    server.close();
    return { server, client, peer };
  }

  async function all(socket: Socket): Promise<string> {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'end');
    return Buffer.concat(chunks).toString('latin1');
  }

  it('writes every encoding byte by byte, corked or not', async () => {
    const { client, peer } = await pair();
    client.cork();
    client.write('é', 'utf8');
    client.write('é', 'latin1');
    client.write('é', 'utf16le');
    client.write('c3a9', 'hex');
    client.write(Buffer.from([1]));
    client.uncork();
    client.end('x'.repeat(200_000), 'ascii');
    expect(client.bytesWritten).toBe(2 + 1 + 2 + 2 + 1 + 200_000);
    const text = await all(peer);
    expect(text).toBe(`\xc3\xa9\xe9\xe9\x00\xc3\xa9\x01${'x'.repeat(200_000)}`);
    expect(peer.bytesRead).toBe(client.bytesWritten);
  });

  it('refuses what is no bytes by throwing', async () => {
    const { client } = await pair();
    expect(() => client.write(null as never)).toThrow(/May not write null values/);
    expect(() => client.write(5 as never)).toThrow(
      /must be of type string or an instance of Buffer(, TypedArray, or DataView| or Uint8Array)\. Received type number \(5\)/,
    );
    client.destroy();
  });

  it('tells a writer of a full pipe to wait, and when there is room again', async () => {
    const { client, peer } = await pair();
    peer.pause();
    expect(client.write(Buffer.alloc(16 << 20))).toBe(false);
    const drained = once(client, 'drain');
    peer.resume();
    await drained;
    expect(client.writableLength).toBe(0);
    client.destroy();
  });

  it('ends both ways by itself, or half when that is wanted', async () => {
    const plain = await pair();
    plain.peer.end('bye');
    expect(await all(plain.client)).toBe('bye');
    expect(await once(plain.client, 'close')).toEqual([false]);

    const half = await pair({ allowHalfOpen: true });
    half.peer.end('bye');
    expect(await all(half.client)).toBe('bye');
    expect(half.client.readyState).toBe('writeOnly');
    half.client.end('and you');
    expect(await all(half.peer)).toBe('and you');
  });

  it('refuses to write when the other party has ended', async () => {
    const { client, peer } = await pair();
    peer.end();
    client.resume();
    await once(client, 'finish');
    const callback = new Promise<Error | null | undefined>((resolve) => {
      expect(client.write('late', resolve)).toBe(false);
    });
    client.on('error', () => {});
    expect(await callback).toMatchObject({
      code: 'EPIPE',
      message: 'This socket has been ended by the other party',
    });
  });

  it('resets', async () => {
    const { client, peer } = await pair();
    expect(client.resetAndDestroy()).toBe(client);
    const [[error]] = await Promise.all([once(peer, 'error'), once(client, 'close')]);
    expect(error).toMatchObject({ code: 'ECONNRESET', syscall: 'read', message: 'read ECONNRESET' });
    const never = new net.Socket();
    never.resetAndDestroy();
    expect((await once(never, 'error'))[0]).toMatchObject({ code: 'ERR_SOCKET_CLOSED' });
  });

  it('reads into memory that it is given', async () => {
    const server = net.createServer((socket) => socket.end('abcdefghij')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const buffer = Buffer.alloc(4);
    const heard: string[] = [];
    const client = net.connect({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback: (count, data) => heard.push(Buffer.from(data).toString('latin1', 0, count)) > 0,
      },
    });
    client.on('data', () => heard.push('data!'));
    await once(client, 'end');
    expect(heard.join('')).toBe('abcdefghij');
    server.close();
  });

  it('tells of silence, and not while there is none', async () => {
    const { client, peer } = await pair();
    expect(client.setTimeout(60)).toBe(client);
    const began = performance.now();
    for (let n = 0; n < 4; n++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      peer.write('x');
      await once(client, 'data');
    }
    await once(client, 'timeout');
    expect(performance.now() - began).toBeGreaterThan(150);
    expect(client.destroyed).toBe(false);
    expect(() => client.setTimeout(-1)).toThrow(/non-negative finite number/);
    expect(() => client.setTimeout('5' as never)).toThrow(/"msecs" argument must be of type number/);
    client.destroy();
  });

  it('asks the handle for what has changed, and nothing else', async () => {
    const { client } = await pair();
    const asked: unknown[] = [];
    const handle = (client as unknown as { _handle: Record<string, unknown> })._handle;
    handle.setNoDelay = (on: boolean) => asked.push(['setNoDelay', on]);
    handle.setKeepAlive = (on: boolean, seconds: number) => asked.push(['setKeepAlive', on, seconds]);
    client.setNoDelay();
    client.setNoDelay(true);
    client.setKeepAlive(true, 5500);
    client.setKeepAlive(true, 5999);
    client.setKeepAlive(false);
    expect(asked).toEqual([
      ['setNoDelay', true],
      ['setKeepAlive', true, 5],
      ['setKeepAlive', false, 0],
    ]);
    client.destroy();
  });

  it('knows in its last event what it was', async () => {
    const { client, peer } = await pair();
    const { remoteAddress, remotePort } = peer;
    client.destroy();
    await once(peer.resume(), 'close');
    expect((peer as unknown as { _handle: unknown })._handle).toBe(null);
    expect(peer.setNoDelay().setKeepAlive(true).address()).toEqual({});
    expect(peer.bufferSize).toBe(undefined);
    expect(remoteAddress).toBe('127.0.0.1');
    expect(remotePort).toBeGreaterThan(0);
  });
});

// net.Server: the forms of listen(), what it says of its address, surplus connections, and when it is closed.
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { nets } from './nets.js';

describe.each(nets)('%s', (_name, net) => {
  it.each([
    [false, 'ERR_INVALID_ARG_VALUE', /must have the property "port" or "path"|is invalid/],
    [
      { host: 'x' },
      'ERR_INVALID_ARG_VALUE',
      'The argument \'options\' must have the property "port" or "path".',
    ],
    [
      { port: -1 },
      'ERR_SOCKET_BAD_PORT',
      'options.port should be >= 0 and < 65536. Received type number (-1).',
    ],
    [{ port: 1.5 }, 'ERR_SOCKET_BAD_PORT', /Received type number \(1.5\)/],
    [
      { port: 0, signal: 5 },
      'ERR_INVALID_ARG_TYPE',
      /"options.signal" property must be an instance of AbortSignal/,
    ],
  ])('refuses to listen on %j, with %s', (options, code, message) => {
    const server = net.createServer();
    let thrown: (Error & { code?: string }) | undefined;
    try {
      server.listen(options as never);
    } catch (error) {
      thrown = error as Error;
    }
    expect(thrown?.code).toBe(code);
    if (typeof message === 'string') expect(thrown?.message).toContain(message);
    else expect(thrown?.message).toMatch(message);
  });

  it('refuses options that are none', () => {
    expect(() => net.createServer('path' as never)).toThrow(/"options" argument must be of type/);
  });

  it('listens once, and again when it is closed', async () => {
    const server = net.createServer();
    expect(server.listen(0, '127.0.0.1')).toBe(server);
    await once(server, 'listening');
    expect(server.address()).toMatchObject({ address: '127.0.0.1', family: 'IPv4' });
    expect(() => server.listen(0)).toThrow(/Listen method has been called more than once without closing/);
    server.close();
    await once(server, 'close');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.close();
  });

  it('tells that an address is taken, a tick later', async () => {
    const first = net.createServer().listen(0, '127.0.0.1');
    await once(first, 'listening');
    const { port } = first.address() as AddressInfo;
    const second = net.createServer().listen(port, '127.0.0.1');
    const [error] = (await once(second, 'error')) as [Error];
    expect(error).toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: '127.0.0.1',
      port,
      message: `listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
    });
    expect(second.listening).toBe(false);
    first.close();
  });

  it('says nothing of a listen that was closed in the same turn', async () => {
    const heard: string[] = [];
    const server = net.createServer().listen(0, () => heard.push('listening'));
    server.close(() => heard.push('close'));
    await once(server, 'close');
    expect(heard).toEqual(['close']);
    const again = new Promise((resolve) => server.close(resolve));
    expect(await again).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
  });

  it('drops whom it has no room for', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    server.maxConnections = 1;
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const accepted = once(server, 'connection');
    const first = net.connect(port, '127.0.0.1');
    await accepted;
    const dropped = once(server, 'drop');
    const second = net.connect(port, '127.0.0.1');
    second.on('error', () => {});
    const [who] = (await dropped) as [{ localPort: number; remoteAddress: string; remoteFamily: string }];
    expect(who).toMatchObject({ localPort: port, remoteAddress: '127.0.0.1', remoteFamily: 'IPv4' });
    await once(second.resume(), 'close');
    const count = await new Promise((resolve) => server.getConnections((_error, n) => resolve(n)));
    expect(count).toBe(1);
    first.destroy();
    server.close();
  });

  it('is closed when the last connection is', async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [peer] = (await once(server, 'connection')) as [Socket];
    let closed = false;
    server.close(() => {
      closed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(closed).toBe(false);
    client.end();
    await Promise.all([once(peer.resume(), 'close'), once(server, 'close')]);
    expect(closed).toBe(true);
  });

  it('is called without new, and upon objects of others', () => {
    const call = net as unknown as { Server(): object; Socket(): object };
    expect(call.Server()).toBeInstanceOf(net.Server);
    expect(call.Socket()).toBeInstanceOf(net.Socket);
    class Own extends net.Server {}
    expect(new Own()).toBeInstanceOf(net.Server);
  });

  it('serves http on a server of its own, called upon an http.Server', async () => {
    class Own extends http.Server {}
    const server = new Own((_request, response) => response.end('hello'));
    Reflect.apply(net.Server as unknown as () => void, server, [{ allowHalfOpen: true }]);
    server.on(
      'connection',
      http.Server.prototype.listeners.call(new http.Server(), 'connection')[0] as never,
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = net.connect(port, '127.0.0.1');
    client.end('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    let text = '';
    client.on('data', (chunk) => {
      text += chunk;
    });
    await once(client, 'end');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*hello$/);
    server.close();
  });

  it('hands over connections that are paused', async () => {
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.write('hello');
    const [peer] = (await once(server, 'connection')) as [Socket];
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(peer.bytesRead).toBe(0);
    peer.resume();
    expect(`${(await once(peer, 'data'))[0]}`).toBe('hello');
    client.destroy();
    server.close();
  });
});

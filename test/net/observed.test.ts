// What may be watched from outside: diagnostics_channel and performance entries, the same as of Node's own net.
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { nets } from './nets.js';

interface Told {
  server?: Server;
  socket?: Socket;
  options?: unknown;
  error?: Error;
}

describe.each(nets)('%s', (_name, net) => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  function hear(name: string, hearer: (told: Told) => void): void {
    const listener = (told: unknown): void => hearer(told as Told);
    channel(name).subscribe(listener);
    ends.push(() => channel(name).unsubscribe(listener));
  }

  /** Hears of listening, in the order in which it is told. */
  function hearListening(heard: unknown[]): void {
    const { asyncStart, asyncEnd, error } = tracingChannel('net.server.listen');
    hear(asyncStart?.name as string, ({ server, options }) => heard.push(['asyncStart', server, options]));
    hear(asyncEnd?.name as string, ({ server }) => heard.push(['asyncEnd', server, server?.listening]));
    hear(error?.name as string, ({ server, error }) => heard.push(['error', server, error?.message]));
  }

  it('tells diagnostics_channel of a server that listens, before the call returns', async () => {
    const heard: unknown[] = [];
    hearListening(heard);
    const server = net.createServer().listen({ port: 0, host: '127.0.0.1' }, () => heard.push('listening'));
    expect(heard).toEqual([['asyncStart', server, { port: 0, host: '127.0.0.1' }]]);
    await once(server, 'listening');
    expect(heard.slice(1)).toEqual([['asyncEnd', server, true], 'listening']);
    server.close();
  });

  it('tells diagnostics_channel at once that a port is taken, and the program in the next tick', async () => {
    const first = net.createServer().listen(0);
    await once(first, 'listening');
    const { port } = first.address() as AddressInfo;
    const heard: unknown[] = [];
    hearListening(heard);
    const second = net.createServer().on('error', () => heard.push('told'));
    second.listen(port);
    expect(heard).toEqual([
      ['asyncStart', second, { port }],
      ['error', second, expect.stringMatching(/^listen EADDRINUSE: address already in use/)],
    ]);
    await once(second, 'error');
    expect(heard[2]).toBe('told');
    first.close();
  });

  it('tells diagnostics_channel of sockets: of a client before it connects, of a server after "connection"', async () => {
    const heard: unknown[] = [];
    hear('net.client.socket', ({ socket }) => heard.push(['client', socket?.connecting]));
    hear('net.server.socket', ({ socket }) => heard.push(['server', socket instanceof net.Socket]));
    const server = net.createServer((socket) => {
      heard.push('connection');
      socket.end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
    await once(client, 'close');
    server.close();
    expect(heard).toEqual([['client', false], 'connection', ['server', true]]);
  });

  it('makes a performance entry of each connection that came about', async () => {
    const entries: PerformanceEntry[] = [];
    const observer = new PerformanceObserver((list) => void entries.push(...list.getEntries()));
    observer.observe({ entryTypes: ['net'] });
    const server = net.createServer((socket) => socket.end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const before = performance.now();
    const client = net.connect(port, '127.0.0.1').resume();
    await once(client, 'close');
    server.close();
    await once(server, 'close');
    const refused = net.connect(port, '127.0.0.1');
    await once(refused, 'error');
    await setImmediate();
    observer.disconnect();
    expect(entries).toHaveLength(1);
    const [entry] = entries;
    expect(entry).toMatchObject({ name: 'connect', entryType: 'net', detail: { host: '127.0.0.1', port } });
    expect(entry.startTime).toBeGreaterThanOrEqual(before);
    expect(entry.startTime + entry.duration).toBeLessThanOrEqual(performance.now());
  });

  it('makes one, too, of a name with several addresses', async () => {
    const entries: PerformanceEntry[] = [];
    const observer = new PerformanceObserver((list) => void entries.push(...list.getEntries()));
    observer.observe({ type: 'net' });
    const server = net.createServer((socket) => socket.end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const lookup = (_host: string, _options: object, then: (...answer: unknown[]) => void): void =>
      then(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    const client = net.connect({ port, host: 'two.example', lookup: lookup as never }).resume();
    await once(client, 'close');
    server.close();
    await setImmediate();
    observer.disconnect();
    expect(entries).toMatchObject([{ detail: { host: '127.0.0.1', port } }]);
  });
});

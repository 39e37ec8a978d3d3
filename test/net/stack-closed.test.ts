// The stack is closed below what is open on it: everything ends, who asked for something hears why, and nobody needs to listen for
// an error of it who did not ask.
import { type EventEmitter, once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, NetConnectOpts, Server, Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { VirtualClock } from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { createNet, type Net } from '../../src/net/create-net.js';
import { Stack, type StackOptions } from '../../src/stack.js';

const HOME = '127.0.0.1';
const WHY = 'its stack was closed by stack.close(); make another, and a net on that';
const ABORTED = { code: 'ECONNABORTED', errno: -103 };
const DOWN = { code: 'ENETDOWN', errno: -100 };

let stack: Stack;
let net: Net;
/** What was heard, in order. */
let heard: string[];

function begin(options: StackOptions = {}): void {
  stack = new Stack({ memory: 16 << 20, ...options });
  net = createNet(stack);
  heard = [];
}

beforeEach(() => begin());

function hear<T extends EventEmitter>(name: string, emitter: T, ...events: string[]): T {
  for (const event of events)
    emitter.on(event, (value: unknown) =>
      heard.push(`${name}: ${event} ${value instanceof Error ? value.message : (value ?? '')}`.trim()),
    );
  return emitter;
}

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, HOME), 'listening');
  return (server.address() as AddressInfo).port;
}

/** No listener of 'error' anywhere: one that is emitted fails the test. */
async function pair(server = net.createServer()): Promise<[client: Socket, peer: Socket]> {
  const client = net.connect(await listening(server), HOME);
  const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [Socket],
    [],
  ];
  return [client, peer];
}

/** Connects are on their way by then. */
const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** All that comes of it has come. */
async function closed(): Promise<void> {
  await stack.close();
  for (let turns = 0; turns < 5; turns++) await turn();
}

describe('when the stack is closed', () => {
  it('servers and sockets are closed without an error, at once', async () => {
    const server = hear('server', net.createServer(), 'close');
    const [client, peer] = await pair(server);
    hear('client', client, 'end', 'close');
    hear('peer', peer.resume(), 'end', 'close');
    await stack.close();
    expect([server.listening, client.destroyed, peer.destroyed]).toEqual([false, true, true]);
    await closed();
    expect(heard).toEqual(['server: close', 'client: close false', 'peer: close false']);
  });

  it('what was never read and what waits for a listener is closed, too', async () => {
    const server = net.createServer({ pauseOnConnect: true });
    const [client, peer] = await pair(server);
    hear('peer', peer, 'close');
    hear('client', client.pause(), 'close');
    await closed();
    expect(heard).toEqual(['client: close false', 'peer: close false']);
  });

  it('whoever writes hears that it was lost, and so do those behind it', async () => {
    const [client, peer] = await pair();
    peer.pause();
    const wrote = (what: string) => (error?: Error | null) => heard.push(`${what}: ${error?.message}`);
    client.write(Buffer.alloc(8 << 20), wrote('first'));
    client.write('more', wrote('second'));
    client.end(wrote('end'));
    await turn();
    await closed();
    expect(heard.slice(0, 3)).toEqual([
      `first: write ECONNABORTED - ${WHY}`,
      `second: write ECONNABORTED - ${WHY}`,
      `end: write ECONNABORTED - ${WHY}`,
    ]);
  });

  it('streams that are piped or iterated end with an error', async () => {
    const [client, peer] = await pair();
    const piped = pipeline(peer, peer);
    const iterated = (async () => {
      for await (const _ of client);
    })();
    const ends = Promise.allSettled([piped, iterated]);
    await turn();
    await stack.close();
    expect(await ends).toMatchObject([
      { reason: { code: 'ERR_STREAM_PREMATURE_CLOSE' } },
      { reason: { code: 'ERR_STREAM_PREMATURE_CLOSE' } },
    ]);
  });

  it('whoever connects hears that it failed, and why', async () => {
    const [client] = await pair();
    const { remotePort: port } = client;
    const connecting = net.connect(port as number, HOME);
    const error = once(connecting, 'error');
    const close = new Promise((resolve) => connecting.on('close', resolve));
    await tick();
    await stack.close();
    expect((await error)[0]).toMatchObject({
      ...ABORTED,
      syscall: 'connect',
      address: HOME,
      port,
      message: `connect ECONNABORTED ${HOME}:${port} - ${WHY}`,
    });
    expect(await close).toBe(true);
  });

  it('a name that is still looked up leads nowhere, also where there are several addresses to it', async () => {
    const answers: (() => void)[] = [];
    const lookup = (
      _host: string,
      { all }: { all?: boolean },
      done: (...answer: unknown[]) => void,
    ): void => {
      const addresses = ['127.0.0.2', HOME].map((address) => ({ address, family: 4 }));
      answers.push(() => (all ? done(null, addresses) : done(null, HOME, 4)));
    };
    const options = { host: 'some.name', port: 7, lookup } as unknown as NetConnectOpts;
    const one = once(net.connect({ ...options, autoSelectFamily: false }), 'error');
    const several = once(net.connect({ ...options, autoSelectFamily: true }), 'error');
    await stack.close();
    for (const answer of answers) answer();
    expect((await one)[0]).toMatchObject({ ...DOWN, message: `connect ENETDOWN ${HOME}:7 - ${WHY}` });
    expect((await several)[0]).toMatchObject({
      code: 'ENETDOWN',
      errors: [{ message: `connect ENETDOWN 127.0.0.2:7 - ${WHY}` }, { ...DOWN, address: HOME }],
    });
  });

  it('an attempt at one of several addresses fails, and so do the others', async () => {
    const addresses = ['127.0.0.2', HOME].map((address) => ({ address, family: 4 }));
    const lookup = (_host: string, _options: object, done: (...answer: unknown[]) => void): void =>
      done(null, addresses);
    net.createServer().listen(7, '127.0.0.2');
    const socket = net.connect({ host: 'some.name', port: 7, lookup, autoSelectFamily: true } as never);
    const failed = once(socket, 'error');
    await tick();
    await stack.close();
    const [error] = await failed;
    expect(error).toMatchObject({
      code: 'ECONNABORTED',
      errors: [
        { ...ABORTED, address: '127.0.0.2' },
        { ...DOWN, address: HOME },
      ],
    });
  });

  it('a timeout goes no further', async () => {
    const [client] = await pair();
    hear('client', client.setTimeout(30), 'timeout', 'close');
    await closed();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(heard).toEqual(['client: close false']);
  });

  it('a listener that throws keeps nobody else from hearing of it', async () => {
    const server = net.createServer();
    const [client, peer] = await pair(server);
    hear('client', client, 'close');
    hear('peer', peer, 'close');
    server.close = () => {
      throw new Error('a program’s');
    };
    const uncaught = new Promise((resolve) => process.prependOnceListener('uncaughtException', resolve));
    const others = process.listeners('uncaughtException').slice(1);
    for (const other of others) process.off('uncaughtException', other);
    try {
      await stack.close();
      expect(await uncaught).toMatchObject({ message: 'a program’s' });
    } finally {
      for (const other of others) process.on('uncaughtException', other);
    }
    await closed();
    expect(heard).toEqual(['client: close false', 'peer: close false']);
  });

  it('all of it arrives in a virtual time that nobody moves any more', async () => {
    const clock = new VirtualClock();
    begin({ clock });
    const server = hear('server', net.createServer(), 'close').listen(7, HOME);
    const client = hear('client', net.connect(7, HOME), 'connect', 'close');
    server.on('connection', (socket) => hear('peer', socket, 'close'));
    for (let turns = 0; turns < 10; turns++) {
      await turn();
      clock.advance(1000);
    }
    client.write('something');
    await closed();
    expect(heard.slice(0, 1)).toEqual(['client: connect']);
    expect(heard.slice(1).sort()).toEqual(['client: close false', 'peer: close false', 'server: close']);
  });
});

describe('afterwards', () => {
  it('nothing can be listened on nor connected to, on a net of before or a new one', async () => {
    net.createServer();
    await stack.close();
    for (const each of [net, createNet(stack)]) {
      const server = each.createServer();
      const [refused] = await once(server.listen(80, HOME), 'error');
      expect(refused).toMatchObject({
        ...DOWN,
        syscall: 'listen',
        message: `listen ENETDOWN: network is down ${HOME}:80 - ${WHY}`,
      });
      expect(server.listening).toBe(false);
      const socket = each.connect(80, HOME);
      const [failed] = await once(socket, 'error');
      expect(failed).toMatchObject({
        ...DOWN,
        syscall: 'connect',
        message: `connect ENETDOWN ${HOME}:80 - ${WHY}`,
      });
      const bound = each.connect({ port: 80, host: HOME, localAddress: HOME });
      expect((await once(bound, 'error'))[0]).toMatchObject({ ...DOWN, syscall: 'bind' });
    }
  });

  it('a server that was closed so is closed, and a socket is destroyed', async () => {
    const server = net.createServer();
    const [client, peer] = await pair(server);
    await stack.close();
    const error = await new Promise((resolve) => server.close(resolve));
    expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
    expect(await new Promise((resolve) => client.write('x', resolve))).toMatchObject({
      code: 'ERR_STREAM_DESTROYED',
    });
    expect(await new Promise((resolve) => peer.end('x', resolve as () => void))).toMatchObject({
      code: 'ERR_STREAM_DESTROYED',
    });
    expect([client.remoteAddress, server.address()]).toEqual([undefined, null]);
    const [again] = await once(server.listen(0), 'error');
    expect(again).toMatchObject(DOWN);
  });
});

it('requests of http end as when a connection is lost, and its server is closed', async () => {
  const server = http.createServer((request, response) => {
    hear('server', request, 'aborted', 'error');
    if (request.url === '/part') response.write('part');
  });
  const below = net.createServer((socket) => server.emit('connection', socket));
  const port = await listening(below);
  hear('below', below, 'close');
  const createConnection = () => net.connect(port, HOME);
  const silent = once(http.get({ path: '/silent', createConnection }), 'error');
  const [response] = await once(http.get({ path: '/part', createConnection }), 'response');
  const aborted = once(response.resume(), 'error');
  await stack.close();
  expect((await silent)[0]).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });
  expect((await aborted)[0]).toMatchObject({ code: 'ECONNRESET', message: 'aborted' });
  await closed();
  expect(heard.sort()).toEqual([
    'below: close',
    'server: aborted',
    'server: aborted',
    'server: error aborted',
    'server: error aborted',
  ]);
});

// The listener below a server: pauses that clients feel, and which servers have none.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import nodeNet, { type AddressInfo, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import net, { createNet, listenerOf } from '../../src/net/index.js';
import { Stack } from '../../src/stack.js';

const ours = createNet(new Stack({ memory: 16 << 20 }));

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function errorOf(socket: Socket): Promise<string | undefined> {
  const [error] = await once(socket, 'error');
  return (error as NodeJS.ErrnoException).code;
}

function refusal(server: Server): string | undefined {
  try {
    listenerOf(server);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

describe('a server that pauses', () => {
  it('refuses new clients, serves those it has, and takes new ones once it resumes', async () => {
    const server = ours.createServer((socket) => socket.pipe(socket));
    const port = await listening(server);
    const early = ours.connect(port, '127.0.0.1');
    await once(early, 'connect');
    listenerOf(server).pause({ refuse: true });
    expect(await errorOf(ours.connect(port, '127.0.0.1'))).toBe('ECONNREFUSED');
    early.write('hello');
    expect(String((await once(early, 'data'))[0])).toBe('hello');
    listenerOf(server).resume();
    const late = ours.connect(port, '127.0.0.1');
    await once(late, 'connect');
    expect(listenerOf(server).counters.PausedResets).toBe(1);
    for (const socket of [early, late]) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it('keeps clients waiting, who come in by themselves afterwards', async () => {
    const server = ours.createServer((socket) => socket.end('in'));
    const port = await listening(server);
    const listener = listenerOf(server);
    listener.pause();
    const client = ours.connect(port, '127.0.0.1');
    const events: string[] = [];
    client.on('connect', () => events.push('connect'));
    server.on('connection', () => events.push('connection'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([events, listener.counters.PausedDrops, listener.synQueue]).toEqual([[], 1, []]);
    listener.resume();
    expect(String((await once(client, 'data'))[0])).toBe('in');
    expect(events.sort()).toEqual(['connect', 'connection']);
    server.close();
    await once(server, 'close');
  });

  it('may be one of http, whose connections are kept alive through it', async () => {
    const server = http.createServer((_request, response) => response.end('hello'));
    const below = ours.createServer((socket) => server.emit('connection', socket));
    const port = await listening(below);
    const agent = new http.Agent({ keepAlive: true });
    Object.assign(agent, { createConnection: () => ours.connect(port, '127.0.0.1') });
    const ask = async (): Promise<string> => {
      const [response] = await once(http.get({ agent }), 'response');
      return String((await once(response, 'data'))[0]);
    };
    expect(await ask()).toBe('hello');
    listenerOf(below).pause({ refuse: true });
    await new Promise((resolve) => setImmediate(resolve));
    expect(await ask()).toBe('hello');
    agent.destroy();
    server.close();
    below.close();
    await once(below, 'close');
  });
});

it('an http server of a program that runs on the stack has one', () => {
  const program = `
    import http from 'node:http';
    import { listenerOf } from 'tapstack/net';
    const server = http.createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1', () => {
      const get = () => http.get({ port: server.address().port, host: '127.0.0.1', agent: false });
      const listener = listenerOf(server);
      listener.pause({ refuse: true });
      get().on('error', ({ code }) => {
        console.log(code);
        listener.resume();
        get().on('response', (response) => {
          console.log(response.statusCode);
          response.resume();
          server.close();
        });
      });
    });`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tapstack/register', '--input-type=module', '-e', program],
    {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      encoding: 'utf8',
      timeout: 60_000,
    },
  );
  expect([stdout, stderr]).toEqual(['ECONNREFUSED\n200\n', '']);
});

describe('listenerOf', () => {
  it('has none where nothing listens, or the kernel does', async () => {
    const server = ours.createServer();
    expect(refusal(server)).toBe('ERR_SERVER_NOT_RUNNING');
    await listening(server);
    expect(refusal(server)).toBeUndefined();
    server.close();
    expect(refusal(server)).toBe('ERR_SERVER_NOT_RUNNING');

    const kernels = nodeNet.createServer();
    await listening(kernels);
    expect(refusal(kernels)).toBe('ENOTSUP');
    kernels.close();

    const addresses = new nodeNet.BlockList();
    addresses.addAddress('127.0.0.1');
    const mixed = createNet(new Stack({ memory: 4 << 20 }), { kernel: addresses }).createServer();
    await listening(mixed);
    expect(() => listenerOf(mixed)).toThrow('this server listens on the kernel, not on a stack');
    mixed.close();
  });

  it('is in the module that require gives, too, and no method of servers', () => {
    expect((net as unknown as { listenerOf: unknown }).listenerOf).toBe(listenerOf);
    expect('listener' in ours.createServer() || 'listenerOf' in ours.createServer()).toBe(false);
  });
});

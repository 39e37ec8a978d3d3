// Servers that people write with libraries: ws, fastify, express.

import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { shellAsync } from '../server.js';
import { type App, bothWays } from './both.js';

async function curl(app: App, path: string, ...options: string[]): Promise<string> {
  const script = 'curl -sS -i --max-time 10 "$@" 2>&1';
  const { out } = await shellAsync(script, ...options, `http://${app.address}:8080${path}`);
  return out;
}
const json = (body: string): string[] => ['-H', 'Content-Type: application/json', '-d', body];

test('ws, a server', async () => {
  const { saw, out } = await bothWays(11, 'ws-server.mjs', async (app) => {
    await app.says('listening');
    const seen: unknown[] = [];
    const socket = new WebSocket(`ws://${app.address}:8080/`);
    const next = async () => String((await once(socket, 'message'))[0]);
    seen.push(await next());
    for (const message of ['hello', 'x'.repeat(70_000), 'compress me '.repeat(50_000)]) {
      socket.send(message);
      seen.push((await next()) === message);
    }
    for (let at = 0; at < 500; at++) socket.send(String(at));
    const numbers: number[] = [];
    while (numbers.length < 500) numbers.push(...(await batch(socket)));
    seen.push(numbers.every((number, at) => number === at));
    socket.send('bye');
    const [code, reason] = await once(socket, 'close');
    seen.push(code, String(reason));
    await app.says('closed 4000 as you wish');
    // One that is still there when the server goes.
    const other = new WebSocket(`ws://${app.address}:8080/`);
    await once(other, 'open');
    app.child.kill('SIGTERM');
    seen.push((await once(other, 'close'))[0]);
    await app.exited();
    return seen;
  });
  expect(saw).toEqual(['welcome 10.86.11.1', true, true, true, true, 4000, 'as you wish', 1006]);
  expect(out).toBe('listening\nclosed 4000 as you wish\ngone\nclosed 1006 \n');
});

/** What arrives until the loop turns. */
async function batch(socket: WebSocket): Promise<number[]> {
  const numbers: number[] = [];
  const take = (data: unknown) => numbers.push(Number(String(data)));
  socket.on('message', take);
  await once(socket, 'message');
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.off('message', take);
  return numbers;
}

test('ws, a client', async () => {
  const server = new WebSocketServer({ port: 0, host: '0.0.0.0' });
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const peers = new Set<string | undefined>();
  server.on('connection', (socket, request) => {
    peers.add(request.socket.remoteAddress);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  const { out, exit } = await bothWays(12, 'ws-client.mjs', async (app) => void (await app.exited()), {
    args: [`ws://10.86.12.1:${port}/`, 'ws://10.86.12.1:9/'],
  });
  expect(out.split('\n')).toEqual([
    'text 5 0',
    'binary 1000000 0',
    'text 70000 0',
    'pong: are you there',
    'closed 1000 done',
    'ECONNREFUSED connect 10.86.12.1 9',
    '',
  ]);
  expect(exit).toEqual({ code: 0, signal: null });
  expect([...peers]).toEqual(['10.86.12.2']);
});

test('fastify', async () => {
  const { saw, out, exit } = await bothWays(
    13,
    'fastify-server.mjs',
    async (app) => {
      await app.says('listening');
      return {
        hello: await curl(app, '/hello/you'),
        sum: await curl(app, '/sum', ...json('{"a":1,"b":2}')),
        invalid: await curl(app, '/sum', ...json('{"a":1}')),
        source: await curl(app, '/source'),
        fail: await curl(app, '/fail'),
        missing: await curl(app, '/missing'),
      };
    },
    { args: ['10.86.13.2'] },
  );
  expect(saw.hello).toContain('{"hello":"you","from":"10.86.13.1"}');
  expect(saw.sum).toContain('{"sum":3}');
  expect(saw.invalid).toContain('400 Bad Request');
  expect(saw.source).toContain('// A fastify application');
  expect(saw.fail).toContain('500 Internal Server Error');
  expect(out).toBe('http://10.86.13.2:8080\nlistening\nclosed\n');
  expect(exit).toEqual({ code: 0, signal: null });
});

test('express', async () => {
  const { saw, out, exit } = await bothWays(14, 'express-server.cjs', async (app) => {
    await app.says('listening');
    return {
      hello: await curl(app, '/hello/you'),
      sum: await curl(app, '/sum', ...json('{"a":1,"b":2}')),
      source: await curl(app, '/source'),
      redirect: await curl(app, '/redirect', '-L'),
      fail: await curl(app, '/fail'),
      wrong: await curl(app, '/sum', ...json('{')),
    };
  });
  expect(saw.hello).toContain('{"hello":"you","from":"10.86.14.1"}');
  expect(saw.sum).toContain('{"sum":3}');
  expect(saw.source).toContain("require('express')");
  expect(saw.redirect).toContain('{"hello":"again"');
  expect(saw.fail).toContain('{"error":"as asked"}');
  expect(out).toBe('listening\nclosed\n');
  expect(exit).toEqual({ code: 0, signal: null });
});

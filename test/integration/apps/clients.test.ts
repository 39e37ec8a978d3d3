// Programs that call out to real servers on the host's side: HTTP, Redis, PostgreSQL.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type App, bothWays } from './both.js';
import { type Service, startPostgres, startRedis } from './services.js';

const REDIS = 6390;
const POSTGRES = 5490;
const PASSWORD = 'not a secret';
const running: Service[] = [];

beforeAll(async () => {
  running.push(...(await Promise.all([startRedis(REDIS), startPostgres(POSTGRES, PASSWORD)])));
});
afterAll(() => Promise.all(running.map((service) => service.stop())));

const ends = async (app: App): Promise<void> => void (await app.exited());

test('fetch and undici', async () => {
  const server = httpServer();
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, '0.0.0.0'), 'listening');
  const { port } = server.address() as AddressInfo;
  const { out, err, exit } = await bothWays(21, 'fetch-client.mjs', ends, {
    args: [`http://10.86.21.1:${port}`, 'http://10.86.21.1:2999'],
  });
  expect(out.split('\n')).toEqual([
    'fetch 200 10.86.21.2',
    'redirect true 10.86.21.2',
    'post true',
    'forty true',
    'gzip gzip 100000',
    'aborted TimeoutError',
    'refused fetch failed ECONNREFUSED connect 10.86.21.1',
    'undici 200 5000000',
    'pipelined 0,1,2,3,4,5,6,7,8,9',
    'late UND_ERR_HEADERS_TIMEOUT',
    'localhost fetch failed',
    '',
  ]);
  expect(err).toBe('');
  expect(exit).toEqual({ code: 0, signal: null });
});

function httpServer(): Server {
  return createServer((request, response) => {
    const [, route, argument] = (request.url ?? '').split('/');
    if (route === 'whoami') response.end(request.socket.remoteAddress);
    else if (route === 'redirect') response.writeHead(302, { Location: '/whoami' }).end();
    else if (route === 'echo') request.pipe(response);
    else if (route === 'number') response.end(argument);
    else if (route === 'bytes') response.end(Buffer.alloc(Number(argument), 'b'));
    else if (route === 'gzip')
      response.setHeader('Content-Encoding', 'gzip').end(gzipSync('z'.repeat(100_000)));
  });
}

test('redis', async () => {
  const { out, err, exit } = await bothWays(22, 'redis-client.mjs', ends, {
    args: ['10.86.22.1', String(REDIS)],
  });
  expect(out).toContain("connections 3 Set(1) { '10.86.22.2' }");
  expect(out).toContain('big true');
  expect(out).toContain('refused ECONNREFUSED connect 10.86.22.1 1');
  expect(err).toBe('');
  expect(exit).toEqual({ code: 0, signal: null });
});

test('postgresql', async () => {
  const { out, err, exit } = await bothWays(23, 'pg-client.mjs', ends, {
    args: ['10.86.23.1', String(POSTGRES), PASSWORD],
  });
  expect(out).toBe(
    [
      "[ { from: '10.86.23.2', next: 42 } ]",
      '2000',
      '2000 name 2000 2000000',
      '2450 5',
      '2000',
      'payload',
      '42703 column "nothing" does not exist',
      '28P01',
      'ECONNREFUSED connect 10.86.23.1 1',
      '',
    ].join('\n'),
  );
  expect(err).toBe('');
  expect(exit).toEqual({ code: 0, signal: null });
});

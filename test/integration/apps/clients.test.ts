// Programs that call out to real servers on the host's side: HTTP, Redis, PostgreSQL.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type App, bothWays, certificate } from './both.js';
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

test('tls, https and http2, calling out', async () => {
  const { key, cert } = certificate('10.86.24.1');
  const answer = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
    if (request.method === 'POST') request.pipe(response);
    else response.end(`${request.url} ${request.socket.remoteAddress}`);
  };
  const secure = createSecureServer(
    { key: readFileSync(key), cert: readFileSync(cert), allowHTTP1: true },
    answer,
  );
  const clear = createServer((request, response) => void response.end(request.url));
  onTestFinished(() => {
    clear.closeAllConnections();
    secure.close();
    clear.close();
  });
  await once(secure.listen(0, '0.0.0.0'), 'listening');
  await once(clear.listen(0, '0.0.0.0'), 'listening');
  const [port, clearPort] = [secure, clear].map((server) => String((server.address() as AddressInfo).port));
  const { out, err, exit } = await bothWays(24, 'tls-clients.mjs', ends, {
    args: ['10.86.24.1', port, cert, clearPort],
  });
  expect(out.split('\n')).toEqual([
    '200 /one 10.86.24.2 false true',
    '200 /two 10.86.24.2 true true',
    'posted 2000000',
    'stranger DEPTH_ZERO_SELF_SIGNED_CERT',
    '/1 10.86.24.2,/2 10.86.24.2,/3 10.86.24.2 h2 true',
    'http/1.1 TLSv1.3 true true',
    'closed true',
    expect.stringMatching(/^no TLS there ERR_SSL_/),
    '/0,/1,/2,/3,/4,/5',
    '',
  ]);
  expect(err).toBe('');
  expect(exit).toEqual({ code: 0, signal: null });
});

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

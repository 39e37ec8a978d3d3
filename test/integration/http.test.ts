// `tapstack http` from the host's side: curl, keep-alive, pipelining, slow readers, half-closes, and requests that are none.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { checkCapture, place, type Server, shell, start, temporaryDirectory, tshark } from './server.js';

const ROOM = 83;

/** Byte i is i % 251, as the server promises. */
function pattern(length: number, from = 0): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (from + i) % 251));
}

async function open(server: Server): Promise<Socket> {
  const socket = connect({ host: server.at.stack, port: 80, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Sends bytes on a connection of their own, and returns all that comes back until the server closes. */
async function talk(server: Server, request: string): Promise<string> {
  const socket = await open(server);
  socket.write(request, 'latin1');
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

describe.each([
  ['level-triggered', []],
  ['edge-triggered', ['--edge']],
])('%s', (_mode, options) => {
  const at = (net: number) => place(ROOM, options.length * 20 + net);

  test('gives curl a page about its own connection, and bytes by the number', async () => {
    const server = await start('http', at(1), { capture: true, options });
    const url = `http://${server.at.stack}`;
    const page = shell(`curl -sS -w '%{local_port}' ${url}/`).stdout;
    const port = /\d+$/.exec(page)?.[0];
    expect(page).toContain(`<tr><th scope="row">peer</th><td>${server.at.host}:${port}</td></tr>`);
    expect(page).toContain(`<tr><th scope="row">local</th><td>${server.at.stack}:80</td></tr>`);
    expect(page).toContain('<tr><th scope="row">state</th><td>ESTABLISHED</td></tr>');
    expect(page).toContain('timestamps, SACK, window scaling');
    expect(page).toMatch(/<th scope="row">rtt<\/th><td>\d+ µs<\/td>/);
    expect(page).not.toContain('undefined');

    const file = join(temporaryDirectory(), 'bytes');
    expect(shell(`curl -sS -o "$1" ${url}/bytes/300000`, file).status).toBe(0);
    expect(readFileSync(file).equals(pattern(300_000))).toBe(true);
    expect(shell(`curl -sSI ${url}/bytes/123456789`).stdout).toMatch(
      /^HTTP\/1.1 200 OK\r\n(.+\r\n)*Content-Length: 123456789\r\n/,
    );
    expect(shell(`curl -sS ${url}/bytes/0 -w '%{http_code} %{size_download}'`).stdout).toBe('200 0');
    // Three requests on one connection.
    expect(shell(`curl -sS ${url}/bytes/2 ${url}/bytes/2 ${url}/ | grep -a 'requests on'`).stdout).toContain(
      '<td>3</td>',
    );
    await server.ended(5);
    await server.stop();
    expect(server.err).toBe('');
    checkCapture(server);
    expect(tshark(server.pcap ?? '', '-Y', 'http.response.code == 200').length).toBe(7);
  });

  test('answers pipelined requests in their order, however many came in one segment', async () => {
    const server = await start('http', at(2), { options });
    const socket = await open(server);
    const count = 300;
    const requests = Array.from({ length: count }, (_, i) => `GET /bytes/${i} HTTP/1.1\r\nHost: x\r\n\r\n`);
    socket.write(requests.join(''));
    socket.end('GET /bytes/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    let rest = Buffer.concat(chunks);
    for (let i = 0; i <= count; i++) {
      const length = i < count ? i : 1;
      const end = rest.indexOf('\r\n\r\n') + 4;
      expect(rest.toString('latin1', 0, end)).toContain(`Content-Length: ${length}\r\n`);
      expect(rest.subarray(end, end + length).equals(pattern(length))).toBe(true);
      rest = rest.subarray(end + length);
    }
    expect(rest.length).toBe(0);
    expect((await server.ended(1))[0]).toContain('301 requests');
  });

  test('streams to a slow reader without hoarding', async () => {
    const server = await start('http', at(3), { options });
    const before = server.resident();
    const response = await new Promise<IncomingMessage>((resolve) => {
      const request = get(
        { host: server.at.stack, path: '/bytes/1000000000000', agent: new Agent() },
        resolve,
      );
      onTestFinished(() => void request.destroy());
    });
    let position = 0;
    for await (const chunk of response.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      expect(chunk.equals(pattern(chunk.length, position))).toBe(true);
      position += chunk.length;
      if (position > 3_000_000) break;
      await sleep(2);
    }
    expect(server.resident() - before).toBeLessThan(64);
    // Somebody else is served meanwhile.
    expect(shell(`curl -sS http://${server.at.stack}/bytes/10 | wc -c`).stdout.trim()).toBe('10');
    response.destroy();
    expect((await server.ended(2))[1]).toMatch(/ECONNRESET|EPIPE|closed by the peer/);
  });

  test('closes its half first, and still takes what the client sends', async () => {
    const server = await start('http', at(4), { capture: true, options });
    const socket = await open(server);
    socket.write('GET /bytes/100000 HTTP/1.0\r\n\r\n');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'end');
    const answer = Buffer.concat(chunks);
    expect(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(pattern(100_000))).toBe(true);
    socket.end(Buffer.alloc(200_000));
    await once(socket, 'close');
    expect((await server.ended(1))[0]).toMatch(/1 request, 100\d+ bytes out, \d\.\d+ s, closed$/);
    await server.stop();
    checkCapture(server);
  });

  test('reads a request that comes byte by byte', async () => {
    const server = await start('http', at(5), { options });
    const socket = await open(server);
    socket.setNoDelay(true);
    for (const byte of '\r\nGET /bytes/3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n') {
      socket.write(byte);
      await sleep(1);
    }
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });
});

test('refuses what is no request of its kind, and says why', async () => {
  const server = await start('http', place(ROOM, 60));
  const status = async (request: string) => (await talk(server, request)).split('\r\n')[0].slice(9);
  const host = 'Host: x\r\n';
  expect(await status(`GET /nowhere HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)).toBe('404 Not Found');
  expect(await status(`GET /bytes/x HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)).toBe('404 Not Found');
  expect(await status(`GET /bytes/99999999999999999999 HTTP/1.0\r\n\r\n`)).toBe('400 Bad Request');
  expect(await status(`POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`)).toBe(
    '405 Method Not Allowed',
  );
  expect(await talk(server, `DELETE / HTTP/1.0\r\n\r\n`)).toContain('\r\nAllow: GET, HEAD\r\n');
  expect(await status(`GET / HTTP/1.1\r\n\r\n`)).toBe('400 Bad Request');
  expect(await status(`GET / HTTP/2.0\r\n${host}\r\n`)).toBe('505 HTTP Version Not Supported');
  expect(await status('\x16\x03\x01 hello tls\n\n')).toBe('400 Bad Request');
  expect(await status(`GET / HTTP/1.1\r\n${host}X: ${'y'.repeat(20_000)}\r\n\r\n`)).toBe(
    '431 Request Header Fields Too Large',
  );
  expect(await talk(server, `HEAD /nowhere HTTP/1.0\r\n\r\n`)).toMatch(
    /Content-Length: \d+\r\n(.+\r\n)*\r\n$/,
  );
  // A body of any size is taken and thrown away, so that the answer arrives.
  const body = shell(
    `head -c 900000 /dev/zero | curl -sS -w '%{http_code}' -o /dev/null --data-binary @- http://${server.at.stack}/`,
  );
  expect(body).toMatchObject({ status: 0, stdout: '405' });
  expect(server.err).toBe('');
});

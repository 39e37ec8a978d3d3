// Node's own servers under clients that are not Node's: curl, wrk, openssl.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shellAsync, temporaryDirectory } from '../server.js';
import { type App, bothWays, certificate } from './both.js';

/** Everything curl printed. */
async function curl(app: App, path: string, ...options: string[]): Promise<string> {
  const script = 'curl -sS --max-time 10 "$@" 2>&1';
  return (await shellAsync(script, ...options, `http://${app.address}:8080${path}`)).out;
}

/** A file of `size` bytes that is not all alike. */
function file(size: number): string {
  const path = join(temporaryDirectory(), 'file');
  writeFileSync(path, Buffer.alloc(size, 'what one sends comes back '));
  return path;
}

test('http under curl', async () => {
  const upload = file(5_000_000);
  const { saw, exit, out, err } = await bothWays(1, 'http-server.mjs', async (app) => {
    await app.says('listening on 8080');
    return {
      page: await curl(app, '/', '-i'),
      // Two requests over one connection, and one of HTTP/1.0.
      reused: await curl(
        app,
        '/',
        '-w',
        '%{num_connects}\n',
        '-o',
        '/dev/null',
        `http://${app.address}:8080/`,
      ),
      old: await curl(app, '/', '-i', '--http1.0'),
      bytes: await curl(app, '/bytes/20000000', '-o', '/dev/null', '-w', '%{http_code} %{size_download}'),
      echo: (
        await shellAsync(
          'curl -sS --max-time 10 --data-binary "@$1" "$2" | cmp - "$1" && echo same',
          upload,
          `http://${app.address}:8080/echo`,
        )
      ).out,
      chunked: await curl(app, '/echo', '-i', '-H', 'Transfer-Encoding: chunked', '-d', 'in chunks'),
      trailer: await curl(app, '/trailer', '--raw', '-i'),
      missing: await curl(app, '/missing', '-i'),
      reset: await curl(app, '/reset'),
      head: await curl(app, '/', '-I'),
    };
  });
  expect(saw.page).toContain('"remoteAddress":"10.86.1.1","remoteFamily":"IPv4"');
  expect(saw.page).toContain('"localAddress":"10.86.1.2","localPort":8080');
  expect(saw).toMatchObject({ bytes: '200 20000000', echo: 'same\n' });
  expect(saw.reused).toMatch(/^1\n.+0\n$/);
  expect(saw.trailer).toContain('X-End: yes');
  expect(saw.reset).toContain('Connection reset by peer');
  expect({ exit, out, err }).toEqual({
    exit: { code: 0, signal: null },
    out: 'listening on 8080\nclosed\n',
    err: '',
  });
});

test('http under wrk', async () => {
  const { saw } = await bothWays(2, 'http-server.mjs', async (app) => {
    await app.says('listening on 8080');
    const said = await shellAsync('wrk -t1 -c64 -d2s "$1" 2>&1', `http://${app.address}:8080/`);
    const requests = Number(/(\d+) requests in/.exec(said.out)?.[1]);
    return {
      code: said.code,
      served: requests > 500,
      trouble: /(Socket errors|Non-2xx).*/.exec(said.out)?.[0],
    };
  });
  expect(saw).toEqual({ code: 0, served: true, trouble: undefined });
});

test('https with a certificate of our own', async () => {
  const { key, cert } = certificate('10.86.3.2');
  const upload = file(3_000_000);
  const { saw, out, exit } = await bothWays(
    3,
    'https-server.mjs',
    async (app) => {
      await app.says('listening');
      const fetched = async (...options: string[]) =>
        (
          await shellAsync(
            'curl -sS --max-time 10 "$@" 2>&1',
            ...options,
            `https://${app.address}:8443/`,
            '-i',
          )
        ).out;
      const seen = {
        trusted: await fetched('--cacert', cert),
        version: await fetched('--cacert', cert, '--tls-max', '1.2'),
        post: await fetched('--cacert', cert, '--data-binary', `@${upload}`, '-H', 'Expect:'),
        large: (await fetched('--cacert', cert, '-H', 'X-Filler: 2000000')).length > 2_000_000,
        untrusted: /certificate.*/.exec(await fetched())?.[0],
        plain: (await shellAsync(`curl -sS --max-time 10 http://${app.address}:8443/ 2>&1`)).out,
      };
      await app.says('refused: ERR_SSL_HTTP_REQUEST');
      return seen;
    },
    { args: [key, cert] },
  );
  expect(saw.trusted).toContain('"bytes":0,"protocol":"TLSv1.3"');
  expect(saw.trusted).toContain('"encrypted":true,"from":"10.86.3.1","to":"10.86.3.2:8443"');
  expect(saw.version).toContain('"protocol":"TLSv1.2"');
  expect(saw.post).toContain('"bytes":3000000');
  expect(saw.large).toBe(true);
  expect(saw.untrusted).toBeDefined();
  expect(out).toMatch(/closed\n$/);
  expect(exit).toEqual({ code: 0, signal: null });
});

test('http2, in the clear and over TLS', async () => {
  const { key, cert } = certificate('10.86.4.2');
  const { saw, exit } = await bothWays(
    4,
    'http2-server.mjs',
    async (app) => {
      await app.says('listening');
      const over = async (url: string, ...options: string[]) =>
        (await shellAsync('curl -sS --max-time 10 "$@" 2>&1', ...options, url)).out;
      return {
        clear: await over(`http://${app.address}:8080/plain`, '--http2-prior-knowledge'),
        secure: await over(`https://${app.address}:8443/secure`, '--cacert', cert, '--http2'),
        older: await over(`https://${app.address}:8443/older`, '--cacert', cert, '--http1.1'),
        streams: await manyStreams(`http://${app.address}:8080`),
      };
    },
    { args: [key, cert] },
  );
  expect(saw).toEqual({
    clear: '2.0 /plain 10.86.4.1\n',
    secure: '2.0 /secure 10.86.4.1\n',
    older: '1.1 /older 10.86.4.1\n',
    streams: Array.from({ length: 20 }, (_, at) => 20_000 * at),
  });
  expect(exit).toEqual({ code: 0, signal: null });
});

/** Twenty streams at once over one connection; returns how many bytes each brought. */
async function manyStreams(authority: string): Promise<number[]> {
  const session = connect(authority);
  const streams = Array.from({ length: 20 }, async (_, at) => {
    const stream = session.request({ ':path': `/bytes/${20_000 * at}` });
    let bytes = 0;
    for await (const chunk of stream) bytes += (chunk as Buffer).length;
    return bytes;
  });
  const sizes = await Promise.all(streams);
  session.close();
  return sizes;
}

test('curl knows HTTP/2 here', () => {
  expect(execFileSync('curl', ['--version'], { encoding: 'utf8' })).toContain('HTTP2');
});

// The network below a program goes: somebody removes its device, or it closes its stack itself. What it hears, and how it ends.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ip } from '../../link/lab.js';
import { deviceThere, place } from '../server.js';
import { type App, certificate, oneWay, program, ROOM, run } from './both.js';

/** A program whose device is removed once it has said `ready`. */
async function removed(
  net: number,
  source: string,
): Promise<Pick<App, 'out' | 'err'> & { code: number | null }> {
  const app = run('stack', net, program(source));
  await app.says('ready');
  ip('link', 'delete', app.tap);
  const { code } = await app.exited();
  return { out: app.out, err: app.err, code };
}

const gone = (net: number): string => `the TAP device ts${ROOM}-${net} is gone: it was removed while in use`;

describe('a device that is removed', () => {
  test('ends a server that nobody can reach any more, and with it a program that did not expect this', async () => {
    const source = `
      import http from 'node:http';
      http.createServer((request, response) => response.end()).listen(80, () => console.log('ready'));
    `;
    const { code, err } = await removed(71, source);
    expect(code).toBe(1);
    expect(err).toContain(`TapstackWarning: ${gone(71)}`);
    expect(err).toMatch(
      new RegExp(`^Error: accept ENETDOWN - ${gone(71)} \\(\\w+\\); make another, and a stack on it`, 'm'),
    );
  });

  test('is told to whoever listens, and the program ends by itself', async () => {
    const { host } = place(ROOM, 72);
    const silent = createServer((socket) => socket.on('error', () => {}));
    onTestFinished(() => void silent.close());
    const reached = once(silent, 'connection');
    const source = `
      import http from 'node:http';
      import net from 'node:net';
      const said = (who) => (error) => console.log(who, error.code ?? error.cause?.code);
      const server = http.createServer(() => {}).on('error', said('server')).on('close', () => console.log('server closed'));
      const inside = net.createServer((socket) => socket.end('inside')).listen(81, '127.0.0.1');
      const socket = net.connect(9000, '${host}', () => {
        socket.write(Buffer.alloc(50_000_000), said('write'));
        fetch('http://${host}:9000/').catch(said('fetch'));
        net.connect(9000, '${host.replace(/1$/, '77')}').on('error', said('connect'));
        server.listen(80, () => setTimeout(() => console.log('ready'), 500));
      });
      socket.on('error', said('socket')).on('close', (hadError) => {
        console.log('socket closed', hadError);
        net.connect(9000, '${host}').on('error', said('later'));
        net.connect(81, '127.0.0.1').on('data', (data) => console.log(String(data))).on('close', () => inside.close());
      });
    `;
    const app = run('stack', 72, program(source));
    const listens = (async () => {
      while (!deviceThere(app.tap)) await new Promise((resolve) => setTimeout(resolve, 20));
      silent.listen(9000, '0.0.0.0');
      await reached;
    })();
    await Promise.all([listens, app.says('ready')]);
    ip('link', 'delete', app.tap);
    expect(await app.exited()).toEqual({ code: 0, signal: null });
    expect(app.out.split('\n').slice(0, -1).sort()).toEqual([
      'connect ENETDOWN',
      'fetch ENETDOWN',
      'inside',
      'later ENETUNREACH',
      'ready',
      'server ENETDOWN',
      'server closed',
      'socket ENETDOWN',
      'socket closed true',
      'write ENETDOWN',
    ]);
  });
});

/** A program that closes its own stack (`close`), and listens for no error. What it says, and that it ends. */
async function closes(net: number, source: string): Promise<string[]> {
  const { key, cert } = certificate('127.0.0.1');
  const prelude = `
    import http2 from 'node:http2';
    import net from 'node:net';
    import tls from 'node:tls';
    import { readFileSync } from 'node:fs';
    import { defaultStack } from '${new URL('../../../dist/net/default-stack.js', import.meta.url)}';
    const close = () => defaultStack().close();
    const options = { key: readFileSync(${JSON.stringify(key)}), cert: readFileSync(${JSON.stringify(cert)}) };
    const trusting = { host: '127.0.0.1', ca: options.cert };
    const said = (emitter, who, ...events) => {
      for (const event of events) emitter.on(event, (what) => console.log(who, event, what?.code ?? ''));
      return emitter;
    };
  `;
  const { out, exit, err } = await oneWay(
    'stack',
    net,
    program(prelude + source),
    async (app) => void (await app.exited()),
  );
  expect({ exit, err }).toEqual({ exit: { code: 0, signal: null }, err: '' });
  return out.split('\n').slice(0, -1).sort();
}

describe('a stack that the program closes', () => {
  test('closes what is secure, and fails who is about to be', async () => {
    const source = `
      const server = tls.createServer(options, (socket) => said(socket.resume(), 'peer', 'close')).listen(443, () => {
        const client = tls.connect({ ...trusting, port: 443 }, () => {
          client.write(Buffer.alloc(50_000_000));
          const silent = net.createServer(() => {}).listen(444, () => {
            const half = tls.connect({ ...trusting, port: 444 });
            half.on('connect', () => setTimeout(close, 50));
            said(half, 'half', 'secureConnect', 'error', 'close');
          });
        });
        said(client, 'client', 'close');
      });
      said(server, 'server', 'close');
    `;
    expect(await closes(73, source)).toEqual([
      'client close ',
      'half close ',
      'half error ECONNABORTED',
      'peer close ',
      'server close ',
    ]);
  });

  test('ends sessions of http2 and their streams', async () => {
    const source = `
      const server = http2.createSecureServer(options).listen(443, () => {
        const session = said(http2.connect('https://127.0.0.1', { ca: options.cert }), 'session', 'close');
        said(session.request({ ':path': '/' }), 'request', 'close').on('data', close);
      });
      server.on('stream', (stream) => said(stream, 'stream', 'aborted', 'close').write('begun'));
      said(server, 'server', 'close').on('session', (session) => said(session, 'peer', 'close'));
    `;
    expect(await closes(74, source)).toEqual([
      'peer close ',
      'request close ',
      'server close ',
      'session close ',
      'stream aborted ',
      'stream close ',
    ]);
  });
});

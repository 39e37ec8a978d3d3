// What programs put off to the next tick runs after each callback that TLS and HTTP/2 make for a piece of data, not after all of them:
// over a device at the end of a batch, over loopback in a turn of the event loop.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type App, bothWays, certificate, program } from './both.js';

const ends = async (app: App) => void (await app.exited());

/** Frames of RFC 9113: preface, SETTINGS, and the HEADERS of requests that are whole, all in one piece. */
const REQUESTS = `
  const frame = (type, flags, stream, payload) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  // GET / by http of authority x, from the static table (RFC 7541 appendix A)
  const headers = Buffer.from([0x82, 0x84, 0x86, 0x41, 0x01, 0x78]);
  const requests = Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'),
    frame(4, 0, 0, Buffer.alloc(0)),
    ...[1, 3, 5].map((stream) => frame(1, 0x5, stream, headers)),
  ]);
`;

const SERVER = `
  import { createServer } from 'node:http2';
  const server = createServer();
  server.on('session', (session) => session.on('close', () => server.close()));
  server.on('stream', (stream) => {
    console.log('stream', stream.id);
    process.nextTick(() => console.log('tick', stream.id));
    Promise.resolve().then(() => console.log('microtask', stream.id));
    stream.respond({ ':status': 200 }, { endStream: true });
  });
`;

const EACH_BY_ITSELF = [1, 3, 5].map((id) => `stream ${id}\ntick ${id}\nmicrotask ${id}\n`).join('');

describe('three requests of HTTP/2 in one piece are told of one by one', () => {
  test('over loopback', async () => {
    const source = `
      import net from 'node:net';
      ${SERVER}
      ${REQUESTS}
      server.listen(0, '127.0.0.1', () => {
        const client = net.connect(server.address().port, '127.0.0.1').resume();
        client.write(requests);
        setTimeout(() => client.end(), 200);
      });
    `;
    expect((await bothWays(95, program(source), ends)).out).toBe(EACH_BY_ITSELF);
  });

  test('over a device', async () => {
    const source = `${SERVER} server.listen(7777, () => console.log('listening'));`;
    const requests = new Function(`${REQUESTS} return requests`)() as Buffer;
    const { out } = await bothWays(96, program(source), async (app) => {
      await app.says('listening');
      const client: Socket = connect(7777, app.address).resume();
      await once(client, 'connect');
      client.write(requests);
      await app.says('microtask 5');
      client.end();
      await app.exited();
    });
    expect(out).toBe(`listening\n${EACH_BY_ITSELF}`);
  });
});

test('what a tick inside of a piece of data does to a stream is done before the next frame is looked at', async () => {
  const source = `
    import net from 'node:net';
    import { createServer } from 'node:http2';
    ${REQUESTS}
    const server = createServer();
    server.on('session', (session) => {
      session.on('error', ({ code }) => console.log('session', code));
      session.on('close', () => server.close());
      session.on('stream', (stream) => {
        console.log('stream', stream.id);
        stream.on('error', ({ code }) => console.log('stream', stream.id, code));
        session.destroy();
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const client = net.connect(server.address().port, '127.0.0.1').resume();
      client.on('error', () => {});
      client.write(requests);
    });
  `;
  expect((await bothWays(97, program(source), ends)).out).toMatch(/^stream 1\n(?!stream 3\n)/);
});

describe('TLS', () => {
  const prelude = (): string => {
    const { key, cert } = certificate('127.0.0.1');
    return `
      import tls from 'node:tls';
      import { readFileSync } from 'node:fs';
      const options = { key: readFileSync(${JSON.stringify(key)}), cert: readFileSync(${JSON.stringify(cert)}) };
      const trusting = { host: '127.0.0.1', ca: options.cert };
    `;
  };

  test('begins a new handshake in the callback of a write that answers data', async () => {
    const source = `
      ${prelude()}
      options.maxVersion = 'TLSv1.2';
      const server = tls.createServer(options, (socket) => {
        socket.on('data', (data) => socket.write(data)).on('end', () => server.close());
      });
      server.listen(0, () => {
        const client = tls.connect({ ...trusting, port: server.address().port });
        client.on('secureConnect', () => client.write('first'));
        client.once('data', () => client.write('second', () => {
          client.renegotiate({}, (error) => {
            console.log('renegotiated', error);
            client.end();
          });
        }));
        client.on('data', (data) => console.log(String(data)));
      });
    `;
    expect((await bothWays(98, program(source), ends)).out).toContain('renegotiated null\n');
  });

  test('tells of what one piece holds record by record', async () => {
    const source = `
      ${prelude()}
      const server = tls.createServer(options, (socket) => {
        socket.setNoDelay();
        for (let i = 0; i < 3; i++) socket.write(Buffer.alloc(16384, 65 + i));
        socket.end();
      });
      server.listen(0, () => {
        const client = tls.connect({ ...trusting, port: server.address().port });
        let letter = '';
        client.on('data', (data) => {
          if (data.latin1Slice(0, 1) === letter) return;
          letter = data.latin1Slice(0, 1);
          console.log(letter);
          process.nextTick(() => console.log('tick'));
        });
        client.on('close', () => server.close());
      });
    `;
    expect((await bothWays(99, program(source), ends)).out).toBe('A\ntick\nB\ntick\nC\ntick\n');
  });
});

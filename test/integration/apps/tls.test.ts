// tls and http2 above sockets of the stack: what programs see of them, event by event, is what they see above Node's own. Each
// program is its own peer.

import { expect, test } from 'vitest';
import { type App, bothWays, certificate, program } from './both.js';

const ends = async (app: App) => void (await app.exited());

/** What a program prints, one way like the other; `tls`, `net`, `http2`, `options` of a server and `said` are there for it. */
async function prints(number: number, source: string): Promise<string[]> {
  const { key, cert } = certificate('127.0.0.1');
  const prelude = `
    import http2 from 'node:http2';
    import net from 'node:net';
    import tls from 'node:tls';
    import { readFileSync } from 'node:fs';
    const options = { key: readFileSync(${JSON.stringify(key)}), cert: readFileSync(${JSON.stringify(cert)}) };
    const trusting = { host: '127.0.0.1', ca: options.cert };
    const said = (emitter, who, ...events) => {
      for (const event of events) emitter.on(event, (what) => console.log(who, event, what?.code ?? ''));
      return emitter;
    };
  `;
  const { out, exit } = await bothWays(number, program(prelude + source), ends);
  expect(exit).toEqual({ code: 0, signal: null });
  return out.split('\n').slice(0, -1);
}

test('a client tells of its connection before it is secure', async () => {
  const source = `
    const server = tls.createServer(options, (socket) => socket.end('hello')).listen(0, () => {
      const client = tls.connect({ ...trusting, port: server.address().port });
      said(client, 'client', 'connect', 'ready', 'secureConnect', 'end', 'finish', 'close').resume();
      client.on('close', () => server.close());
    });
  `;
  expect(await prints(63, source)).toEqual([
    'client connect ',
    'client ready ',
    'client secureConnect ',
    'client end ',
    'client finish ',
    'client close ',
  ]);
});

test('a client reads into memory that it is given', async () => {
  const source = `
    const server = tls.createServer(options, (socket) => socket.end('hello')).listen(0, () => {
      const buffer = Buffer.alloc(64);
      const callback = (count, into) => console.log('read', into === buffer, into.toString('latin1', 0, count));
      const client = tls.connect({ ...trusting, port: server.address().port, onread: { buffer, callback } });
      said(client, 'client', 'data', 'end').on('close', () => server.close());
    });
  `;
  expect(await prints(64, source)).toEqual(['read true hello', 'client end ']);
});

test('a TLSSocket that was made without a socket connects by itself', async () => {
  const source = `
    const server = tls.createServer(options, (socket) => socket.pipe(socket)).listen(0, () => {
      const client = new tls.TLSSocket(null, { ca: options.cert });
      client.connect(server.address().port, '127.0.0.1', function () { this.end('hello'); });
      client.on('secure', () => console.log('secure', client.remoteAddress));
      client.on('data', (data) => console.log(String(data))).on('close', () => server.close());
    });
  `;
  expect(await prints(65, source)).toEqual(['secure 127.0.0.1', 'hello']);
});

test('a farewell that nobody takes any more is no error', async () => {
  const source = `
    const inner = tls.createServer(options, (socket) => socket.end('x'.repeat(40_000))).listen(0);
    const outer = tls.createServer(options, (socket) => {
      const onward = net.connect(inner.address().port, '127.0.0.1');
      onward.pipe(socket).pipe(onward);
      onward.on('end', () => socket.destroy());
    }).listen(0, () => {
      const tunnel = said(tls.connect({ ...trusting, port: outer.address().port }), 'tunnel', 'error');
      const client = said(tls.connect({ socket: tunnel, rejectUnauthorized: false }), 'client', 'error');
      let length = 0;
      client.on('data', (data) => { length += data.length; });
      client.on('end', () => {
        console.log(length);
        client.end();
        outer.close();
        inner.close();
      });
    });
  `;
  expect(await prints(66, source)).toEqual(['40000']);
});

test('with the socket below goes the one above', async () => {
  const source = `
    let below;
    let above;
    const server = tls.createServer(options, (socket) => {
      above = said(socket, 'above', 'close').resume();
      below.destroy();
    });
    const listener = net.createServer((socket) => {
      below = socket;
      server.emit('connection', socket);
      socket.on('close', () => console.log('below close', above.destroyed));
    }).listen(0, () => {
      const client = tls.connect({ ...trusting, port: listener.address().port });
      client.on('error', () => {}).on('close', () => listener.close());
    });
  `;
  expect(await prints(67, source)).toEqual(['above close ', 'below close true']);
});

test('a connection is upgraded whatever was done with it before', async () => {
  const source = `
    const server = net.createServer((socket) => {
      const plain = said(socket, 'plain server', 'end').setEncoding('latin1');
      socket.on('data', (text) => {
        console.log('plain server data', JSON.stringify(text));
        socket.write('go on');
        const secured = new tls.TLSSocket(socket, { isServer: true, ...options });
        secured.setEncoding('latin1').on('data', (text) => secured.end(text.toUpperCase()));
      });
    }).listen(0, () => {
      const socket = said(net.connect(server.address().port, '127.0.0.1'), 'plain client', 'end').setEncoding('utf8');
      socket.write('upgrade, please');
      socket.on('data', (text) => {
        console.log('plain client data', text);
        const secured = tls.connect({ ...trusting, socket }, () => secured.write('hello'));
        secured.on('data', (data) => console.log(String(data)));
        said(secured, 'client', 'end', 'close').on('close', () => server.close());
      });
    });
  `;
  expect(await prints(69, source)).toEqual([
    'plain server data "upgrade, please"',
    'plain client data go on',
    'HELLO',
    'client end ',
    'client close ',
  ]);
});

test('an http2 session is connected when its connection is', async () => {
  const source = `
    const server = http2.createServer().listen(0, () => {
      const client = http2.connect('http://127.0.0.1:' + server.address().port);
      client.on('connect', () => {
        const { connecting, remoteAddress, remoteFamily } = client.socket;
        console.log(connecting, remoteAddress, remoteFamily);
        client.close();
        server.close();
      });
      client.on('close', () => {
        const nobody = said(http2.connect('http://127.0.0.1:9'), 'nobody', 'connect', 'error', 'close');
      });
    });
  `;
  expect(await prints(68, source)).toEqual([
    'false 127.0.0.1 IPv4',
    'nobody error ECONNREFUSED',
    'nobody close ',
  ]);
});

test('an http2 stream that is destroyed while it is echoed closes on both sides', async () => {
  const source = `
    const server = http2.createServer((request, response) => {
      request.pipe(response);
      request.on('close', () => console.log('request closed'));
    }).listen(0, () => {
      const client = http2.connect('http://127.0.0.1:' + server.address().port);
      const request = client.request({ ':method': 'POST' });
      for (let i = 0; i < 4000; i++) request.write(Buffer.alloc(6));
      request.on('close', () => {
        server.close();
        client.close();
      });
      request.once('data', () => request.destroy());
    });
  `;
  expect(await prints(70, source)).toEqual(['request closed']);
});

test('a request of HTTP/2 tells of its server by its socket', async () => {
  const source = `
    const server = http2.createServer((request, response) => {
      const { socket } = request;
      console.log(socket.server === server, socket._server === server, socket instanceof net.Socket);
      response.end();
    });
    server.listen(0, '127.0.0.1', () => {
      const client = http2.connect('http://127.0.0.1:' + server.address().port);
      client.request({ ':path': '/' }).resume().on('close', () => {
        client.close();
        server.close();
      });
    });
  `;
  expect(await prints(94, source)).toEqual(['true true true']);
});

test('a server counts a connection under TLS once', async () => {
  const source = `
    const server = tls.createServer(options, (socket) => {
      socket.on('close', () => setTimeout(() => server.getConnections((_error, count) => {
        console.log(count);
        server.close();
        clients[1].end();
      }), 50));
    });
    const clients = [];
    server.listen(0, () => {
      for (let i = 0; i < 2; i++) clients.push(tls.connect({ ...trusting, port: server.address().port }));
      clients[1].on('secureConnect', () => clients[0].end());
      for (const client of clients) client.resume();
    });
  `;
  expect((await prints(93, source))[0]).toBe('1');
});

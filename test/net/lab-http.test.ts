// Programs of Node's http in the lab: the network is lossy, the time is virtual, and a minute's timeout is over at once.
import http from 'node:http';
import type { NetConnectOpts } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Lab } from '../../src/lab/index.js';
import { createNet, type Net } from '../../src/net/create-net.js';

const SERVER = '10.0.0.2';

interface World {
  lab: Lab;
  client: Net;
  server: Net;
}

function lossyWorld(loss: number, seed: number): World {
  const lab = new Lab({ seed });
  const cable = lab.cable({ delayUs: 20_000, loss });
  const client = lab.stack({ link: cable.a, address: '10.0.0.1/24' });
  const server = lab.stack({ link: cable.b, address: `${SERVER}/24` });
  return { lab, client: createNet(client), server: createNet(server) };
}

let world: World;
afterEach(() => world.lab.close());

/** An http.Server whose connections are the stack's. */
function serve(net: Net, answer: http.RequestListener): void {
  const server = http.createServer({ keepAliveTimeout: 0 }, answer);
  net.createServer((socket) => server.emit('connection', socket)).listen(80, SERVER);
}

function get(net: Net, path: string, timeout: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      {
        host: SERVER,
        path,
        createConnection: (options) => net.connect(options as NetConnectOpts),
        timeout,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      },
    );
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', reject);
  });
}

describe('an HTTP client and server in the lab', () => {
  it('get through a network that loses a tenth, within a minute of virtual time and a moment of real time', async () => {
    world = lossyWorld(0.1, 7);
    serve(world.server, (request, response) => response.end(`${request.url} `.repeat(20_000)));
    const began = performance.now();
    const answer = await world.lab.run({ until: get(world.client, '/some/page', 60_000) });
    const real = performance.now() - began;
    expect(answer).toEqual({ status: 200, body: '/some/page '.repeat(20_000) });
    expect(world.lab.nowMs).toBeGreaterThan(100);
    expect(real).toBeLessThan(world.lab.nowMs);
  });

  it('time out after a virtual minute when nobody answers', async () => {
    world = lossyWorld(0, 1);
    serve(world.server, () => {});
    const began = performance.now();
    const outcome = get(world.client, '/', 60_000).catch((error: Error) => error.message);
    expect(await world.lab.run({ until: outcome })).toBe('timed out');
    expect(world.lab.nowMs).toBeGreaterThan(60_000);
    expect(world.lab.nowMs).toBeLessThan(61_000);
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  it('come out the same each time', async () => {
    const run = async (): Promise<number> => {
      world = lossyWorld(0.1, 42);
      serve(world.server, (_request, response) => response.end('x'.repeat(100_000)));
      await world.lab.run({ until: get(world.client, '/', 60_000) });
      const { nowMs } = world.lab;
      await world.lab.close();
      return nowMs;
    };
    expect(await run()).toBe(await run());
  });
});

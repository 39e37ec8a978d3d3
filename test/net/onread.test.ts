// `onread` with new memory for each read, with and without a pause in the middle of what came at once: on the stack, on an
// address that stays on the kernel, and on a path, as with Node's own.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, BlockList } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createNet } from '../../src/net/create-net.js';
import { Stack } from '../../src/stack.js';
import { type Net, nets } from './nets.js';

const directory = mkdtempSync(join(tmpdir(), 'tapstack-onread-'));
afterAll(() => rmSync(directory, { recursive: true }));

const kernel = new BlockList();
kernel.addSubnet('127.0.0.0', 8);
const mixed = createNet(new Stack({ memory: 16 << 20 }), { kernel });

const port = { port: 0, host: '127.0.0.1' };
const PATH = { path: join(directory, 'a.sock') };

const cases: [name: string, net: Net, where: object][] = [
  ...nets.map(([name, net]): [string, Net, object] => [`${name}, a port`, net, port]),
  ...nets.map(([name, net]): [string, Net, object] => [`${name}, a path`, net, PATH]),
  ['tapstack/net, a port of the kernel', mixed, port],
];

describe.each(cases)('%s', (_name, net, where) => {
  it.each([
    ['at once', false],
    ['with a pause after each', true],
  ])('%s', async (_how, pauses) => {
    const server = net.createServer((socket) => socket.end('abcdefghij')).listen(where);
    await once(server, 'listening');
    const at = server.address();
    const to = typeof at === 'string' ? { path: at } : { ...port, port: (at as AddressInfo).port };
    const pieces: Buffer[] = [];
    let paused = false;
    const client = net.connect({
      ...to,
      onread: {
        buffer: () => Buffer.alloc(4),
        callback: (count, data) => {
          expect(paused).toBe(false);
          // Kept, not copied: each has memory of its own.
          pieces.push(Buffer.from(data.buffer, data.byteOffset, count));
          if (!pauses) return true;
          paused = true;
          client.pause();
          setTimeout(() => {
            paused = false;
            client.resume();
          }, 5);
          return true;
        },
      },
    });
    await once(client, 'end');
    expect(pieces.map(String)).toEqual(['abcd', 'efgh', 'ij']);
    server.close();
  });
});

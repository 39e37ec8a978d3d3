// What is written from memory that the program mapped (sys.mmap) is sent from where it stands; from anywhere else it is copied first.
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { expect, it } from 'vitest';
import { createNet } from '../../src/net/create-net.js';
import { Stack } from '../../src/stack.js';

const SIZE = 4 << 20;

it.each([
  ['mapped memory is sent as it stands when it leaves', true, 2],
  ['memory of its own is sent as it was when it was written', false, 1],
])('%s', async (_name, maps, last) => {
  const stack = new Stack();
  const net = createNet(stack);
  const mapped = stack.sys.mmap(SIZE) as Uint8Array;
  const bytes = maps ? Buffer.from(mapped.buffer, mapped.byteOffset, SIZE) : Buffer.alloc(SIZE);
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  // Nobody reads yet: the receiver's window is soon full, and the rest stands in the send queue.
  client.write(bytes.fill(1).subarray(0, 64 << 10));
  await new Promise((resolve) => client.write(bytes.subarray(64 << 10, 256 << 10), resolve));
  bytes.fill(2);
  client.end();
  const parts: Buffer[] = [];
  for await (const part of accepted) parts.push(part);
  const all = Buffer.concat(parts);
  expect(all.length).toBe(256 << 10);
  expect(all[0]).toBe(1);
  expect(all.at(-1)).toBe(last);
  server.close();
});

// What a program throws while its network calls it back is an uncaught exception of the program's, wherever it was thrown, and
// the network goes on.

import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { bothWays, program } from './both.js';

const SERVER = `
  import { createServer } from 'node:net';
  process.on('uncaughtException', (error) => console.log('uncaught:', error.message));
  const fail = {
    'at once': () => { throw new Error('at once'); },
    'in a tick': () => process.nextTick(() => { throw new Error('in a tick'); }),
    'in a microtask': () => queueMicrotask(() => { throw new Error('in a microtask'); }),
    'in a promise': () => Promise.reject(new Error('in a promise')),
  };
  createServer((socket) => {
    socket.on('data', (data) => {
      socket.write('heard ' + data);
      fail[data]();
    });
    socket.on('close', () => console.log('closed'));
  }).listen(7777, () => console.log('listening'));
`;

test('the connection goes on, and the program', async () => {
  const { saw, out } = await bothWays(61, program(SERVER), async (app) => {
    await app.says('listening');
    const socket = connect(7777, app.address).setEncoding('latin1');
    const heard: unknown[] = [];
    for (const how of ['in a tick', 'at once', 'in a tick', 'in a microtask', 'in a promise', 'in a tick']) {
      socket.write(how);
      heard.push(...(await once(socket, 'data')));
    }
    socket.destroy();
    await app.says('closed');
    return heard;
  });
  expect(saw).toEqual([
    'heard in a tick',
    'heard at once',
    'heard in a tick',
    'heard in a microtask',
    'heard in a promise',
    'heard in a tick',
  ]);
  expect(out.split('\n').filter((line) => line.startsWith('uncaught'))).toEqual([
    'uncaught: in a tick',
    'uncaught: at once',
    'uncaught: in a tick',
    'uncaught: in a microtask',
    'uncaught: in a promise',
    'uncaught: in a tick',
  ]);
});

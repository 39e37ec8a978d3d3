// The asking side of a control socket: who is running, one question and its answer, or a feed.

import { rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { controlDirectory, socketPaths } from './directory.js';
import type { ControlAnswer, ControlRequest, Hello } from './protocol.js';

const { createConnection } = process.getBuiltinModule('node:net');

/** How long a running program may take to answer. */
const PATIENCE_MS = 5000;
/** From bind to listen a new socket refuses as a dead one does: it must refuse twice, so long apart, to be swept. */
const BEGINS_MS = 50;

export interface Running extends Hello {
  path: string;
}

/** The stacks of this user: those that answer, and sockets of programs that are there and do not. */
export interface Found {
  running: Running[];
  silent: string[];
}

/** Looks for them. Sockets that nobody listens at any more are swept. */
export async function findStacks(): Promise<Found> {
  const paths = socketPaths(controlDirectory());
  const found = await Promise.all(paths.map((path) => reach(path)));
  return {
    running: found.filter((each) => typeof each === 'object'),
    silent: paths.filter((_path, at) => found[at] === 'silent'),
  };
}

export async function runningStacks(): Promise<Running[]> {
  return (await findStacks()).running;
}

async function reach(path: string): Promise<Running | 'silent' | 'gone'> {
  for (let refused = 0; ; refused++) {
    try {
      return { ...(await ask<Hello>(path, { method: 'hello' })), path };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ETIMEDOUT') return 'silent';
      if (code !== 'ECONNREFUSED') return 'gone';
    }
    if (refused > 0) break;
    await delay(BEGINS_MS);
  }
  // Somebody else who looks may have swept it, too.
  rmSync(path, { force: true });
  return 'gone';
}

/** One question. Rejects with what the other side says is wrong with it. */
export async function ask<T>(path: string, request: ControlRequest): Promise<T> {
  const socket = createConnection(path);
  socket.setTimeout(PATIENCE_MS, () =>
    socket.destroy(Object.assign(new Error('it does not answer'), { code: 'ETIMEDOUT' })),
  );
  socket.end(`${JSON.stringify(request)}\n`);
  let text = '';
  socket.setEncoding('utf8');
  for await (const piece of socket) text += piece;
  return result<T>(text);
}

/** Begins a feed: resolves to the connection once the other side has said yes, with what came after that unread. */
export async function follow(path: string, request: ControlRequest): Promise<Socket> {
  const socket = createConnection({ path, allowHalfOpen: true });
  socket.write(`${JSON.stringify(request)}\n`);
  await new Promise<void>((resolve, reject) => {
    let head = Buffer.alloc(0);
    socket.once('error', reject);
    socket.once('end', () => reject(new Error('it has ended')));
    const more = (): void => {
      for (let piece = socket.read(); piece !== null; piece = socket.read())
        head = Buffer.concat([head, piece]);
      const end = head.indexOf('\n');
      if (end < 0) return;
      socket.off('readable', more);
      socket.removeAllListeners('end');
      socket.off('error', reject);
      try {
        result(head.toString('utf8', 0, end));
        if (head.length > end + 1) socket.unshift(head.subarray(end + 1));
        resolve();
      } catch (error) {
        socket.destroy();
        reject(error);
      }
    };
    socket.on('readable', more);
  });
  return socket;
}

function result<T>(text: string): T {
  if (text === '') throw new Error('it has ended');
  const answer = JSON.parse(text) as ControlAnswer<T>;
  if ('error' in answer) throw new RangeError(answer.error);
  return answer.result;
}

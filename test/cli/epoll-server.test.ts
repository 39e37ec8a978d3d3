// The servers' event loop over a stack's own loopback: descriptors that run out, connections that idle, both ways of readiness.

import { describe, expect, onTestFinished, test } from 'vitest';
import type { Connection } from '../../src/cli/connection.js';
import { EchoConnection } from '../../src/cli/echo-connection.js';
import { EpollServer } from '../../src/cli/epoll-server.js';
import { HttpConnection } from '../../src/cli/http-connection.js';
import { AF_INET, type Process, SOCK_STREAM, Stack } from '../../src/index.js';

const HERE = { family: AF_INET, address: '127.0.0.1', port: 7 };

interface Bench {
  readonly client: Process;
  readonly ended: Connection[];
}

function bench(
  edge: boolean,
  connection: typeof EchoConnection | typeof HttpConnection,
  more: { nofile?: number; idleMs?: number } = {},
): Bench {
  const stack = new Stack({ nofile: more.nofile });
  const ended: Connection[] = [];
  const server = new EpollServer(stack, {
    port: HERE.port,
    edge,
    idleMs: more.idleMs ?? Number.POSITIVE_INFINITY,
    connect: (sys, fd, peer) => new connection(sys, fd, peer),
    disconnected: (each) => void ended.push(each),
  });
  const running = server.run();
  onTestFinished(async () => {
    await stack.close();
    await running;
  });
  return { client: stack.createProcess(), ended };
}

async function connect({ sys, blocking }: Process): Promise<number> {
  const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
  expect(await blocking.connect(fd, HERE)).toBe(0);
  return fd;
}

async function ask({ blocking }: Process, fd: number, text: string): Promise<string> {
  await blocking.write(fd, new TextEncoder().encode(text));
  const buffer = new Uint8Array(65536);
  return new TextDecoder().decode(buffer.subarray(0, await blocking.read(fd, buffer)));
}

describe.each([
  ['level-triggered', false],
  ['edge-triggered', true],
])('%s', (_name, edge) => {
  test('connections wait while descriptors have run out, and are served in their turn', async () => {
    // 0 to 2, the eventpoll and the listener: room for two connections.
    const { client, ended } = bench(edge, EchoConnection, { nofile: 7 });
    const fds = await Promise.all(Array.from({ length: 5 }, () => connect(client)));
    const served: number[] = [];
    const asked = fds.map(async (fd, i) => {
      expect(await ask(client, fd, `connection ${i}`)).toBe(`connection ${i}`);
      served.push(i);
      client.sys.close(fd);
    });
    await Promise.all(asked);
    expect(served).toHaveLength(5);
    while (ended.length < 5) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(ended.map((connection) => connection.ended)).toEqual(Array(5).fill('closed by the peer'));
  });

  test('a connection that idles for too long is closed, one that is busy is not', async () => {
    const { client, ended } = bench(edge, HttpConnection, { idleMs: 200 });
    const from = performance.now();
    const [idle, busy] = [await connect(client), await connect(client)];
    let closed = false;
    const end = client.blocking.read(idle, new Uint8Array(1)).then((count) => {
      expect(count).toBe(0);
      closed = true;
    });
    while (!closed) {
      expect(await ask(client, busy, 'GET /bytes/1 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(
        /^HTTP\/1.1 200 OK/,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await end;
    expect(performance.now() - from).toBeGreaterThan(199);
    expect(ended).toMatchObject([{ ended: 'idle for too long' }]);
  });
});

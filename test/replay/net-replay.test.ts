// Sessions of programs on tapstack/net: their sockets and servers stand on the same calls, made inside of batches and in turns of the
// event loop, and happen again without the program.

import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab } from '../../src/lab/index.js';
import { LinkAround } from '../../src/link/link-around.js';
import { createWire } from '../../src/link/wire.js';
import { createNet, type Net } from '../../src/net/index.js';
import { recordSession, replaySession } from '../../src/replay/index.js';
import { Stack } from '../../src/stack.js';
import { RealClock } from '../../src/time/clock.js';
import { rough } from './programs.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapstack-replay-net-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Programs run at the end of each of its batches, as they do on a TAP device. */
class Prompt extends LinkAround {
  override get runsPrograms(): boolean {
    return true;
  }
}

/** A server that sends back what it hears, and a client that sends `size` bytes at once: how many came back. */
async function conversation(server: Net, client: Net, host: string, size: number): Promise<number> {
  const listening = server.createServer((socket) => socket.pipe(socket));
  listening.listen(7, host);
  await new Promise((resolve) => listening.once('listening', resolve));
  const socket = client.connect({ host, port: 7 });
  socket.end(Buffer.alloc(size, 'abc'));
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  await new Promise((resolve) => listening.close(resolve));
  return bytes;
}

describe('a session of tapstack/net', () => {
  it('in the lab, over a bad cable, happens again at both ends', async () => {
    const lab = new Lab({ seed: 5 });
    const cable = lab.cable(rough);
    const journals = [join(folder, 'a'), join(folder, 'b')];
    const a = lab.stack({ link: cable.a, address: '10.0.0.1/24', record: journals[0] });
    const b = lab.stack({ link: cable.b, address: '10.0.0.2/24', record: journals[1] });
    const talk = conversation(createNet(b), createNet(a), '10.0.0.2', 300_000);
    expect(await lab.run({ until: talk })).toBe(300_000);
    const counters = [a.snmp(), b.snmp()];
    expect(counters[1].Tcp.RetransSegs).toBeGreaterThan(0);
    await lab.close();
    for (const [at, journal] of journals.entries()) {
      const replay = await replaySession(journal);
      expect(replay.difference).toBeNull();
      expect(replay.end).toBe('closed');
      expect(replay.stack?.snmp()).toEqual(counters[at]);
    }
  });

  it('in the time of the machine, over loopback, with HTTP on top', async () => {
    const journal = join(folder, 'loopback');
    const stack = recordSession({ memory: 16 << 20 }, journal);
    const net = createNet(stack);
    expect(await conversation(net, net, '127.0.0.1', 500_000)).toBe(500_000);
    const server = createServer((request, response) => response.end(`${request.url} `.repeat(1000)));
    const sockets = net.createServer((socket) => server.emit('connection', socket));
    await new Promise<void>((resolve) => sockets.listen(80, '127.0.0.1', resolve));
    const agent = new Agent({ keepAlive: true });
    (agent as { createConnection: unknown }).createConnection = () =>
      net.connect({ host: '127.0.0.1', port: 80 });
    for (const path of ['/a', '/b', '/c']) {
      const text = await new Promise<string>((resolve, reject) => {
        get({ path, agent }, async (response) => {
          let whole = '';
          for await (const chunk of response) whole += chunk;
          resolve(whole);
        }).on('error', reject);
      });
      expect(text).toBe(`${path} `.repeat(1000));
    }
    agent.destroy();
    sockets.close();
    const counters = stack.snmp();
    await stack.close();
    const told = new Set<string>();
    const onEvent = (_number: number, text: string): void => void told.add(text.replace(/\(.*/, ''));
    const replay = await replaySession(journal, { onEvent });
    expect(replay.difference).toBeNull();
    expect(replay.end).toBe('closed');
    expect(replay.stack?.snmp()).toEqual(counters);
    expect([...told]).toEqual(expect.arrayContaining(['onBatchDone', 'harvest', 'accept4', 'send', 'read']));
  });

  it('whose journal was full at any moment, also while programs run inside of a batch, happens again up to there', async () => {
    const journal = join(folder, 'full');
    const many = new Set<number>();
    for (let limit = 5000; limit < 150_000; limit += 9000) {
      const clock = new RealClock();
      const [left, right] = createWire({ clock });
      const a = new Stack({ clock, link: left, address: '10.0.0.1/24', memory: 16 << 20 });
      const told: string[] = [];
      const link = new Prompt(right);
      const b = recordSession({ clock, link, address: '10.0.0.2/24', memory: 16 << 20 }, journal, {
        limit,
        onEnd: ({ message }) => told.push(message),
      });
      expect(await conversation(createNet(b), createNet(a), '10.0.0.2', 100_000)).toBe(100_000);
      await Promise.all([a.close(), b.close()]);
      expect(told.length).toBe(1);
      const { difference, end, events } = await replaySession(journal);
      expect(difference, `${limit} bytes`).toBeNull();
      expect(end).toBe('full');
      many.add(events);
    }
    expect(many.size).toBeGreaterThan(3); // a busy machine has larger batches, and fewer of them
  });
});

// A session recorded in the lab, with loss, reordering and all the timers these wake, happens again offline: every frame, every result,
// byte for byte.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SocketDetails } from '../../src/control/socket-details.js';
import { onTrace } from '../../src/core/trace.js';
import { Lab } from '../../src/lab/index.js';
import { recordSession, replaySession } from '../../src/replay/index.js';
import type { Stack } from '../../src/stack.js';
import type { TcpZerocopyReceive } from '../../src/tcp/zerocopy-receive.js';
import { AF_INET, IPPROTO_TCP, SOCK_NONBLOCK, SOCK_STREAM } from '../../src/uapi/socket.js';
import { TCP_ZEROCOPY_RECEIVE } from '../../src/uapi/tcp.js';
import { crowd, roughSession } from './programs.js';

let folder: string;
let journals: [string, string];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapstack-replay-'));
  journals = [join(folder, 'a.journal'), join(folder, 'b.journal')];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a session in the lab', () => {
  it('happens again, byte for byte, whatever chance has brought about', async () => {
    const total: Record<string, number> = {};
    for (const seed of [1, 2, 3, 4, 5]) {
      const counters = await roughSession(seed, journals);
      for (const [at, journal] of journals.entries()) {
        const replay = await replaySession(journal);
        expect(replay.difference).toBeNull();
        expect(replay.end).toBe('closed');
        expect(replay.frames).toBeGreaterThan(300);
        expect(replay.stack?.snmp()).toEqual(counters[at]);
        for (const [name, value] of Object.entries({ ...counters[at].Tcp, ...counters[at].TcpExt }))
          total[name] = (total[name] ?? 0) + value;
      }
    }
    // It was no idle stroll.
    for (const name of [
      'TCPTimeouts',
      'DelayedACKs',
      'TCPOFOQueue',
      'TCPFastRetrans',
      'TCPDSACKRecv',
      'InCsumErrors',
    ])
      expect(total[name], name).toBeGreaterThan(2);
  });

  it('happens again where the server keeps nothing of a SYN but a cookie', async () => {
    const [, server] = await roughSession(6, journals, { sysctl: { 'net.ipv4.tcp_syncookies': 2 } });
    expect(server.TcpExt.SyncookiesRecv).toBeGreaterThan(0);
    const replay = await replaySession(journals[1]);
    expect(replay.difference).toBeNull();
    expect(replay.stack?.snmp()).toEqual(server);
  });

  it('is the same session whether it is recorded or not', async () => {
    const sent: unknown[] = [];
    for (const record of [undefined, journals[0]]) {
      const lab = new Lab({ seed: 9 });
      const stack = lab.stack(record === undefined ? {} : { record });
      const said = await lab.run({ until: crowd(stack) });
      sent.push([said, stack.snmp()]);
      await lab.close();
    }
    expect(sent[1]).toEqual(sent[0]);
  });

  it('happens again when programs wake each other, each in its turn', async () => {
    const lab = new Lab({ seed: 9 });
    const stack = lab.stack({ record: journals[0] });
    const said = await lab.run({ until: crowd(stack) });
    expect(new Set(said?.map((line) => line.split(' ')[0]))).toEqual(
      new Set(['0:', '1:', 'pipe', 'datagram', 'not', 'poll', 'interrupted', 'loop']),
    );
    await lab.pass(5000);
    const counters = stack.snmp();
    await lab.close();
    const replay = await replaySession(journals[0]);
    expect(replay.difference).toBeNull();
    expect(replay.stack?.snmp()).toEqual(counters);
  });
});

async function connection({ sys, blocking }: Stack): Promise<{ client: number; server: number }> {
  const listener = sys.socket(AF_INET, SOCK_STREAM);
  const address = { family: AF_INET, address: '127.0.0.1', port: 7 };
  sys.bind(listener, address);
  sys.listen(listener, 1);
  const client = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  sys.connect(client, address);
  const server = await blocking.accept(listener);
  return { client, server };
}

it('of a buffer for what is not worth a loan only what was copied is compared: the rest is the program’s', async () => {
  const stack = recordSession({ memory: 8 << 20 }, journals[0]);
  const { sys } = stack;
  const { client, server } = await connection(stack);
  const zc: TcpZerocopyReceive = { length: 0, copybuf: new Uint8Array(4096).fill(7) };
  for (const size of [50, 70_000, 20, 70_000]) {
    sys.write(client, new Uint8Array(size).fill(size));
    Object.assign(zc, { length: 1 << 20, copybuf_len: 4096 });
    expect(sys.getsockopt(server, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value: zc })).toBe(0);
    if (size < 4096) expect([zc.length, zc.copybuf_len]).toEqual([0, size]);
  }
  zc.copybuf_len = 5000;
  expect(sys.getsockopt(server, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value: zc })).toBeLessThan(0);
  await stack.close();
  expect((await replaySession(journals[0])).difference).toBeNull();
});

it('what is lent and mapped comes back, as it did', async () => {
  const stack = recordSession({ memory: 8 << 20 }, journals[0]);
  const { sys } = stack;
  const { client, server } = await connection(stack);
  const zc: TcpZerocopyReceive = { length: 0, iov: [] };
  let total = 0;
  for (let round = 0; round < 100; round++) {
    const mapped = sys.mmap(70_000) as Uint8Array;
    sys.write(client, mapped.fill(round));
    zc.length = 1 << 20;
    expect(sys.getsockopt(server, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value: zc })).toBe(0);
    total += zc.length;
    const piece = round % 3 === 0 ? zc.iov?.pop() : undefined;
    if (piece !== undefined) expect(sys.munmap(piece)).toBe(0);
    expect(sys.munmap(mapped)).toBe(0);
  }
  expect(total).toBeGreaterThan(1_000_000);
  const { used } = stack.host.memory;
  const lent = stack.host.memory.mapped.lentBytes;
  await stack.close();
  const replay = await replaySession(journals[0]);
  expect(replay.difference).toBeNull();
  expect(replay.stack?.host.memory.used).toBe(used);
  expect(replay.stack?.host.memory.mapped.lentBytes).toBe(lent);
});

describe('a session in the time of the machine', () => {
  it('happens again: random ports, sequence numbers and keys, and a clock that never says the same', async () => {
    const stack = recordSession({ memory: 8 << 20, doctor: () => {} }, journals[0]);
    // Whoever looks into it meanwhile looks at the clock, too, and so does a trace.
    const looking = setInterval(() => new SocketDetails(stack).list(), 1);
    const stopTrace = onTrace(() => {});
    await crowd(stack);
    clearInterval(looking);
    stopTrace();
    const counters = stack.snmp();
    await stack.close();
    const replay = await replaySession(journals[0]);
    expect(replay.difference).toBeNull();
    expect(replay.end).toBe('closed');
    expect(replay.stack?.snmp()).toEqual(counters);
  });
});

// A steered listener over a TAP device, with the kernel's TCP as its clients: what a pause, a refusal, a hook and a full queue are to
// programs that know nothing of it.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  AF_INET,
  type Listener,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  Stack,
  type SynDetails,
  TapLink,
} from 'tapstack';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ADDRESS = '10.88.1.2';
let stack: Stack;
let fd: number;
let listener: Listener;
const sockets: Socket[] = [];

beforeEach(async () => {
  const link = TapLink.open({ name: 'steer1', hostAddress: '10.88.1.1/24' });
  stack = await Stack.create({ link, address: `${ADDRESS}/24` });
  fd = stack.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  stack.sys.bind(fd, { family: AF_INET, address: '0.0.0.0', port: 80 });
  stack.sys.listen(fd, 1);
  listener = stack.listener(fd);
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await stack.close();
});

/** A client on the kernel: that it is connected, or why not. */
function client(): { socket: Socket; outcome: Promise<string> } {
  const socket = connect(80, ADDRESS);
  sockets.push(socket);
  const outcome = once(socket, 'connect').then(
    () => 'connected',
    ({ code }) => code as string,
  );
  return { socket, outcome };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

test('a pause is felt as a lost SYN, which comes again; a refusal at once', async () => {
  listener.pause();
  const patient = client();
  expect(await Promise.race([patient.outcome, pause(300).then(() => 'waits')])).toBe('waits');
  expect(listener.counters.PausedDrops).toBe(1);
  listener.resume();
  expect(await patient.outcome).toBe('connected');
  listener.pause({ refuse: true });
  expect(await client().outcome).toBe('ECONNREFUSED');
  expect(listener.acceptQueue).toMatchObject([
    { peer: { address: '10.88.1.1', port: patient.socket.localPort }, state: 'ESTABLISHED', bytes: 0 },
  ]);
});

test('onSyn sees what the kernel offers, and a cookie brings it back', async () => {
  const seen: SynDetails[] = [];
  listener.onSyn = (syn) => {
    seen.push(syn);
    return 'cookie';
  };
  const { socket, outcome } = client();
  expect(await outcome).toBe('connected');
  const offers = { mss: 1460, sack: true, timestamps: true, ttl: 64, fastOpen: false, length: 0 };
  expect(seen).toMatchObject([
    {
      ...offers,
      peer: { address: '10.88.1.1', port: socket.localPort },
      local: { address: ADDRESS, port: 80 },
    },
  ]);
  socket.write('hello');
  while (listener.acceptQueue[0]?.bytes !== 5) await pause(5);
  const child = stack.sys.accept(fd);
  const [sk] = stack.tcp.established;
  expect([sk.sackOk, sk.sndWscale, sk.mssClamp]).toEqual([true, seen[0].windowScale, 1460]);
  const buffer = new Uint8Array(16);
  expect(stack.sys.write(child, buffer, stack.sys.read(child, buffer))).toBe(5);
  expect(String((await once(socket, 'data'))[0])).toBe('hello');
  expect(stack.snmp().TcpExt.SyncookiesRecv).toBe(1);
});

test('a full accept queue that refuses is told at once', async () => {
  listener.acceptOverflow = 'reset';
  expect([await client().outcome, await client().outcome, await client().outcome]).toEqual([
    'connected',
    'connected',
    'ECONNREFUSED',
  ]);
});

test('a hook that throws costs a SYN, and neither the batch nor the device', async () => {
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const thrown: string[] = [];
  process.on('uncaughtException', ({ message }) => thrown.push(message));
  try {
    let asked = 0;
    listener.onSyn = () => {
      if (asked++ === 0) throw new Error('no such list');
      return 'accept';
    };
    const [first, second] = [client(), client()];
    expect([await first.outcome, await second.outcome]).toEqual(['connected', 'connected']);
    expect([asked, thrown, listener.counters.OnSynErrors]).toEqual([3, ['no such list'], 1]);
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  }
});

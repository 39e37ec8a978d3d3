// The control socket of a stack in this very process: who may reach it, what it answers, and that looking on costs nothing once
// nobody looks.

import { spawnSync } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ask, follow, runningStacks } from '../../src/control/client.js';
import { controlDirectory } from '../../src/control/directory.js';
import { type Control, serveControl } from '../../src/control/index.js';
import type {
  CaptureEnd,
  ControlRequest,
  InterfaceDetail,
  RouteDetail,
  SocketDetail,
  TraceLine,
} from '../../src/control/protocol.js';
import { AF_INET, createWire, RealClock, SOCK_DGRAM, SOCK_STREAM, Stack } from '../../src/index.js';
import { readPcapng } from '../link/pcapng-reader.js';
import { privateDirectory } from './private-directory.js';

async function known(name = 'bench', stack = new Stack()): Promise<{ stack: Stack; control: Control }> {
  const control = await serveControl(stack, { name });
  onTestFinished(async () => {
    await control.close();
    await stack.close();
  });
  return { stack, control };
}

/** A connection over the stack's own loopback, with `length` bytes sent and not read. */
async function converse(stack: Stack, port: number, length: number) {
  const { blocking, sys } = stack;
  const at = { family: AF_INET, address: '127.0.0.1', port };
  const listener = sys.socket(AF_INET, SOCK_STREAM, 0);
  sys.bind(listener, at);
  sys.listen(listener, 5);
  const client = sys.socket(AF_INET, SOCK_STREAM, 0);
  await blocking.connect(client, at);
  const server = await blocking.accept(listener);
  if (length > 0) await blocking.write(client, new Uint8Array(length));
  return { listener, client, server };
}

async function everything(path: string, request: ControlRequest): Promise<Buffer> {
  const socket = await follow(path, request);
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  socket.destroy();
  return Buffer.concat(pieces);
}

/** The file and the last words in what a capture sent. */
function unpack(bytes: Buffer): { file: Uint8Array; end: CaptureEnd } {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let length = bytes.readUInt32BE(at); length > 0; length = bytes.readUInt32BE(at)) {
    pieces.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { file: Buffer.concat(pieces), end: JSON.parse(bytes.toString('utf8', at + 4)) as CaptureEnd };
}

describe('the directory', () => {
  test('is the user’s alone, and so is the socket', async () => {
    const base = privateDirectory();
    const { control } = await known('my app/1');
    expect(dirname(control.path)).toBe(join(base, 'tapstack'));
    expect(statSync(dirname(control.path)).mode & 0o777).toBe(0o700);
    expect(statSync(control.path).mode & 0o777).toBe(0o600);
    expect(control.path).toMatch(new RegExp(`/${process.pid}-my_app_1\\.sock$`));
    await control.close();
    expect(existsSync(control.path)).toBe(false);
  });

  test('is not used if others may look into it, or if it is a link somewhere', () => {
    const base = privateDirectory();
    mkdirSync(join(base, 'tapstack'), { mode: 0o700 });
    chmodSync(join(base, 'tapstack'), 0o750);
    expect(controlDirectory).toThrow(/tapstack is open to others \(mode 0750\)/);
    const other = privateDirectory();
    symlinkSync('/root', join(other, 'tapstack'));
    expect(controlDirectory).toThrow('is no directory');
  });

  test('a base that others may write to is passed over', () => {
    const base = privateDirectory();
    chmodSync(base, 0o777);
    expect(controlDirectory()).not.toContain(base);
  });

  test('is the same for a user in a namespace in which he is somebody else, as he is root in a lab', () => {
    privateDirectory();
    delete process.env.XDG_RUNTIME_DIR;
    const script = `import('${new URL('../../dist/control/directory.js', import.meta.url)}')
      .then(({ controlDirectory }) => process.stdout.write(controlDirectory()))`;
    const asAnother = ['--user', '--map-user=7', '--map-group=7', process.execPath, '-e', script];
    expect(spawnSync('unshare', asAnother, { encoding: 'utf8' }).stdout).toBe(controlDirectory());
  });

  test('whose path leaves no room for a socket is refused, and no socket of another name is made', async () => {
    const base = privateDirectory();
    process.env.XDG_RUNTIME_DIR = join(base, 'x'.repeat(80));
    mkdirSync(process.env.XDG_RUNTIME_DIR, { mode: 0o700 });
    await expect(known('long')).rejects.toThrow(/long\.sock is longer than the path of a socket may be/);
    expect(readdirSync(base)).toEqual(['x'.repeat(80)]);
    expect(readdirSync(controlDirectory())).toEqual([]);
  });

  test('several stacks of one process and one name get a socket each', async () => {
    privateDirectory();
    const [first, second] = [await known('twin'), await known('twin')];
    expect(first.control.path).not.toBe(second.control.path);
    const all = await runningStacks();
    expect(all.map(({ name, pid }) => ({ name, pid }))).toEqual([
      { name: 'twin', pid: process.pid },
      { name: 'twin', pid: process.pid },
    ]);
  });

  /** A socket at which nobody listens any more. */
  function deadSocket(name: string): string {
    const script = `
      const server = require('node:net').createServer();
      server.listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'));`;
    const stale = join(controlDirectory(), name);
    spawnSync(process.execPath, ['-e', script, stale]);
    return stale;
  }

  test('what a dead program has left is swept by whoever looks next', async () => {
    privateDirectory();
    const stale = deadSocket('1-dead.sock');
    const { control } = await known();
    expect(readdirSync(controlDirectory())).toHaveLength(2);
    const found = await Promise.all([runningStacks(), runningStacks()]);
    expect(found.map((stacks) => stacks.map(({ path }) => path))).toEqual([[control.path], [control.path]]);
    expect(existsSync(stale)).toBe(false);
  });

  test('a socket that is bound and does not listen yet is not taken for a dead one', async () => {
    privateDirectory();
    const path = deadSocket(`${process.pid}-begins.sock`);
    const looking = runningStacks();
    await new Promise((resolve) => setTimeout(resolve, 5));
    rmSync(path);
    await known('begins');
    expect((await looking).map((stack) => stack.path)).toEqual([path]);
    expect(existsSync(path)).toBe(true);
  });

  test('keeps no process alive', () => {
    privateDirectory();
    const program = `
      import { Stack } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      import { serveControl } from ${JSON.stringify(new URL('../../dist/control/index.js', import.meta.url).href)};
      await serveControl(new Stack(), { name: 'brief' });
      process.stdout.write('served');`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(run).toMatchObject({ status: 0, stdout: 'served', stderr: '' });
    expect(readdirSync(controlDirectory())).toEqual([]);
  });
});

describe('answers', () => {
  test('sockets: a listener, both ends of a connection, a datagram socket, what is left of one', async () => {
    privateDirectory();
    const { stack, control } = await known();
    const { listener, client, server } = await converse(stack, 700, 1000);
    const datagram = stack.sys.socket(AF_INET, SOCK_DGRAM, 0);
    stack.sys.bind(datagram, { family: AF_INET, address: '0.0.0.0', port: 53 });
    stack.listener(listener).pause({ refuse: true });
    const all = await ask<SocketDetail[]>(control.path, { method: 'sockets' });
    const byUser = (fd: number) => all.find(({ users }) => users.some((user) => user.fd === fd));
    expect(byUser(listener)).toMatchObject({
      state: 'LISTEN',
      recvq: 0,
      sendq: 5,
      congestion: 'cubic',
      paused: 'refusing',
    });
    expect(byUser(server)).toMatchObject({
      state: 'ESTABLISHED',
      recvq: 1000,
      local: { address: '127.0.0.1', port: 700 },
      info: { bytes_received: 1000 },
    });
    expect(byUser(client)).toMatchObject({ sendq: 0, info: { bytes_sent: 1000, bytes_acked: 1001 } });
    expect(byUser(datagram)).toMatchObject({
      protocol: 'udp',
      state: 'UNCONN',
      local: { address: null, port: 53 },
    });
    const inodes = [listener, client, server, datagram].map((fd) => byUser(fd)?.inode);
    expect(new Set(inodes).size).toBe(4);
    const again = await ask<SocketDetail[]>(control.path, { method: 'sockets' });
    expect(again.map(({ inode }) => inode)).toEqual(all.map(({ inode }) => inode));

    stack.sys.read(server, new Uint8Array(1000));
    stack.sys.close(client);
    stack.sys.close(server);
    const left = await ask<SocketDetail[]>(control.path, { method: 'sockets' });
    expect(left.find(({ state }) => state === 'TIME_WAIT')?.timer).toMatchObject({
      name: 'timewait',
      count: 0,
    });
  });

  test('counters, interfaces, routes', async () => {
    privateDirectory();
    const [near] = createWire({ clock: new RealClock() });
    const stack = new Stack({ link: near, address: '10.1.2.3/20', gateway: '10.1.0.1' });
    const { control } = await known('wired', stack);
    await converse(stack, 7, 10);
    const counters = await ask<Record<string, Record<string, number>>>(control.path, { method: 'counters' });
    expect(counters.Tcp).toMatchObject({ ActiveOpens: 1, PassiveOpens: 1, CurrEstab: 2 });
    const interfaces = await ask<InterfaceDetail[]>(control.path, { method: 'interfaces' });
    expect(interfaces).toMatchObject([
      { name: 'lo', loopback: true, address: '127.0.0.1', prefix: 8, stats: null },
      { loopback: false, address: '10.1.2.3', prefix: 20, mtu: 1500, up: true },
    ]);
    const routes = await ask<RouteDetail[]>(control.path, { method: 'routes' });
    expect(routes.map(({ destination, gateway }) => [destination, gateway])).toEqual([
      ['10.1.0.0/20', null],
      ['default', '10.1.0.1'],
    ]);
  });

  test('says what it does not know', async () => {
    privateDirectory();
    const { control } = await known();
    const strange = { method: 'reboot' } as unknown as ControlRequest;
    await expect(ask(control.path, strange)).rejects.toThrow('does not know how to answer "reboot"');
    await expect(follow(control.path, { method: 'trace', points: ['tcp_x'] })).rejects.toThrow(
      'no trace point tcp_x',
    );
    await expect(follow(control.path, { method: 'capture', interfaces: ['eth9'] })).rejects.toThrow(
      'no interface eth9: it has lo',
    );
  });

  test('nonsense and half a request do it no harm', async () => {
    privateDirectory();
    const { control } = await known();
    const said = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(control.path).on('data', (piece) => {
        text += piece;
      });
      socket.on('close', () => resolve(text)).write('{"method":\n');
    });
    expect(JSON.parse(said)).toHaveProperty('error');
    const half = connect(control.path);
    half.end('{"method"');
    await new Promise((resolve) => half.on('close', resolve).resume());
    expect((await ask<{ name: string }>(control.path, { method: 'hello' })).name).toBe('bench');
  });
});

describe('feeds', () => {
  test('a trace tells what is asked for, of this stack only, and is gone when its reader is', async () => {
    privateDirectory();
    const { stack, control } = await known();
    const other = new Stack();
    const points = ['tcp_set_state', 'inet_csk_accept'];
    const socket = await follow(control.path, { method: 'trace', points, port: 701 });
    expect(channel('tapstack:tcp_set_state').hasSubscribers).toBe(true);
    expect(channel('tapstack:tcp_v4_rcv').hasSubscribers).toBe(false);
    await converse(other, 701, 0);
    await converse(stack, 702, 0);
    await converse(stack, 701, 0);
    const lines: TraceLine[] = [];
    for await (const line of createInterface({ input: socket })) {
      lines.push(JSON.parse(line) as TraceLine);
      if (lines.at(-1)?.point === 'inet_csk_accept') socket.end();
    }
    socket.destroy();
    expect(lines.pop()).toEqual({ point: 'dropped', time: 0, count: 0 });
    expect(lines.every(({ local, peer }) => `${local} ${peer}`.includes(':701'))).toBe(true);
    expect(lines.filter(({ point }) => point === 'tcp_set_state').length).toBeGreaterThanOrEqual(2);
    expect(lines.filter(({ point }) => point === 'inet_csk_accept')).toHaveLength(1);
    await expect.poll(() => channel('tapstack:tcp_set_state').hasSubscribers).toBe(false);
    await other.close();
  });

  test('a capture of so many frames: whole, cut to the snaplen, of one interface', async () => {
    privateDirectory();
    const [near, far] = createWire({ clock: new RealClock() });
    const stack = new Stack({ link: near, address: '10.0.0.1/24' });
    const peer = new Stack({ link: far, address: '10.0.0.2/24' });
    const { control } = await known('wired', stack);
    expect(stack.ip.taps).toBeNull();
    const doorbell = stack.ip.routes.devices[1].tx.doorbell;

    const all = everything(control.path, {
      method: 'capture',
      interfaces: [near.name],
      count: 8,
      snaplen: 60,
    });
    await expect.poll(() => stack.ip.taps).not.toBeNull();
    const listener = peer.sys.socket(AF_INET, SOCK_STREAM, 0);
    peer.sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port: 7 });
    peer.sys.listen(listener, 5);
    await converse(stack, 703, 100);
    const client = stack.sys.socket(AF_INET, SOCK_STREAM, 0);
    await stack.blocking.connect(client, { family: AF_INET, address: '10.0.0.2', port: 7 });
    for (let i = 0; i < 8; i++) {
      stack.sys.write(client, new Uint8Array(1000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { file, end } = unpack(await all);
    expect(end).toEqual({ frames: 8, dropped: 0 });
    const { frames, interfaces, statistics } = readPcapng(file);
    expect(interfaces).toMatchObject([{ name: near.name, snapLength: 60 }]);
    expect(statistics).toEqual([{ interfaceId: 0, received: 8, dropped: 0 }]);
    expect(frames).toHaveLength(8);
    // ARP, its answer, SYN, SYN-ACK, ACK, and what follows: none of it what went over lo.
    expect(frames.map(({ flags }) => flags).slice(0, 5)).toEqual([2, 1, 2, 1, 2]);
    expect(Math.max(...frames.map(({ bytes }) => bytes.length))).toBe(60);
    expect(Math.max(...frames.map(({ originalLength }) => originalLength))).toBeGreaterThan(1000);

    expect(stack.ip.taps).toBeNull();
    expect(stack.ip.routes.devices[1].tx.doorbell).toBe(doorbell);
    await peer.close();
  });

  test('two captures at once see the same, and each ends alone', async () => {
    privateDirectory();
    const { stack, control } = await known();
    const [one, other] = [
      await follow(control.path, { method: 'capture' }),
      await follow(control.path, { method: 'capture' }),
    ];
    await converse(stack, 704, 10);
    const read = async (socket: typeof one) => {
      const pieces: Buffer[] = [];
      socket.end();
      for await (const piece of socket) pieces.push(piece as Buffer);
      return unpack(Buffer.concat(pieces)).end.frames;
    };
    const first = await read(one);
    expect(first).toBeGreaterThanOrEqual(4);
    expect(stack.ip.taps).not.toBeNull();
    expect(await read(other)).toBe(first);
    expect(stack.ip.taps).toBeNull();
  });

  test('a reader that does not read costs no memory: frames are dropped, and counted', async () => {
    privateDirectory();
    const { stack, control } = await known();
    const socket = await follow(control.path, { method: 'capture' });
    socket.pause();
    const { client, server } = await converse(stack, 705, 0);
    const bytes = new Uint8Array(60_000);
    for (let i = 0; i < 600; i++) {
      stack.sys.write(client, bytes);
      stack.sys.read(server, bytes);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const pieces: Buffer[] = [];
    socket.end();
    for await (const piece of socket) pieces.push(piece as Buffer);
    const { end, file } = unpack(Buffer.concat(pieces));
    expect(end.dropped).toBeGreaterThan(0);
    expect(end.frames).toBeGreaterThan(0);
    expect(file.length).toBeLessThan(12 * 1024 * 1024);
  });

  test('the stack closes: its readers hear the end', async () => {
    privateDirectory();
    const { control } = await known();
    const socket = await follow(control.path, { method: 'trace' });
    await control.close();
    const lines: TraceLine[] = [];
    for await (const line of createInterface({ input: socket })) lines.push(JSON.parse(line) as TraceLine);
    expect(lines).toEqual([{ point: 'dropped', time: 0, count: 0 }]);
    socket.destroy();
  });
});

// A device is gone for good: connections over it end, calls asleep on them hear of it, and all else goes on.
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AF_INET, createWire, SOCK_STREAM, VirtualClock } from 'tapstack';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { recordSession } from '../../src/replay/record-session.js';
import { Stack } from '../../src/stack.js';
import { address, Machine, result, settle } from './machine.js';

const SERVER = '10.9.0.1';
const CLIENT = '10.9.0.2';

let clock: VirtualClock;
let server: Machine;
let client: Machine;
let told: string[];

beforeEach(() => {
  clock = new VirtualClock();
  const [a, b] = createWire({ clock });
  told = [];
  const onLinkDown = (name: string, { message }: Error): void => void told.push(`${name}: ${message}`);
  server = new Machine({ clock, link: a, address: `${SERVER}/24` });
  client = new Machine({ clock, link: b, address: `${CLIENT}/24`, onLinkDown });
});

async function pass(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    clock.advance(1000);
    await settle();
  }
}

/** A blocking socket of the client, connected or on its way. */
function connect(port: number, ip = SERVER): { fd: number; done: Promise<number> } {
  const fd = client.sys.socket(AF_INET, SOCK_STREAM, 0);
  return { fd, done: client.blocking.connect(fd, address(port, ip)) };
}

function unplug(): void {
  const device = client.stack.ip.routes.devices[1];
  client.stack.ip.linkDown(device.link, new Error('unplugged'));
}

describe('connections over a device that is gone', () => {
  it('end with ENETDOWN: whoever reads, writes or connects is told', async () => {
    const listener = server.socket();
    server.sys.bind(listener, address(80, '0.0.0.0'));
    server.sys.listen(listener, 4);
    const { fd, done } = connect(80);
    await pass();
    expect(await done).toBe(0);
    const idle = connect(80);
    const silent = connect(81, '10.9.0.77');
    await pass();
    const reads = client.blocking.recv(fd, new Uint8Array(1));
    await settle();
    unplug();
    expect([result(await reads), result(await silent.done)]).toEqual(['-ENETDOWN', '-ENETDOWN']);
    expect(await client.poll(idle.fd)).toBe('IN|OUT|ERR|HUP|RDNORM|WRNORM|RDHUP');
    expect(result(client.sys.send(idle.fd, new Uint8Array(1), 1, 0x4000))).toBe('-ENETDOWN');
    expect(result(client.sys.send(idle.fd, new Uint8Array(1), 1, 0x4000))).toBe('-EPIPE');
    expect(told).toEqual([`${client.stack.ip.routes.devices[1].name}: unplugged`]);
    const { fd: late, done: refused } = connect(80);
    expect(result(await refused)).toBe('-ENETUNREACH');
    for (const each of [fd, idle.fd, silent.fd, late]) client.sys.close(each);
    expect(client.stack.tcp.counts).toMatchObject({ established: 0, orphans: 0 });
  });

  it('that nobody holds any more are forgotten', async () => {
    const listener = server.socket();
    server.sys.bind(listener, address(80, '0.0.0.0'));
    server.sys.listen(listener, 4);
    const { fd } = connect(80);
    await pass();
    client.write(fd, 'unsent');
    client.sys.close(fd);
    expect(client.stack.tcp.counts.orphans).toBe(1);
    unplug();
    expect(client.stack.tcp.counts).toMatchObject({ established: 0, orphans: 0 });
    expect(client.stack.host.memory.used).toBe(0);
  });

  it('are all that ends: listeners stay, and so does what goes over the loopback, by any address', async () => {
    const listener = client.socket();
    client.sys.bind(listener, address(80, CLIENT));
    client.sys.listen(listener, 4);
    const own = client.client(address(80, CLIENT));
    unplug();
    const child = client.sys.accept4(listener, null, 0);
    client.write(own, 'still there');
    expect(client.read(child)).toBe('still there');
    client.client(address(80, CLIENT));
    expect(client.sys.accept4(listener, null, 0)).toBeGreaterThan(child);
  });
});

it('a warning of the process says so where nobody else is told', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  try {
    const [link] = createWire({ clock });
    const stack = new Stack({ clock, link, address: '10.8.0.1/24' });
    stack.ip.linkDown(link, new Error('the TAP device tap0 is gone'));
    expect(warned.mock.calls).toEqual([['the TAP device tap0 is gone.', { type: 'TapstackWarning' }]]);
    unplug();
    expect(warned).toHaveBeenCalledTimes(1);
    const path = join(tmpdir(), `tapstack-link-down-${process.pid}.journal`);
    onTestFinished(() => rmSync(path, { force: true }));
    const [recorded] = createWire({ clock });
    const session = recordSession({ clock, link: recorded, address: '10.7.0.1/24' }, path);
    const [, { link: around }] = session.ip.routes.devices;
    session.ip.linkDown(around, new Error('the TAP device tap1 is gone'));
    expect(warned.mock.calls.slice(1)).toEqual([
      ['the TAP device tap1 is gone.', { type: 'TapstackWarning' }],
    ]);
    await session.close();
  } finally {
    warned.mockRestore();
  }
});

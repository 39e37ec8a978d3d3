// What the environment may say about the default stack, and how it is told that it may not.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readSettings, settingsFromEnvironment } from '../../src/net/settings.js';

const read = (variables: Record<string, string>) =>
  settingsFromEnvironment(
    Object.fromEntries(Object.entries(variables).map(([name, value]) => [`TAPSTACK_${name}`, value])),
  );

test('nothing said: nothing but loopback', () => {
  expect(read({})).toMatchObject({ tap: undefined, sysctl: {} });
  expect(read({ TAP: '', ADDRESS: '' }).tap).toBeUndefined();
});

test('a device brings addresses along', () => {
  expect(read({ TAP: 'tap3' }).tap).toEqual({
    name: 'tap3',
    address: '10.0.0.2/24',
    hostAddress: '10.0.0.1/24',
    gateway: undefined,
    netns: undefined,
    mtu: 1500,
    offload: true,
    busyPoll: 'auto',
    napi: 'auto',
    pcap: undefined,
  });
});

test('one end of the link follows from the other', () => {
  const ends = (variables: Record<string, string>) => {
    const { address, hostAddress } = read({ TAP: 'tap0', ...variables }).tap ?? {};
    return [address, hostAddress];
  };
  expect(ends({ ADDRESS: '192.0.2.9/28' })).toEqual(['192.0.2.9/28', '192.0.2.1/28']);
  expect(ends({ ADDRESS: '192.0.2.1/28' })).toEqual(['192.0.2.1/28', '192.0.2.2/28']);
  expect(ends({ HOST_ADDRESS: '200.0.0.7/24' })).toEqual(['200.0.0.1/24', '200.0.0.7/24']);
  expect(ends({ ADDRESS: '10.0.0.0/31' })).toEqual(['10.0.0.0/31', '10.0.0.1/31']);
});

test('everything said', () => {
  const said = read({
    TAP: 't',
    ADDRESS: '10.9.0.2/16',
    HOST_ADDRESS: '10.9.0.9/16',
    GATEWAY: 'host',
    NETNS: 'blue',
    MTU: '9000',
    OFFLOAD: '0',
    BUSY_POLL: '50',
    NAPI: 'threaded',
    PCAP: '/tmp/x',
    SYSCTL: 'net.ipv4.tcp_sack=0, net.ipv4.tcp_rmem = 4096 131072 6291456',
  });
  expect(said.tap).toEqual({
    name: 't',
    address: '10.9.0.2/16',
    hostAddress: '10.9.0.9/16',
    gateway: '10.9.0.9',
    netns: 'blue',
    mtu: 9000,
    offload: false,
    busyPoll: 50,
    napi: 'threaded',
    pcap: '/tmp/x',
  });
  expect(said.sysctl).toEqual({ 'net.ipv4.tcp_sack': '0', 'net.ipv4.tcp_rmem': '4096 131072 6291456' });
});

test('addresses of the kernel', () => {
  const { kernel } = read({ KERNEL: '127.0.0.0/8, 192.0.2.7,fd00::/8,::1' });
  for (const [address, family, belongs] of [
    ['127.0.0.1', 'ipv4', true],
    ['127.255.0.9', 'ipv4', true],
    ['192.0.2.7', 'ipv4', true],
    ['192.0.2.8', 'ipv4', false],
    ['fd12::1', 'ipv6', true],
    ['::1', 'ipv6', true],
    ['::2', 'ipv6', false],
  ] as const)
    expect([address, kernel.check(address, family)]).toEqual([address, belongs]);
});

test.each([
  [{ ADDRESS: '10.0.0.2/24' }, /TAPSTACK_ADDRESS is set, but TAPSTACK_TAP/],
  [
    { TAP: 't', ADDRESS: '10.0.0.2' },
    /TAPSTACK_ADDRESS is '10.0.0.2': write an IPv4 address and a prefix length/,
  ],
  [{ TAP: 't', ADDRESS: '10.0.0.2/32' }, /TAPSTACK_ADDRESS/],
  [{ TAP: 't', ADDRESS: '10.0.0.0/24' }, /TAPSTACK_ADDRESS is '10.0.0.0\/24': it is the network itself/],
  [
    { TAP: 't', ADDRESS: '10.0.0.2/24', HOST_ADDRESS: '10.0.0.255/24' },
    /TAPSTACK_HOST_ADDRESS is .*broadcast/,
  ],
  [{ TAP: 't', ADDRESS: '10.0.0.1/24', HOST_ADDRESS: '10.0.0.1/24' }, /are the same address/],
  [{ TAP: 't', ADDRESS: '10.0.0.1/24', HOST_ADDRESS: '10.0.1.1/24' }, /are not in one network/],
  [{ TAP: 't', HOST_ADDRESS: 'ten' }, /TAPSTACK_HOST_ADDRESS is 'ten'/],
  [{ TAP: 't', GATEWAY: 'router' }, /TAPSTACK_GATEWAY is 'router'/],
  [{ TAP: 't', MTU: '1e9' }, /TAPSTACK_MTU is '1e9'/],
  [{ TAP: 't', MTU: 'big' }, /TAPSTACK_MTU/],
  [{ TAP: 't', OFFLOAD: 'no' }, /TAPSTACK_OFFLOAD is 'no'/],
  [{ TAP: 't', BUSY_POLL: '1.5' }, /TAPSTACK_BUSY_POLL is '1.5'.*or auto/],
  [{ TAP: 't', NAPI: 'on' }, /TAPSTACK_NAPI is 'on'/],
  [{ KERNEL: 'localhost' }, /TAPSTACK_KERNEL has 'localhost'/],
  [{ KERNEL: '10.0.0.0/33' }, /TAPSTACK_KERNEL/],
  [{ KERNEL: '10.0.0.0/x' }, /TAPSTACK_KERNEL/],
  [{ SYSCTL: 'net.ipv4.tcp_sack' }, /TAPSTACK_SYSCTL has 'net.ipv4.tcp_sack'/],
])('refused: %j', (variables, message) => {
  expect(() => read(variables as Record<string, string>)).toThrow(message);
});

test('a variable that is none, but looks like one, is refused; an empty one, and what we leave for children, is not', () => {
  expect(() => readSettings({ TAPSTACK_TAP: 't', TAPSTACK_ADRESS: '10.0.0.2/24' })).toThrow(
    /TAPSTACK_ADRESS is set, and is no setting; there are TAPSTACK_TAP, TAPSTACK_ADDRESS/,
  );
  const said = { TAPSTACK_TAP: 't', TAPSTACK_ADRESS: '', TAPSTACK_OWNER: '7 tap0', PATH: '/bin' };
  expect(readSettings(said).tap).toMatchObject({ name: 't', address: '10.0.0.2/24' });
});

function configuration(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'tapstack-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'tapstack.json'), text);
  return join(directory, 'tapstack.json');
}

test('a file says the same, and a variable says it louder', () => {
  const file = configuration('{ "tap": "tap7", "mtu": 9000, "host_address": "10.1.0.1/16" }');
  const { tap } = readSettings({ TAPSTACK_CONFIG: file, TAPSTACK_MTU: '1400' });
  expect(tap).toMatchObject({ name: 'tap7', mtu: 1400, hostAddress: '10.1.0.1/16', address: '10.1.0.2/16' });
});

test.each([
  ['{ "tap": ', /TAPSTACK_CONFIG is '.*', which cannot be read: /],
  ['{ "tapp": "tap0" }', /has \{"tapp":"tap0"\}: it is an object of tap, address, host_address/],
  ['{ "tap": true }', /has \{"tap":true\}/],
])('a file that is refused: %s', (text, message) => {
  expect(() => readSettings({ TAPSTACK_CONFIG: configuration(text) })).toThrow(message);
});

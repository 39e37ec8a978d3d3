// Loading the addon: what is said where it cannot be had, and that nothing is loaded until a device is asked for.

import { openSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { nativeNic } from '../../src/link/native-nic.js';
import { capture } from '../../src/link/pcap-link.js';
import { TapLink } from '../../src/link/tap.js';
import { createWire } from '../../src/link/wire.js';
import { VirtualClock } from '../../src/time/clock.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test('elsewhere than on Linux a TAP device says that it needs Linux', async () => {
  vi.spyOn(process, 'platform', 'get').mockReturnValue('darwin');
  await expect(TapLink.open()).rejects.toMatchObject({
    code: 'ENOTSUP',
    message: expect.stringContaining('needs Linux'),
  });
});

test('where the addon was not built, the error says how to build it; once it is there it loads', async () => {
  vi.stubEnv('TAPSTACK_PREBUILD', '/nowhere'); // where node-gyp-build looks instead
  await expect(TapLink.open()).rejects.toMatchObject({
    code: 'ERR_ADDON_MISSING',
    message: expect.stringMatching(/npm run build:native.*npm rebuild tapstack/),
  });
  vi.unstubAllEnvs();
  expect(nativeNic()).toBe(nativeNic());
});

test('misuse of the addon is a TypeError', () => {
  const { Nic, removeNetns } = nativeNic();
  expect(() => Reflect.construct(Nic, [])).toThrow(TypeError);
  expect(() => Reflect.construct(Nic, [{ name: 'x', mtu: 1.5 }])).toThrow(TypeError);
  expect(() => Reflect.apply(removeNetns, null, [])).toThrow(TypeError);
  // What is no text is not the same as nothing: a device must not end up in another namespace than the one that was meant.
  for (const name of ['name', 'netns', 'hostAddress', 'hostMac'])
    for (const value of [5, null, 'a\0b'])
      expect(() => Reflect.construct(Nic, [{ name: 'x', [name]: value }])).toThrow(
        expect.objectContaining({ code: 'EINVAL', message: `${name} must be a string, without a zero byte` }),
      );
  expect(() => Reflect.construct(Nic, [{ name: 'x', persist: 1 }])).toThrow('persist must be true or false');
  const throwing = Object.defineProperty({}, 'name', {
    get: () => {
      throw new Error('getter');
    },
  });
  expect(() => Reflect.construct(Nic, [throwing])).toThrow('getter');
});

test('a device that a getter of its layout closes is not started', () => {
  const { Nic } = nativeNic();
  const nic = new Nic({ fd: openSync('/dev/null', 'r+'), vnetHdr: false });
  const layout = Object.defineProperty({}, 'rxListOffset', { get: () => nic.close() ?? 0 });
  for (const name of 'rxBlocks rxBlockSize rxDescOffset rxDescCount txHeaderOffset'.split(' '))
    Object.assign(layout, { [name]: 0 });
  Object.assign(layout, { txHeaderSlot: 0, txSlots: 0, txDescOffset: 0, ctrlOffset: 0 });
  const start = () => Reflect.apply(nic.start, nic, [new ArrayBuffer(8), layout, start, start, start]);
  expect(start).toThrow('the device was closed or started while its layout was read');
});

test('an Ethernet address that is none, and a capture to nowhere, are refused before anything is made', async () => {
  await expect(TapLink.open({ mac: 5 as never })).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringContaining("'5' is not the MAC address of one station"),
  });
  const [link] = createWire({ clock: new VirtualClock() });
  expect(() => capture(link, null as never)).toThrow('a capture goes to a path, a descriptor or a stream');
});

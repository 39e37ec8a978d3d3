// Loading the addon: what is said where it cannot be had, and that nothing is loaded until a device is asked for.

import { afterEach, expect, test, vi } from 'vitest';
import { nativeNic } from '../../src/link/native-nic.js';
import { TapLink } from '../../src/link/tap.js';

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
  const throwing = Object.defineProperty({}, 'name', {
    get: () => {
      throw new Error('getter');
    },
  });
  expect(() => Reflect.construct(Nic, [throwing])).toThrow('getter');
});

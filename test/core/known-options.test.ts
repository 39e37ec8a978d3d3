// Options that are none, as JavaScript lets one write them: refused with what there is, and what is given in a link's or a stack's place.

import { BlockList } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createWire, RealClock, Stack, TapLink } from '../../src/index.js';
import { Lab } from '../../src/lab/index.js';
import { createNet } from '../../src/net/index.js';

/** As a program in JavaScript has it: of any type. */
// biome-ignore lint/suspicious/noExplicitAny: what is tested is what types forbid
type Anything = any;
const lab = new Lab();
const any = (value: unknown): Anything => value;
const wire = () => createWire({ clock: new RealClock() })[0];

describe('an option of another name', () => {
  test.each<[string, () => unknown, string]>([
    [
      'a stack',
      () => new Stack(any({ adress: '10.0.0.2/24' })),
      "a stack has no option 'adress'; there are link, address,",
    ],
    ['a lab', () => new Lab(any({ sed: 7 })), "a lab has no option 'sed'; there are seed, epoch"],
    ['a host of the lab', () => lab.stack(any({ adress: '' })), "a stack has no option 'adress'"],
    [
      'a cable',
      () => lab.cable(any({ delay: 20 })),
      "a cable has no option 'delay'; there are name, mtu, ab, ba, bandwidth,",
    ],
    ['a direction', () => lab.cable(any({ ab: { delay: 20 } })), "a cable has no option 'delay'"],
    ['a change', () => lab.cable().change(any({ los: 1 })), "a cable has no option 'los'"],
    [
      'a net',
      () => createNet(new Stack(), any({ resolve: 1 })),
      "createNet has no option 'resolve'; there are timers, lookup, kernel",
    ],
  ])('%s', (_of, make, message) => {
    expect(make).toThrow(message);
  });

  test('a TAP device, before one is made', async () => {
    await expect(TapLink.open(any({ hostAdress: '10.0.0.1/24' }))).rejects.toThrow(
      "a TAP device has no option 'hostAdress'; there are name, hostAddress,",
    );
  });

  test('what every object has by its prototype is no option; what is undefined is not given', () => {
    expect(() => new Stack(any({ toString: 1 }))).toThrow("no option 'toString'");
    expect(() => new Stack({ seed: undefined, link: undefined })).not.toThrow();
  });
});

describe('something else in the place of', () => {
  test.each<[string, () => unknown, string]>([
    [
      'a link: a promise',
      () => new Stack({ link: any(Promise.resolve(wire())), address: '10.0.0.2/24' }),
      'await Stack.create',
    ],
    [
      'a link: a cable',
      () => lab.stack({ link: any(lab.cable()), address: '10.0.0.2/24' }),
      'its .a or its .b',
    ],
    ['a stack: nothing', () => createNet(any(undefined)), 'createNet takes a stack'],
    ['a stack: a promise', () => createNet(any(Stack.create())), 'createNet takes a stack'],
    [
      'a list: an array',
      () => createNet(new Stack(), { kernel: any(['127.0.0.0/8']) }),
      'is a BlockList of node:net',
    ],
    ['a seed: a word', () => new Lab({ seed: any('seven') }), "a seed is a number, and not 'seven'"],
  ])('%s', (_of, make, message) => {
    expect(make).toThrow(message);
  });

  test('what is right is taken', () => {
    expect(() => createNet(new Stack(), { kernel: new BlockList() })).not.toThrow();
  });
});

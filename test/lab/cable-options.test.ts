// What a cable may be told: a value that cannot be is refused when the cable is laid or changed, and not met later.

import { describe, expect, it } from 'vitest';
import { type CableOptions, Lab } from '../../src/lab/index.js';

describe('cables', () => {
  it.each([
    [{ loss: 5 }, "a cable's loss is a chance, from 0 to 1, not 5"],
    [{ ba: { duplicate: -0.1 } }, "a cable's duplicate is a chance, from 0 to 1, not -0.1"],
    [{ loss: { toBad: 1, toGood: 25 } }, "a cable's loss.toGood is a chance, from 0 to 1, not 25"],
    [{ delayUs: Number.NaN }, "a cable's delayUs is microseconds, 0 or more, not NaN"],
    [{ delayUs: '20' }, "a cable's delayUs is microseconds, 0 or more, not '20'"],
    [{ bandwidth: 0 }, "a cable's bandwidth is bits per second, above 0, not 0"],
    [{ queue: { discipline: 'fifo' } }, "a cable's queue.discipline is tail, red, codel, not 'fifo'"],
    [{ queue: { frames: -1 } }, "a cable's queue.frames is a number, 0 or more, not -1"],
    [{ mtu: 20 }, "a cable's mtu is a whole number of bytes from 68 to 65535, not 20"],
  ])('refuse what cannot be, and say what can: %j', (options, message) => {
    const lab = new Lab();
    expect(() => lab.cable(options as CableOptions)).toThrow(new RangeError(message));
    const { mtu, queue, ...faults } = options as CableOptions;
    if (mtu !== undefined || queue !== undefined || faults.ba !== undefined) return;
    expect(() => lab.cable().change(faults)).toThrow(new RangeError(message));
  });
});

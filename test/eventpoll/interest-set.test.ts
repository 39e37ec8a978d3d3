// The interest set holds what an array would, however many come and go, and under one number as many as there are files.

import { describe, expect, it } from 'vitest';
import { File, type FileOperations } from '../../src/core/file.js';
import { EpItem } from '../../src/eventpoll/epitem.js';
import type { EventPoll } from '../../src/eventpoll/eventpoll.js';
import { InterestSet } from '../../src/eventpoll/interest-set.js';

const file = () => new File({ kind: 'test', poll: null } as FileOperations, null, 0);
const item = (of: File, fd: number) => new EpItem({} as EventPoll, of, fd, 0, null);
const byNumber = (a: EpItem, b: EpItem) => a.fd - b.fd;

describe('the interest set', () => {
  it('finds each of a thousand, and no longer those that were removed', () => {
    const set = new InterestSet();
    const files = Array.from({ length: 1000 }, file);
    const items = files.map((of, fd) => item(of, fd * 3));
    for (const one of items) set.insert(one);
    for (const one of items.filter((_, i) => i % 2 === 0)) set.remove(one);
    expect(items.map((one) => set.find(one.file, one.fd))).toEqual(
      items.map((one, i) => (i % 2 === 0 ? null : one)),
    );
    expect([...set].sort(byNumber)).toEqual(items.filter((_, i) => i % 2 === 1));
  });

  it('keeps files apart that are registered under one number', () => {
    const set = new InterestSet();
    const items = [file(), file(), file()].map((of) => item(of, 7));
    for (const one of items) set.insert(one);
    set.remove(items[1]);
    expect(items.map((one) => set.find(one.file, 7))).toEqual([items[0], null, items[2]]);
    expect(set.find(items[0].file, 8)).toBeNull();
    expect([...set]).toHaveLength(2);
  });
});

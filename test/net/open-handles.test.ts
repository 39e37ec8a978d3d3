// The list of what is open: in the order of opening, and with no way from what has left it to what has not.
import { describe, expect, it } from 'vitest';
import { type OpenHandle, OpenHandles } from '../../src/net/open-handles.js';

class Handle implements OpenHandle {
  openBefore: OpenHandle | null = null;
  openAfter: OpenHandle | null = null;
  constructor(readonly name: string) {}
}

function listOf(names: string): { list: OpenHandles<Handle>; handles: Handle[]; told: () => string } {
  const list = new OpenHandles<Handle>();
  const handles = [...names].map((name) => new Handle(name));
  for (const handle of handles) list.add(handle);
  const told = (): string =>
    list
      .all()
      .map(({ name }) => name)
      .join('');
  return { list, handles, told };
}

describe('open handles', () => {
  it.each([
    ['the first', 0, 'bcd'],
    ['one in the middle', 2, 'abd'],
    ['the last', 3, 'abc'],
  ])('leave the others in order: %s', (_, which, rest) => {
    const { list, handles, told } = listOf('abcd');
    expect(told()).toBe('abcd');
    list.delete(handles[which]);
    expect(told()).toBe(rest);
    expect([handles[which].openBefore, handles[which].openAfter]).toEqual([null, null]);
    list.add(handles[which]);
    expect(told()).toBe(`${rest}${handles[which].name}`);
  });

  it('are there once, however often they are added, and gone once', () => {
    const { list, handles, told } = listOf('ab');
    list.add(handles[0]);
    list.add(handles[1]);
    expect(told()).toBe('ab');
    for (const handle of [...handles, ...handles]) list.delete(handle);
    expect(told()).toBe('');
    list.delete(new Handle('x'));
    list.add(handles[1]);
    expect(told()).toBe('b');
  });
});

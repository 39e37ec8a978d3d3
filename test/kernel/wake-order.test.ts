// Which of several workers a connection wakes: the first on Linux, each in turn where the listener is told so.

import { EPOLLEXCLUSIVE, EPOLLIN, type Listener } from 'tapstack';
import { describe, expect, it } from 'vitest';
import { Machine, settle } from './machine.js';
import { servedBy } from './served-by.js';

async function served(tell: (listener: Listener) => void): Promise<string> {
  const m = new Machine();
  const { fd, at } = m.listener();
  tell(m.stack.listener(fd));
  const by = await servedBy(m, fd, at);
  await m.stack.close();
  return by;
}

// covers: whom a connection wakes (wakeOrder) | ours; Linux has none | src/core/wait-queue.ts
describe('whom a connection wakes', () => {
  it('is the first that sleeps, as on Linux', async () => {
    expect(await served(() => {})).toBe('aaaaaa');
  });

  it('is the one whose turn it is', async () => {
    const tell = (listener: Listener) => {
      listener.wakeOrder = 'turns';
    };
    expect(await served(tell)).toBe('abcabc');
  });

  it('is the first again once the listener is told so, in the order that the turns have left', async () => {
    const tell = (listener: Listener) => {
      listener.wakeOrder = 'turns';
      let clients = 0;
      listener.onSyn = () => {
        if (++clients === 2) listener.wakeOrder = 'first';
        return 'accept';
      };
    };
    expect(await served(tell)).toBe('abbbbb');
  });

  it('is whoever sleeps, if the one whose turn it is does not; then it is still its turn', async () => {
    const m = new Machine();
    const { fd, at } = m.listener();
    m.stack.listener(fd).wakeOrder = 'turns';
    const sets = [m.epoll(), m.epoll()];
    for (const ep of sets) m.add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE);
    let woken = '';
    const sleeps = async (name: number) => {
      await m.sys.epoll_wait(sets[name], [{ events: 0, data: 0 }], 1, -1);
      woken += name;
      m.sys.accept(fd);
    };
    const second = sleeps(1);
    m.client(at);
    await second;
    const both = [sleeps(0), sleeps(1)];
    m.client(at);
    await settle();
    expect(woken).toBe('10');
    m.client(at);
    await Promise.all(both);
    expect(woken).toBe('101');
    await m.stack.close();
  });

  it('takes no other word', async () => {
    const m = new Machine();
    const listener = m.stack.listener(m.listener().fd);
    expect(() => Object.assign(listener, { wakeOrder: 'last' })).toThrow(
      `wakeOrder cannot be "last": there are 'first', 'turns'`,
    );
    expect(listener.wakeOrder).toBe('first');
    await m.stack.close();
  });
});

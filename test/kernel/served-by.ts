// Three workers at one listener, for tests of whom a connection wakes.

import { EPOLLEXCLUSIVE, EPOLLIN } from 'tapstack';
import { type address, type Machine, settle } from './machine.js';

/** Each worker sleeps in a set of its own, accepts one and sleeps again; who accepted each of six clients. */
export async function servedBy(m: Machine, fd: number, at: ReturnType<typeof address>): Promise<string> {
  const stop = new AbortController();
  let by = '';
  const workers = ['a', 'b', 'c'].map(async (name) => {
    const ep = m.epoll();
    m.add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE);
    while ((await m.sys.epoll_pwait(ep, [{ events: 0, data: 0 }], 1, -1, { signal: stop.signal })) > 0)
      if (m.sys.accept(fd) >= 0) by += name;
  });
  for (let i = 0; i < 6; i++) {
    m.client(at);
    await settle();
  }
  stop.abort();
  await Promise.all(workers);
  return by;
}

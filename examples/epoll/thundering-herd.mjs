// Four workers, each asleep in an epoll_wait of its own on one listener; one client connects. Who wakes up, and for nothing?
import { EPOLLEXCLUSIVE, EPOLLIN } from 'tapstack';
import { accept, connect, listener, stack, sys, watch } from './scene.mjs';

async function experiment(name, flags, sharedSet) {
  const shared = sys.epoll_create1(0);
  if (sharedSet) watch(shared, listener, EPOLLIN | flags);
  const stop = new AbortController();
  let woken = 0;
  let accepted = 0;
  const workers = Array.from({ length: 4 }, async () => {
    const epfd = sharedSet ? shared : sys.epoll_create1(0);
    if (!sharedSet) watch(epfd, listener, EPOLLIN | flags);
    const count = await sys.epoll_pwait(epfd, [{ events: 0, data: 0 }], 1, -1, { signal: stop.signal });
    if (count <= 0) return;
    woken++;
    if (accept() >= 0) accepted++;
    if (!sharedSet) sys.close(epfd);
  });
  connect();
  await new Promise(setImmediate);
  console.log(`${name.padEnd(28)} woken ${woken}, accepted ${accepted}`);
  stop.abort();
  await Promise.all(workers);
  sys.close(shared);
}

await experiment('a set each', 0, false);
await experiment('a set each, EPOLLEXCLUSIVE', EPOLLEXCLUSIVE, false);
await experiment('one set for all', 0, true);
await stack.close();

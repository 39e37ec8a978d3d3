// Three workers watch one listener with EPOLLEXCLUSIVE; six clients come, one after the other. Who serves them?
import { EPOLLEXCLUSIVE, EPOLLIN } from 'tapstack';
import { accept, connect, listener, stack, sys, watch } from './scene.mjs';

async function experiment(wakeOrder) {
  stack.listener(listener).wakeOrder = wakeOrder;
  const stop = new AbortController();
  const served = [];
  const workers = ['a', 'b', 'c'].map(async (name) => {
    const epfd = sys.epoll_create1(0);
    watch(epfd, listener, EPOLLIN | EPOLLEXCLUSIVE);
    while ((await sys.epoll_pwait(epfd, [{ events: 0, data: 0 }], 1, -1, { signal: stop.signal })) > 0)
      if (accept() >= 0) served.push(name);
    sys.close(epfd);
  });
  for (let i = 0; i < 6; i++) {
    connect();
    await new Promise(setImmediate);
  }
  console.log(`${wakeOrder.padEnd(6)} ${served.join(' ')}`);
  stop.abort();
  await Promise.all(workers);
}

await experiment('first');
await experiment('turns');
await stack.close();

// A program that spins in epoll_wait, as one may on Linux, does not keep the event loop (and so the network) from going on.
import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLLIN,
  epollEvents,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  Stack,
  VirtualClock,
} from 'tapstack';
import { expect, it } from 'vitest';

const CALLS = 2000;

/** How often the event loop turned while a program made many calls none of which had to sleep. */
async function turnsDuring(stack: Stack, ready: boolean, timeout: number): Promise<number> {
  const { sys } = stack;
  const ep = sys.epoll_create1(0);
  const fd = ready ? sys.eventfd(1) : sys.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  sys.epoll_ctl(ep, EPOLL_CTL_ADD, fd, { events: EPOLLIN, data: fd });
  const events = epollEvents(1);
  let turns = 0;
  let over = false;
  const count = (): void => {
    turns++;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  for (let i = 0; i < CALLS; i++) expect(await sys.epoll_wait(ep, events, 1, timeout)).toBe(ready ? 1 : 0);
  over = true;
  await stack.close();
  return turns;
}

it.each([
  { what: 'an event that is never taken', ready: true, timeout: -1 },
  { what: 'a poll that finds nothing', ready: false, timeout: 0 },
])('the event loop turns beside $what', async ({ ready, timeout }) => {
  const turns = await turnsDuring(new Stack(), ready, timeout);
  expect(turns).toBeGreaterThanOrEqual(5);
  // Seldom enough to cost nothing.
  expect(turns).toBeLessThan(20);
});

it('virtual time knows no turns: nothing can arrive by itself', async () => {
  expect(await turnsDuring(new Stack({ clock: new VirtualClock(), seed: 1 }), true, -1)).toBe(0);
});

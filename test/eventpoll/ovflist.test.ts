// What becomes ready while a harvest runs: it goes to the overflow list, and from there between what the harvest left and
// what it put back. Only a file whose poll has effects can show it, so the test brings one.
import { EPOLLET, EPOLLIN, epollEvents } from 'tapstack';
import { describe, expect, it } from 'vitest';
import { File, type FileOperations } from '../../src/core/file.js';
import { WaitQueue } from '../../src/core/wait-queue.js';
import { Machine, settle } from '../kernel/machine.js';

/** Readable as long as it is told so; calls `look` whenever it is polled without a table. */
class Probe {
  readonly wait = new WaitQueue();
  ready = false;
  look: () => void = () => {};
  readonly file = new File(operations, this, 0);

  wake(): void {
    this.ready = true;
    this.wait.wake(EPOLLIN, 1);
  }
}

const operations: FileOperations = {
  kind: 'probe',
  poll(file, table) {
    const probe = file.private_ as Probe;
    if (table !== null) table.queue(file, probe.wait);
    else probe.look();
    return probe.ready ? EPOLLIN : 0;
  },
  read: () => 0,
  write: () => 0,
  ioctl: () => 0,
  release: () => {},
};

function probes(m: Machine, ep: number, names: string[], events: number): Record<string, Probe> {
  return Object.fromEntries(
    names.map((name) => {
      const probe = new Probe();
      const fd = m.process.files.open(probe.file, false);
      m.add(ep, fd, events, name);
      return [name, probe];
    }),
  );
}

describe('an event during a harvest', () => {
  it('comes after what was not reached, before what is level-triggered and was put back', async () => {
    const m = new Machine();
    const ep = m.epoll();
    const { a, b, c, d } = probes(m, ep, ['a', 'b', 'c', 'd'], EPOLLIN);
    for (const probe of [a, b]) probe.wake();
    a.look = () => {
      a.look = () => {};
      c.wake();
      d.wake();
    };
    expect(await m.wait(ep, 1)).toBe('a{IN}');
    expect(await m.wait(ep)).toBe('b{IN} c{IN} d{IN} a{IN}');
  });

  it('is not queued twice, and an item still queued keeps its place', async () => {
    const m = new Machine();
    const ep = m.epoll();
    const { a, b } = probes(m, ep, ['a', 'b'], EPOLLIN | EPOLLET);
    a.wake();
    b.wake();
    a.look = () => {
      a.look = () => {};
      b.wake();
      a.wake();
      a.wake();
    };
    expect(await m.wait(ep, 1)).toBe('a{IN}');
    expect(await m.wait(ep)).toBe('b{IN} a{IN}');
    expect(await m.wait(ep)).toBe('');
  });

  it('wakes who sleeps on the same eventpoll', async () => {
    const m = new Machine();
    const ep = m.epoll();
    const { a, b } = probes(m, ep, ['a', 'b'], EPOLLIN | EPOLLET);
    const call = m.sleeper(ep);
    a.ready = true;
    a.look = () => b.wake();
    a.wait.wake(EPOLLIN, 1);
    const events = epollEvents(4);
    const mine = m.sys.epoll_wait(ep, events, 4, 0);
    expect(m.report(await mine, events)).toBe('a{IN}');
    await settle();
    expect(call.text).toBe('b{IN}');
  });
});

// poll and select beside epoll, on the same wait queues.
import { POLLIN, POLLNVAL, POLLOUT, POLLRDHUP } from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, maskText, result, settle } from './machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

const entry = (fd: number, events: number) => ({ fd, events, revents: 0 });

describe('poll', () => {
  it('shows what was asked for, and errors in any case', async () => {
    const [a, b] = m.pair();
    m.write(b);
    const fds = [entry(a, POLLIN), entry(b, POLLOUT), entry(-1, POLLIN), entry(99, POLLIN)];
    expect(await m.sys.poll(fds, 0)).toBe(3);
    expect(fds.map((each) => maskText(each.revents))).toEqual(['IN', 'OUT', '0', 'NVAL']);
    expect(fds[3].revents).toBe(POLLNVAL);
    m.sys.shutdown(a, 2);
    const none = [entry(a, 0)];
    expect(await m.sys.poll(none, 0)).toBe(1);
    expect(maskText(none[0].revents)).toBe('HUP');
  });

  it('sleeps until something happens', async () => {
    const [a, b] = m.pair();
    const fds = [entry(a, POLLIN | POLLRDHUP), entry(b, POLLIN)];
    const call = m.sys.poll(fds, -1);
    await settle();
    m.write(b);
    expect(await call).toBe(1);
    expect(maskText(fds[0].revents)).toBe('IN');
  });

  it('is not woken by keys it did not ask for, but by every change of state', async () => {
    const [a, b] = m.pair();
    let woken = false;
    const fds = [entry(a, POLLRDHUP)];
    const call = m.sys.poll(fds, -1).then(() => {
      woken = true;
    });
    m.write(b);
    await settle();
    expect(woken).toBe(false);
    m.sys.shutdown(b, 1);
    await call;
    expect(maskText(fds[0].revents)).toBe('RDHUP');
  });

  it('ends with its time, or its signal', async () => {
    const [r] = m.pipe();
    const call = m.sys.poll([entry(r, POLLIN)], 30);
    await m.pass(30);
    expect(await call).toBe(0);
    const abort = new AbortController();
    const interrupted = m.sys.poll([entry(r, POLLIN)], -1, { signal: abort.signal });
    await settle();
    abort.abort();
    expect(result(await interrupted)).toBe('-EINTR');
  });

  it('holds the file it sleeps on', async () => {
    const [r, w] = m.pipe();
    const fds = [entry(r, POLLIN)];
    const call = m.sys.poll(fds, -1);
    m.sys.close(r);
    expect(m.write(w)).toBe(1);
    await call;
    expect(fds[0].revents).toBe(POLLNVAL);
  });

  it('takes at most RLIMIT_NOFILE entries', async () => {
    m.process.nofile = 8;
    expect(
      result(
        await m.sys.poll(
          Array.from({ length: 9 }, () => entry(0, POLLIN)),
          0,
        ),
      ),
    ).toBe('-EINVAL');
  });
});

describe('select', () => {
  it('leaves in the sets what is ready, and counts each', async () => {
    const [a, b] = m.pair();
    m.write(b);
    const read = new Set([a, b]);
    const write = new Set([a, b]);
    expect(await m.sys.select(b + 1, read, write, null, 0)).toBe(3);
    expect([[...read], [...write]]).toEqual([[a], [a, b]]);
  });

  it('sleeps, and times out with empty sets', async () => {
    const [r, w] = m.pipe();
    const read = new Set([r]);
    const call = m.sys.select(r + 1, read, null, null, -1);
    await settle();
    m.write(w);
    expect(await call).toBe(1);
    m.read(r);
    const late = m.sys.select(r + 1, read, null, null, 5);
    await m.pass(5);
    expect([await late, read.size]).toEqual([0, 0]);
  });

  it('refuses closed descriptors below nfds', async () => {
    expect(result(await m.sys.select(100, new Set([99]), null, null, 0))).toBe('-EBADF');
    expect(await m.sys.select(99, new Set([99]), null, null, 0)).toBe(0);
    expect(result(await m.sys.select(-1, null, null, null, 0))).toBe('-EINVAL');
  });
});

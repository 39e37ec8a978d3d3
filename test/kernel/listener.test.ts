// stack.listener(fd) as programs have it: what it refuses and in which words, clients over loopback, and a hook that throws.

import { SOCK_DGRAM, SOCK_NONBLOCK } from 'tapstack';
import { describe, expect, it } from 'vitest';
import { type address, Machine, result, settle } from './machine.js';
import { uncaught } from './uncaught.js';

function refusal(what: () => unknown): unknown {
  try {
    return what();
  } catch (error) {
    const { name, message, code, errno } = error as NodeJS.ErrnoException;
    return code === undefined ? `${name}: ${message}` : `${code} ${errno}: ${message}`;
  }
}

/** SO_ERROR of a client that has connected, or was refused, or waits (`-EALREADY`). */
function outcome(m: Machine, client: number, at: ReturnType<typeof address>): number | string {
  return result(m.sys.connect(client, at));
}

describe('stack.listener', () => {
  it('refuses what is no listener, as accept does', async () => {
    const m = new Machine();
    const [read] = m.pipe();
    const datagram = m.socket(SOCK_DGRAM);
    const stream = m.socket();
    const words = [99, -1, read, datagram, stream].map((fd) => refusal(() => m.stack.listener(fd)));
    expect(words).toEqual([
      'EBADF -9: listener EBADF: descriptor 99 is not open',
      'EBADF -9: listener EBADF: descriptor -1 is not open',
      `ENOTSOCK -88: listener ENOTSOCK: descriptor ${read} is no socket`,
      `EOPNOTSUPP -95: listener EOPNOTSUPP: descriptor ${datagram} is no stream socket, and has no connections`,
      `EINVAL -22: listener EINVAL: descriptor ${stream} does not listen; call listen() first`,
    ]);
    const codes = [99, -1, read, datagram, stream].map((fd) => result(m.sys.accept(fd)));
    expect(codes).toEqual(words.map((text) => `-${String(text).split(' ')[0]}`));
    await m.stack.close();
  });

  it('takes no hook and no policy that is none', async () => {
    const m = new Machine();
    const listener = m.stack.listener(m.listener().fd);
    const set = (name: string, value: unknown) => refusal(() => Object.assign(listener, { [name]: value }));
    expect([
      set('onSyn', 'drop'),
      set('onSyn', undefined),
      set('synOverflow', 'park'),
      set('acceptOverflow', undefined),
      refusal(() => listener.pause('refuse' as never)),
      refusal(() => listener.pause({ refuse: 'yes' } as never)),
    ]).toEqual([
      'TypeError: onSyn must be a function or null, and not string',
      'TypeError: onSyn must be a function or null, and not undefined',
      `RangeError: synOverflow cannot be "park": there are 'sysctl', 'drop', 'cookie', 'reset'`,
      `RangeError: acceptOverflow cannot be undefined: there are 'sysctl', 'park', 'abort', 'reset'`,
      'TypeError: pause() takes options such as { refuse: true }',
      'TypeError: pause() takes options such as { refuse: true }',
    ]);
    expect([listener.paused, listener.onSyn, listener.synOverflow, listener.acceptOverflow]).toEqual([
      false,
      null,
      'sysctl',
      'sysctl',
    ]);
    await m.stack.close();
  });

  it('is one listener, however many ask for it and from which process; another is another', async () => {
    const m = new Machine();
    const { fd } = m.listener();
    const child = m.process.fork();
    m.stack.listener(fd).pause();
    expect([m.stack.listener(fd).paused, child.listener(fd).paused]).toEqual(['dropping', 'dropping']);
    expect(m.stack.listener(m.listener().fd).paused).toBe(false);
    expect(m.stack.sockets().map(({ paused }) => paused)).toEqual(['dropping', undefined]);
    m.sys.close(fd);
    expect([child.listener(fd).listening, child.listener(fd).paused]).toEqual([true, 'dropping']);
    await m.stack.close();
  });

  it('is over with the listener: nothing stands in its queues, and nothing can be changed', async () => {
    const m = new Machine();
    const { fd, at } = m.listener();
    m.client(at);
    const listener = m.stack.listener(fd);
    expect([listener.local, listener.acceptQueue.length]).toEqual([
      { address: '127.0.0.1', port: at.port },
      1,
    ]);
    m.sys.close(fd);
    expect([listener.listening, listener.acceptQueue, listener.synQueue]).toEqual([false, [], []]);
    for (const change of [() => listener.pause(), () => listener.resume(), () => (listener.onSyn = null)])
      expect(refusal(change)).toBe('EINVAL -22: listener EINVAL: this listener was closed, or shut down');
    await m.stack.close();
    expect(listener.listening).toBe(false);
  });
});

describe('a client over loopback', () => {
  it('waits at a listener that pauses, and is connected a second after it resumes', async () => {
    const m = new Machine();
    const { fd, at } = m.listener();
    const listener = m.stack.listener(fd);
    listener.pause();
    const client = m.client(at);
    await m.pass(10);
    expect([outcome(m, client, at), listener.counters.PausedDrops]).toEqual(['-EALREADY', 1]);
    listener.resume();
    await m.pass(1000);
    expect(outcome(m, client, at)).toBe(0);
    expect(m.sys.accept(fd)).toBeGreaterThan(0);
    expect(m.stack.snmp().Listener.PausedDrops).toBe(1);
    await m.stack.close();
  });

  it('is refused where it pauses so, and where the hook says so', async () => {
    const m = new Machine();
    const { fd, at } = m.listener();
    const listener = m.stack.listener(fd);
    listener.pause({ refuse: true });
    expect(outcome(m, m.client(at), at)).toBe('-ECONNREFUSED');
    listener.resume();
    listener.onSyn = ({ peer }) => (peer.address === '127.0.0.1' ? 'reset' : 'accept');
    expect(outcome(m, m.client(at), at)).toBe('-ECONNREFUSED');
    listener.onSyn = null;
    expect(outcome(m, m.client(at), at)).toBe(0);
    await m.stack.close();
  });

  it('is told at once where a full accept queue refuses', async () => {
    const m = new Machine();
    const { fd, at } = m.listener(0);
    m.stack.listener(fd).acceptOverflow = 'reset';
    expect([outcome(m, m.client(at), at), outcome(m, m.client(at), at)]).toEqual([0, '-ECONNREFUSED']);
    await m.stack.close();
  });
});

describe('a hook that goes wrong', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'throws',
      () => {
        throw new Error('no such list');
      },
      /^no such list$/,
    ],
    ['answers nonsense', () => 'allow', /^onSyn answered 'allow': it must say .*The SYN was dropped$/],
    ['is asynchronous', async () => 'accept', /^onSyn answered a promise: it must say .* at once/],
  ])(
    '%s: the SYN is dropped, the exception is uncaught, and the stack goes on',
    async (_what, hook, words) => {
      const m = new Machine();
      const { fd, at } = m.listener();
      const listener = m.stack.listener(fd);
      listener.onSyn = hook as never;
      let client = -1;
      const heard = await uncaught(async () => {
        client = m.client(at);
        await settle();
      });
      expect(heard.length).toBe(1);
      expect(heard[0]).toMatch(words);
      expect([outcome(m, client, at), listener.counters.OnSynErrors, listener.counters.OnSynDrops]).toEqual([
        '-EALREADY',
        1,
        0,
      ]);
      listener.onSyn = null;
      await m.pass(1000);
      const child = m.sys.accept4(fd, null, SOCK_NONBLOCK);
      expect([outcome(m, client, at), m.write(client, 'hello'), m.read(child)]).toEqual([0, 5, 'hello']);
      await m.stack.close();
    },
  );

  it('closes its listener, or pauses it', async () => {
    const m = new Machine();
    const first = m.listener();
    const second = m.listener();
    m.stack.listener(first.fd).onSyn = () => {
      m.sys.close(first.fd);
      return 'accept';
    };
    const other = m.stack.listener(second.fd);
    other.onSyn = () => {
      other.pause();
      return 'accept';
    };
    const [late, early] = [m.client(first.at), m.client(second.at)];
    await m.pass(1100);
    // The one that had no listener any more tries again, and finds nobody; the other was asked before the pause.
    expect([outcome(m, late, first.at), outcome(m, early, second.at)]).toEqual(['-ECONNREFUSED', 0]);
    expect(outcome(m, m.client(second.at), second.at)).toBe('-EALREADY');
    await m.stack.close();
  });

  it('makes system calls all the same: nothing breaks', async () => {
    const m = new Machine();
    const { fd, at } = m.listener();
    const elsewhere = m.listener();
    const [talker, other] = m.pair();
    const made: number[] = [];
    m.stack.listener(fd).onSyn = () => {
      made.push(m.client(elsewhere.at), m.sys.accept(elsewhere.fd), m.sys.accept(fd));
      m.write(talker, 'x');
      m.sys.setsockopt(fd, 1, 9, 1);
      return 'accept';
    };
    const clients = [m.client(at), m.client(at)];
    expect(clients.map((client) => outcome(m, client, at))).toEqual([0, 0]);
    expect([m.recv(other), m.sys.accept(elsewhere.fd) > 0, made[5] > 0]).toEqual(['xx', true, true]);
    const child = m.sys.accept4(fd, null, SOCK_NONBLOCK);
    expect([m.write(clients[1], 'hello'), m.read(child)]).toEqual([5, 'hello']);
    await m.stack.close();
  });

  it('may look into the queues first', async () => {
    const m = new Machine();
    const { fd, at } = m.listener(1);
    const listener = m.stack.listener(fd);
    // One handshake or connection at a time.
    listener.onSyn = () =>
      listener.synQueue.length + listener.acceptQueue.length === 0 ? 'accept' : 'reset';
    expect([outcome(m, m.client(at), at), outcome(m, m.client(at), at)]).toEqual([0, '-ECONNREFUSED']);
    m.sys.accept(fd);
    expect(outcome(m, m.client(at), at)).toBe(0);
    await m.stack.close();
  });
});

// The stack as a whole: its options and their errors, two stacks on a wire, tunables, listings, and its end.
import { AF_INET, createWire, EBADF, epollEvents, SOCK_STREAM, Stack, VirtualClock } from 'tapstack';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/kernel/interface-options.js';
import { address, Machine, result, settle } from './machine.js';

function wire(): { clock: VirtualClock; ends: ReturnType<typeof createWire> } {
  const clock = new VirtualClock();
  return { clock, ends: createWire({ clock }) };
}

describe('options', () => {
  it('that make no sense are refused in words', () => {
    const { clock, ends } = wire();
    const [link] = ends;
    const refused = (options: object): string => {
      try {
        new Stack({ clock, ...options });
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused({ link })).toMatch(/needs an `address`/);
    expect(refused({ link, address: '192.0.2.2' })).toMatch(/address and prefix length like/);
    expect(refused({ link, address: '192.0.2.999/24' })).toMatch(/like '192\.0\.2\.2\/24'/);
    expect(refused({ address: '192.0.2.2/24' })).toMatch(/without a `link`/);
    expect(refused({ sysctl: { 'net.ipv4.nonesuch': 1 } })).toMatch(/no such tunable/);
    expect(refused({ sysctl: { 'net.ipv4.tcp_syncookies': 256 } })).toMatch(/cannot be 256/);
    expect(refused({ sysctl: { 'net.ipv4.tcp_congestion_control': 'vegas' } })).toMatch(
      /cannot be "vegas": there are .*cubic.*registerCongestionControl/,
    );
    expect(refused({ memory: 100 })).toMatch(/between 4 MiB and 2 GiB/);
    const size = 4 << 20;
    const fixed = /an ArrayBuffer that cannot be resized, of a multiple of 8 bytes/;
    expect(refused({ memory: new ArrayBuffer(size + 3) })).toMatch(fixed);
    expect(refused({ memory: new SharedArrayBuffer(size) })).toMatch(fixed);
    expect(refused({ memory: Reflect.construct(ArrayBuffer, [size, { maxByteLength: 2 * size }]) })).toMatch(
      fixed,
    );
    expect(refused({ routes: [{ to: '10.0.0.0/8', via: '127.0.0.1', mtoo: 1400 }] })).toMatch(
      /no metric mtoo; there are mtu, .*lock/,
    );
    expect(refused({ routes: [{ to: '10.0.0.0/8', via: '192.0.2.1' }] })).toMatch(/no interface reaches/);
    expect(refused({ routes: [{ to: '10.0.0.0/8', via: 'router' }] })).toMatch(/no IPv4 address/);
  });

  it('of an interface are checked one by one, and the link is closed by create', async () => {
    const { clock, ends } = wire();
    let closed = false;
    const [link] = ends;
    const close = link.close.bind(link);
    link.close = () => {
      closed = true;
      return close();
    };
    const options = { clock, link, address: '192.0.2.2/24', neighbours: { '192.0.2.9': 'no' } };
    await expect(Stack.create(options)).rejects.toThrow(/no Ethernet address/);
    expect(closed).toBe(true);
  });
});

describe('routes', () => {
  it('are added, changed and taken away; what cannot be is refused in words', async () => {
    const { clock, ends } = wire();
    const stack = new Stack({
      clock,
      link: ends[0],
      address: '192.0.2.2/24',
      routes: [{ to: '10.0.0.0/8', via: '192.0.2.1', mtu: 1400, lock: ['mtu'] }],
    });
    const mtuTo = (text: string): number | undefined => stack.ip.route(parseAddress(text, 'the test'))?.mtu;
    expect(mtuTo('10.1.2.3')).toBe(1400);
    stack.changeRoute('10.0.0.0/8', { via: '192.0.2.1', mtu: 1300 });
    stack.addRoute('10.1.0.0/16', { dev: ends[0].name, mtu: 1200 });
    expect([mtuTo('10.2.0.1'), mtuTo('10.1.2.3')]).toEqual([1300, 1200]);
    stack.deleteRoute('10.0.0.0/8');
    expect([mtuTo('10.2.0.1'), mtuTo('10.1.2.3')]).toEqual([undefined, 1200]);
    expect(() => stack.changeRoute('10.0.0.0/8', { via: '192.0.2.1' })).toThrow(/no route to 10.0.0.0\/8/);
    expect(() => stack.deleteRoute('10.0.0.0/8')).toThrow(/no route to 10.0.0.0\/8/);
    expect(() => stack.addRoute('10.0.0.0/8', {})).toThrow(/gateway \(`via`\) or an interface/);
    expect(() => stack.addRoute('10.0.0.0/8', { dev: 'eth9' })).toThrow(/no interface eth9/);
    expect(() => stack.addRoute('10.0.0.0/8', { via: '172.16.0.1' })).toThrow(/no interface reaches/);
    expect(() => stack.addRoute('10.0.0.1/8', { via: '192.0.2.1' })).toThrow(/cannot route/);
    expect(() => stack.addRoute('10.0.0.0/8', { via: '192.0.2.1', congctl: 'none' })).toThrow(/names none/);
    await stack.close();
  });
});

describe('two stacks on a wire', () => {
  it('talk to one another', async () => {
    const { clock, ends } = wire();
    const server = new Machine({ clock, link: ends[0], address: '10.9.0.1/24' });
    const client = new Machine({ clock, link: ends[1], address: '10.9.0.2/24', gateway: '10.9.0.1' });
    const listener = server.socket();
    server.sys.bind(listener, address(80, '0.0.0.0'));
    server.sys.listen(listener, 4);
    const accepted = server.blocking.accept(listener);
    server.sys.fcntl(listener, 4, 0);
    const fd = client.socket();
    client.sys.fcntl(fd, 4, 0);
    const connected = client.blocking.connect(fd, address(80, '10.9.0.1'));
    for (let i = 0; i < 20; i++) {
      clock.advance(1000);
      await settle();
    }
    expect(await connected).toBe(0);
    expect(result(await accepted)).toBe('-EAGAIN');
    const from = address();
    const child = server.sys.accept4(listener, from, 0);
    expect(from.address).toBe('10.9.0.2');
    client.write(fd, 'over the wire');
    clock.advance(5000);
    expect(server.read(child)).toBe('over the wire');
    await Promise.all([server.stack.close(), client.stack.close()]);
  });
});

describe('the stack', () => {
  it('has Linux’s tunables and counters', () => {
    const m = new Machine({ sysctl: { 'net/core/somaxconn': 99 } });
    expect(m.stack.sysctl('net.core.somaxconn')).toBe(99);
    expect(m.stack.sysctl('net.ipv4.tcp_rmem', '4096 50000 100000')).toEqual([4096, 50000, 100000]);
    expect(() => m.stack.sysctl('net.nothing')).toThrow(/no such tunable/);
    expect(() => m.stack.sysctl(null as never)).toThrow(/sysctl null: there is no such tunable/);
    // What has only the name of one would be called in the middle of an ACK.
    expect(() => m.stack.registerCongestionControl({ name: 'mine' } as never)).toThrow(
      /a class that extends CongestionControl/,
    );
    m.pair();
    const { Tcp } = m.stack.snmp();
    expect(Tcp).toMatchObject({ ActiveOpens: 1, PassiveOpens: 1, CurrEstab: 2 });
  });

  it('gives syscalls that work alone', () => {
    const { sys } = new Machine();
    const calls = Object.values(sys);
    expect(calls.every((call) => typeof call === 'function')).toBe(true);
    const { eventfd, write, read, close } = sys;
    const fd = eventfd(0);
    expect([
      write(fd, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0])),
      read(fd, new Uint8Array(8)),
      close(fd),
    ]).toEqual([8, 8, 0]);
  });

  it('ends everything when it is closed, and may be closed twice', async () => {
    const m = new Machine();
    const { fd } = m.listener();
    m.sys.fcntl(fd, 4, 0);
    const [a] = m.pair();
    m.sys.fcntl(a, 4, 0);
    const [r] = m.pipe();
    const calls = [
      m.blocking.accept(fd),
      m.blocking.recv(a, new Uint8Array(1)),
      m.blocking.read(r, new Uint8Array(1)),
      m.sys.poll([{ fd: r, events: 1, revents: 0 }], -1),
    ];
    await settle();
    await Promise.all([m.stack.close(), m.stack.close()]);
    const ended = await Promise.all(calls);
    expect(ended.map(result)).toEqual(['-EINTR', '-EINTR', '-EINTR', '-EINTR']);
    expect(result(m.sys.close(fd))).toBe('-EBADF');
    expect(m.stack.sockets()).toEqual([]);
    expect(m.stack.host.wheel.size).toBe(0);
  });

  it('has ended for good: nobody can open anything any more, nor sleep', async () => {
    const m = new Machine();
    const { fd: listener } = m.listener();
    m.sys.fcntl(listener, 4, 0);
    const ep = m.epoll();
    // Programs that take -EINTR for a reason to begin anew.
    const again = async (call: () => Promise<number>): Promise<unknown[]> => {
      const results: number[] = [];
      while (results.at(-1) !== -EBADF && results.length < 10) results.push(await call());
      return results.map(result);
    };
    const programs = [
      again(() => m.blocking.accept(listener)),
      again(() => m.sys.epoll_wait(ep, epollEvents(1), 1, -1)),
    ];
    await settle();
    await m.stack.close();
    for (const results of await Promise.all(programs)) {
      expect(results[0]).toBe('-EINTR');
      expect(results.at(-1)).toBe('-EBADF');
    }
    const { sys } = m;
    const other = m.stack.createProcess();
    const opened = [
      m.socket(),
      sys.epoll_create1(0),
      sys.eventfd(0),
      sys.pipe([]),
      sys.timerfd_create(1, 0),
      sys.open('/dev/null', 0),
      other.sys.socket(AF_INET, SOCK_STREAM, 0),
    ];
    expect(opened.map(result)).toEqual(opened.map(() => '-ENETDOWN'));
    expect(result(await sys.poll([], -1))).toBe('-EINTR');
    expect(result(await sys.poll([{ fd: listener, events: 1, revents: 0 }], -1))).toBe(1);
  });

  it('gives back all packet memory and all watches', async () => {
    const m = new Machine();
    for (let round = 0; round < 20; round++) {
      const [a, b] = m.pair();
      const ep = m.epoll();
      m.add(ep, a, 1);
      m.add(ep, b, 1);
      m.write(a, 'x'.repeat(5000));
      for (const fd of [a, b, ep]) m.sys.close(fd);
    }
    await m.pass(1);
    expect(m.stack.host.memory.used).toBe(0);
    expect(m.stack.kernel.user(0).watches).toBe(0);
  });
});

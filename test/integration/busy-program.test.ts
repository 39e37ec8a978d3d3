// A program that computes for long has what arrived meanwhile looked at before any timer: the kernel has acknowledged at once, so
// neither a probe nor a timeout is due, however late the event loop comes to it.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import {
  AF_INET,
  CLOCK_MONOTONIC,
  EPOLL_CTL_ADD,
  EPOLLIN,
  epollEvents,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  Stack,
  TapLink,
} from 'tapstack';
import { expect, test } from 'vitest';

const BYTES = 3000;
/** Several times the loss probe's timeout on so near a network. */
const COMPUTES_MS = 60;

test('acknowledgements that wait in the device come before the timers', async () => {
  const link = await TapLink.open({ name: 'late1', hostAddress: '10.87.1.1/24' });
  const server = createServer((client) => client.resume()).listen(0, '10.87.1.1');
  await once(server, 'listening');
  const stack = await Stack.create({ link, address: '10.87.1.2/24' });
  const { sys, blocking } = stack;
  const fd = sys.socket(AF_INET, SOCK_STREAM);
  const { port } = server.address() as AddressInfo;
  expect(await blocking.connect(fd, { family: AF_INET, address: '10.87.1.1', port })).toBe(0);
  for (let round = 0; round < 5; round++) {
    expect(sys.write(fd, new Uint8Array(BYTES), BYTES)).toBe(BYTES);
    link.flush();
    const until = performance.now() + COMPUTES_MS;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { TCPLossProbes, TCPTimeouts, TCPOrigDataSent } = stack.snmp().TcpExt;
  sys.close(fd);
  await stack.close();
  server.close();
  expect({ TCPLossProbes, TCPTimeouts }).toEqual({ TCPLossProbes: 0, TCPTimeouts: 0 });
  expect(TCPOrigDataSent).toBeGreaterThan(0);
});

test('a program that is woken by what waits in the device answers before an acknowledgement without data leaves', async () => {
  const link = await TapLink.open({ name: 'late2', hostAddress: '10.87.2.1/24' });
  const stack = await Stack.create({ link, address: '10.87.2.2/24' });
  const { sys } = stack;
  const listener = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  sys.bind(listener, { family: AF_INET, address: '10.87.2.2', port: 7 });
  sys.listen(listener, 1);
  const client = connect(7, '10.87.2.2').setNoDelay();
  await once(client, 'connect');
  const fd = sys.accept4(listener, null, SOCK_NONBLOCK);
  expect(fd).toBeGreaterThan(0);
  void echo(sys, fd);
  for (let round = 0; round < 5; round++) {
    const before = stack.snmp().Tcp.OutSegs;
    const alarm = sys.timerfd_create(CLOCK_MONOTONIC, 0);
    sys.timerfd_settime(alarm, 0, {
      it_interval: { tv_sec: 0, tv_nsec: 0 },
      it_value: { tv_sec: 0, tv_nsec: (COMPUTES_MS / 2) * 1e6 },
    });
    // After the event loop has looked at the device, and before it comes to timers.
    setImmediate(() => {
      client.write('question');
      const until = performance.now() + COMPUTES_MS;
      while (performance.now() < until);
    });
    await once(client, 'data');
    expect(stack.snmp().Tcp.OutSegs - before).toBe(1);
    sys.close(alarm);
  }
  client.destroy();
  await stack.close();
});

async function echo(sys: Stack['sys'], fd: number): Promise<void> {
  const epfd = sys.epoll_create1(0);
  sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, { events: EPOLLIN, data: fd });
  const events = epollEvents(1);
  const bytes = new Uint8Array(100);
  while ((await sys.epoll_wait(epfd, events, 1, -1)) === 1) sys.write(fd, bytes, sys.read(fd, bytes));
}

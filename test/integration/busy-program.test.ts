// A program that computes for long has what arrived meanwhile looked at before any timer: the kernel has acknowledged at once, so
// neither a probe nor a timeout is due, however late the event loop comes to it.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { AF_INET, SOCK_STREAM, Stack, TapLink } from 'tapstack';
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

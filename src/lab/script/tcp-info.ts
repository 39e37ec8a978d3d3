// TCP_INFO under the names that code blocks use: `tcpi_snd_cwnd` and so on.

import { Stack } from '../../stack.js';
import { VirtualClock } from '../../time/clock.js';
import { IPPROTO_TCP } from '../../uapi/socket.js';
import { TCP_INFO } from '../../uapi/tcp.js';
import { Unmet } from './outcome.js';

let names: ReadonlySet<string> | null = null;

/** All names there are. */
export function tcpInfoNames(): ReadonlySet<string> {
  if (names === null) {
    const stack = new Stack({ clock: new VirtualClock(), seed: 1, memory: 4 << 20 });
    names = new Set(Object.keys(stack.tcp.info(stack.tcp.createSock())).map((name) => `tcpi_${name}`));
    void stack.close();
  }
  return names;
}

/** @throws Unmet if `fd` is no TCP socket. */
export function getTcpInfo(stack: Stack, fd: number): Map<string, number> {
  const out: { value: number | string | object } = { value: 0 };
  const result = stack.sys.getsockopt(fd, IPPROTO_TCP, TCP_INFO, out);
  if (result < 0 || typeof out.value !== 'object') throw new Unmet('the socket has no TCP_INFO');
  return new Map(Object.entries(out.value).map(([name, value]) => [`tcpi_${name}`, Number(value)]));
}

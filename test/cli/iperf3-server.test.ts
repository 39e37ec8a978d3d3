// One test at a time, and a client that is gone before its test has begun is none.
import { AF_INET, SO_LINGER, SOCK_STREAM, SOL_SOCKET, Stack } from 'tapstack';
import { expect, it } from 'vitest';
import { COOKIE_SIZE, PARAM_EXCHANGE } from '../../src/cli/iperf3-protocol.js';
import { IperfServer } from '../../src/cli/iperf3-server.js';

const at = { family: AF_INET, address: '127.0.0.1', port: 5201 };

it('is free again for the next when a client shows its cookie and resets', async () => {
  const stack = new Stack();
  const { sys, blocking } = stack;
  const said: string[] = [];
  const settings = { port: at.port, oneOff: false, interval: 1, json: false };
  const server = new IperfServer(stack, { ...settings, write: (text) => said.push(text) });
  const running = server.run();
  const arrives = async () => {
    const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    expect(await blocking.connect(fd, at)).toBe(0);
    expect(sys.write(fd, new Uint8Array(COOKIE_SIZE).fill(97))).toBe(COOKIE_SIZE);
    return fd;
  };
  const gone = await arrives();
  sys.setsockopt(gone, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
  sys.close(gone);
  await expect.poll(() => said.join('')).toMatch(/the client has unexpectedly closed the connection/);
  const answer = new Int8Array(1);
  expect(await blocking.read(await arrives(), new Uint8Array(answer.buffer))).toBe(1);
  expect(answer[0]).toBe(PARAM_EXCHANGE);
  await stack.close();
  await running;
});

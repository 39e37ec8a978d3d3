// Waiting for a datagram (__skb_wait_for_more_packets): in line with others who wait, one of whom each datagram wakes.

import type { File } from '../core/file.js';
import type { Socket } from '../socket/socket.js';
import { EAGAIN, EINTR } from '../uapi/errno.js';
import type { Kernel } from './kernel.js';
import { Sleep, socketTimeout } from './sleep.js';

/** Calls `receive` until it has something other than -EAGAIN to say; -EAGAIN after SO_RCVTIMEO, -EINTR on a signal. */
export async function receiveDatagram(
  kernel: Kernel,
  file: File,
  receive: () => number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let result = receive();
  if (result !== -EAGAIN) return result;
  const socket = file.private_ as Socket;
  const sleep = new Sleep(kernel, socketTimeout(socket.sk.rcvTimeoMs), signal);
  file.get();
  for (;;) {
    sleep.prepareExclusive(socket.wq);
    result = receive();
    if (result !== -EAGAIN || sleep.over) break;
    await sleep.wait();
    kernel.host.refresh();
  }
  sleep.finish();
  file.put();
  return result === -EAGAIN && sleep.interrupted ? -EINTR : result;
}

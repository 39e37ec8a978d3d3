// A stack with UDP and ICMP on a wire whose other end is the test, and calls that read as conversations.

import { SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK } from '../../src/core/sock.js';
import { Icmp } from '../../src/icmp/icmp.js';
import { errnoName } from '../../src/uapi/errno.js';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM } from '../../src/uapi/poll.js';
import { MSG_DONTWAIT } from '../../src/uapi/socket.js';
import { Udp } from '../../src/udp/udp.js';
import { Sender, type UdpSock } from '../../src/udp/udp-sock.js';
import { address, fromPeer, introduce, type TestStack, testStack } from '../ip/stack.js';
import { bytes, ipv4, udp } from '../packet/build.js';

export const WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND;
export const READABLE = POLLIN | POLLRDNORM;

export class UdpHost {
  readonly stack: TestStack = testStack();
  readonly transport: Udp;

  constructor() {
    new Icmp(this.stack.ip);
    this.transport = new Udp(this.stack.ip);
    introduce(this.stack);
  }

  /** As bind(2) does it. */
  bound(port: number, text = '0.0.0.0', set: (sk: UdpSock) => void = () => {}): UdpSock {
    const sk = this.transport.createSock();
    set(sk);
    sk.laddr = address(text);
    sk.saddr = sk.laddr;
    const got = this.transport.ports.bind(sk, port);
    if (got < 0) throw new Error(`bind: ${errnoName(got)}`);
    sk.sport = got;
    if (port !== 0) sk.userlocks |= SOCK_BINDPORT_LOCK;
    if (text !== '0.0.0.0') sk.userlocks |= SOCK_BINDADDR_LOCK;
    return sk;
  }

  send(sk: UdpSock, text: string, to?: string, port = 0, flags = 0): number {
    const payload = bytes(text);
    const bound = this.transport.autobind(sk);
    if (bound < 0) return bound;
    return this.transport.output.send(
      sk,
      payload,
      payload.length,
      flags,
      to === undefined ? null : address(to),
      port,
    );
  }

  /** `text from address:port`, or the name of an error. */
  recv(sk: UdpSock, size = 100, flags = MSG_DONTWAIT): string {
    const buffer = new Uint8Array(size);
    const from = new Sender();
    const result = this.transport.recv(sk, buffer, size, flags, from);
    if (result < 0) return errnoName(result);
    return `${new TextDecoder().decode(buffer.subarray(0, Math.min(result, size)))} from ${from.address}:${from.port}`;
  }
}

export function datagram(
  text: string,
  port = 7,
  src = '10.0.0.1',
  sport = 4242,
  dst = '10.0.0.2',
): Uint8Array {
  return fromPeer(ipv4(src, dst, 17, udp(src, sport, dst, port, bytes(text))));
}

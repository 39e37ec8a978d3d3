// A program that looks at what it receives where it was received, with a client on the kernel: 64 MiB of ever new bytes, lent and not
// copied. With TSO frames as with plain ones, which the NIC has joined.
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLLIN,
  epollEvents,
  IPPROTO_TCP,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  Stack,
  TapLink,
  TCP_ZEROCOPY_RECEIVE,
  type TcpZerocopyReceive,
} from 'tapstack';
import { expect, test } from 'vitest';

const PART = 1 << 20;
const PARTS = 64;

test.each([
  ['TSO', true],
  ['plain frames', false],
])(
  '%s',
  async (_name, offload) => {
    const third = offload ? 1 : 2;
    const link = TapLink.open({ name: `lent${third}`, hostAddress: `10.85.${third}.1/24`, offload });
    const stack = await Stack.create({ link, address: `10.85.${third}.2/24` });
    const { used } = stack.host.memory;
    const serving = serve(stack);
    const sent = createHash('sha256');
    const client = connect(80, `10.85.${third}.2`);
    for (let i = 0; i < PARTS; i++) {
      const part = randomBytes(PART);
      sent.update(part);
      await new Promise((done) => client.write(part, done));
    }
    client.end();
    const { lent, copied, digest } = await serving;
    const copies = copyCounter.bytes;
    stack.process.exit();
    expect(stack.host.memory.used).toBe(used);
    await stack.close();
    expect(digest).toBe(sent.digest('hex'));
    expect(lent + copied).toBe(PART * PARTS);
    // What comes alone and short, as ends of writes may, is copied into the queue, and once more where it is read.
    expect(lent).toBeGreaterThan(0.9 * PART * PARTS);
    expect(copies).toBeLessThan(0.1 * PART * PARTS);
  },
  60_000,
);

/** Bytes that typed arrays copy between the start and the end of a serving. */
const copyCounter = {
  bytes: 0,
  count<T>(run: () => Promise<T>): Promise<T> {
    const methods = Object.getPrototypeOf(Uint8Array.prototype);
    const { set, copyWithin } = methods;
    this.bytes = 0;
    methods.set = function (this: Uint8Array, source: ArrayLike<number>, at: number) {
      // What the client of this process does with its own buffers is none of the stack's business.
      if (this.buffer.byteLength > PART * 16 || (source as Uint8Array).buffer?.byteLength > PART * 16)
        copyCounter.bytes += source.length;
      return set.call(this, source, at);
    };
    methods.copyWithin = function (this: Uint8Array, to: number, from: number, end: number) {
      copyCounter.bytes += end - from;
      return copyWithin.call(this, to, from, end);
    };
    return run().finally(() => Object.assign(methods, { set, copyWithin }));
  },
};

const serve = (stack: Stack) => copyCounter.count(() => receive(stack));

/** Takes in all that the first who connects sends. */
async function receive({ sys, blocking }: Stack): Promise<{ lent: number; copied: number; digest: string }> {
  const listener = sys.socket(AF_INET, SOCK_STREAM);
  sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port: 80 });
  sys.listen(listener, 1);
  const fd = await blocking.accept4(listener, null, SOCK_NONBLOCK);
  const epfd = sys.epoll_create1(0);
  sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, { events: EPOLLIN, data: fd });
  const events = epollEvents(1);
  const digest = createHash('sha256');
  const buffer = new Uint8Array(PART);
  const zc: TcpZerocopyReceive = { length: 0 };
  let lent = 0;
  let copied = 0;
  for (;;) {
    await sys.epoll_wait(epfd, events, 1, -1);
    zc.length = PART;
    const result = sys.getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, { value: zc });
    if (result < 0) break;
    lent += zc.length;
    for (const part of zc.iov as Uint8Array[]) digest.update(part);
    if (zc.recv_skip_hint === 0) continue;
    const count = sys.read(fd, buffer, zc.recv_skip_hint);
    digest.update(buffer.subarray(0, count));
    copied += count;
  }
  await blocking.close(fd);
  return { lent, copied, digest: digest.digest('hex') };
}

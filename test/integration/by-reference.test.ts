// A program that reuses its memory once a completion says so, to a client on the kernel: 64 MiB of ever new bytes through two halves of
// one mapped piece, by reference. With TSO and without, so that the kernel and the NIC each complete checksums.
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import {
  AF_INET,
  type ControlMessage,
  EPOLL_CTL_ADD,
  EPOLLOUT,
  epollEvents,
  MSG_ERRQUEUE,
  MSG_ZEROCOPY,
  SO_ZEROCOPY,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  Stack,
  TapLink,
} from 'tapstack';
import { expect, test } from 'vitest';

const HALF = 512 << 10;
const ROUNDS = 128;

test.each([
  ['TSO', true],
  ['plain frames', false],
])(
  '%s',
  async (_name, offload) => {
    const third = offload ? 1 : 2;
    const link = TapLink.open({ name: `byref${third}`, hostAddress: `10.84.${third}.1/24`, offload });
    const stack = await Stack.create({ link, address: `10.84.${third}.2/24` });
    const sent = createHash('sha256');
    const source = serve(stack, sent);
    const received = createHash('sha256');
    let bytes = 0;
    for await (const part of connect(80, `10.84.${third}.2`)) {
      received.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
    const copied = await source;
    await stack.close();
    expect(bytes).toBe(HALF * ROUNDS);
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    expect(copied).toBe(0);
  },
  60_000,
);

/** What is less is copied, and the room for the last send before the buffer is full may be. */
const WORTH_A_REFERENCE = 4096;

/** Sends to the first who connects; how many completions told of a copy that was not called for. */
async function serve(
  { sys, blocking }: Stack,
  sent: { update(bytes: Uint8Array): unknown },
): Promise<number> {
  const listener = sys.socket(AF_INET, SOCK_STREAM);
  sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port: 80 });
  sys.listen(listener, 1);
  const mapped = sys.mmap(2 * HALF) as Uint8Array;
  const fd = await blocking.accept4(listener, null, SOCK_NONBLOCK);
  sys.setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, 1);
  const epfd = sys.epoll_create1(0);
  sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, { events: EPOLLOUT, data: fd });
  const events = epollEvents(1);
  /** The number of the last send of each half, and of the next; sends that are done with. */
  const lastOf = [-1, -1];
  let next = 0;
  let done = -1;
  /** Bytes of each send. */
  const sizes: number[] = [];
  let copied = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const half = mapped.subarray((round & 1) * HALF, (round & 1) * HALF + HALF);
    while (done < lastOf[round & 1]) {
      await sys.epoll_wait(epfd, events, 1, -1);
      const control: ControlMessage[] = [];
      while (sys.recvmsg(fd, { msg_iov: [], msg_control: control }, MSG_ERRQUEUE) === 0) {
        const { ee_info, ee_data, ee_code } = control[0].cmsg_data as Record<string, number>;
        done = ee_data;
        // Sends that wait in one segment share a completion: a single small one among them, and it tells of a copy.
        const small = sizes.slice(ee_info, ee_data + 1).some((size) => size < WORTH_A_REFERENCE);
        if (ee_code !== 0 && !small) copied++;
      }
    }
    half.set(randomBytes(HALF));
    sent.update(half);
    for (let at = 0; at < HALF; ) {
      const taken = sys.send(fd, half.subarray(at), HALF - at, MSG_ZEROCOPY);
      if (taken > 0) {
        at += taken;
        sizes.push(taken);
        lastOf[round & 1] = next++;
      } else await sys.epoll_wait(epfd, events, 1, -1);
    }
  }
  await blocking.close(fd);
  return copied;
}

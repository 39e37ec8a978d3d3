// Which sends of MSG_ZEROCOPY are completed together, over loopback, where all are copied. The answers are those of kernel 6.18, but for
// the limit of 65,534 sends, which was read in its source.
import {
  AF_INET,
  type ControlMessage,
  MSG_ERRQUEUE,
  MSG_MORE,
  MSG_ZEROCOPY,
  SO_EE_CODE_ZEROCOPY_COPIED,
  SO_RCVBUF,
  SO_SNDBUFFORCE,
  SO_ZEROCOPY,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { address, Machine, result } from '../kernel/machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

/** What the error queue holds: first and last send of each completion. */
function completed(fd: number): [number, number][] {
  const all: [number, number][] = [];
  for (;;) {
    const control: ControlMessage[] = [];
    if (m.sys.recvmsg(fd, { msg_iov: [], msg_control: control }, MSG_ERRQUEUE) < 0) return all;
    const { ee_info, ee_data, ee_code } = control[0].cmsg_data as Record<string, number>;
    expect(ee_code).toBe(SO_EE_CODE_ZEROCOPY_COPIED);
    all.push([ee_info, ee_data]);
  }
}

describe('datagrams have a completion', () => {
  function connected(): number {
    const receiver = m.sys.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
    m.sys.bind(receiver, address(5555));
    const sender = m.sys.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
    m.sys.connect(sender, address(5555));
    m.sys.setsockopt(sender, SOL_SOCKET, SO_ZEROCOPY, 1);
    return sender;
  }

  // Each send's bytes and flags (Z MSG_ZEROCOPY, M MSG_MORE), and what is completed then.
  it.each<[string, string, number[][]]>([
    ['for all sends of one', '5000 ZM, 5000 Z', [[0, 1]]],
    ['for those that asked', '9 ZM, 9 M, 9 Z', [[0, 1]]],
    ['for the first alone', '9 ZM, 9', [[0, 0]]],
    ['for the last alone', '9 M, 9 Z', [[0, 0]]],
    ['though empty', '0 Z', [[0, 0]]],
    ['for nothing at the beginning', '0 ZM, 9 Z', [[0, 1]]],
    ['but not for nothing behind something', '9 ZM, 0 Z', [[0, 0]]],
    ['but not before they are sent', '9 ZM, 9 ZM', []],
    ['when they are lost as they grew too large', '40000 ZM, 40000 Z', [[0, 0]]],
    ['but not what is too large by itself', '70000 Z', []],
  ])('%s', (_name, sends, completions) => {
    const sender = connected();
    for (const send of sends.split(', ')) {
      const [length, flags = ''] = send.split(' ');
      const zerocopy = flags.includes('Z') ? MSG_ZEROCOPY : 0;
      const more = flags.includes('M') ? MSG_MORE : 0;
      m.sys.send(sender, new Uint8Array(Number(length)), Number(length), zerocopy | more);
    }
    expect(completed(sender)).toEqual(completions);
  });

  it('when there is no memory to put together what they gathered, and not for a send that fails for it', () => {
    const sender = connected();
    m.sys.send(sender, new Uint8Array(9), 9, MSG_ZEROCOPY | MSG_MORE);
    const { memory } = m.stack.host;
    while (memory.alloc(60_000) !== 0 || memory.alloc(1) !== 0);
    expect(result(m.sys.send(sender, new Uint8Array(9), 9, MSG_ZEROCOPY))).toBe('-ENOBUFS');
    expect(completed(sender)).toEqual([[0, 1]]);
    expect(result(m.sys.send(sender, new Uint8Array(9), 9, MSG_ZEROCOPY))).toBe('-ENOBUFS');
    expect(completed(sender)).toEqual([]);
  });
});

describe('a stream', () => {
  /** Sends of these sizes wait behind a closed window; what is heard once the peer has read so much in all: [read, first, last]. */
  function completions(sizes: number[], reads: number[]): unknown[] {
    const { fd: listener, at } = m.listener();
    m.sys.setsockopt(listener, SOL_SOCKET, SO_RCVBUF, 4096);
    const a = m.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    m.sys.setsockopt(a, SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20);
    m.sys.setsockopt(a, SOL_SOCKET, SO_ZEROCOPY, 1);
    m.sys.connect(a, at);
    const b = m.sys.accept4(listener, null, SOCK_NONBLOCK);
    for (const size of sizes) expect(m.sys.send(a, new Uint8Array(size), size, MSG_ZEROCOPY)).toBe(size);
    const heard: unknown[] = [];
    let total = 0;
    for (const upTo of reads) {
      while (total < upTo) {
        const got = m.sys.read(b, new Uint8Array(upTo - total));
        if (got > 0) total += got;
        else m.clock.advance(50);
      }
      m.clock.advance(50);
      for (const [first, last] of completed(a)) heard.push([upTo, first, last]);
    }
    for (const fd of [a, b, listener]) m.sys.close(fd);
    return heard;
  }

  // covers: what happened, on the error queue | Linux msg_zerocopy_realloc | src/tcp/tx-marks.ts
  it('completes sends of 512 KiB together, of one byte more apart', () => {
    const together = completions([500_000, 24_288, 100], [510_000, 524_388]);
    expect(together).toEqual([[524_388, 0, 2]]);
    const apart = completions([500_000, 24_289, 100], [400_000, 510_000, 524_389]);
    expect(apart).toEqual([
      [510_000, 0, 0],
      [524_389, 1, 2],
    ]);
  });

  it('completes 65,534 sends together, and one more apart', () => {
    const many = [400_000, ...new Array(65_533).fill(1)];
    const [inFirst, inAll] = [465_533, 485_533];
    expect(completions([...many, 20_000], [inFirst, inAll])).toEqual([
      [inFirst, 0, 65_533],
      [inAll, 65_534, 65_534],
    ]);
  });
});

// Memory that a program maps and sends from by reference (mmap(2), MSG_ZEROCOPY), over loopback: what stands there when a segment
// leaves is what the peer gets, and a completion tells when the program may use it again.
import {
  AF_INET,
  type ControlMessage,
  EINVAL,
  MSG_ERRQUEUE,
  MSG_SPLICE_PAGES,
  MSG_ZEROCOPY,
  SO_EE_CODE_ZEROCOPY_COPIED,
  SO_RCVBUF,
  SO_ZEROCOPY,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from 'tapstack';
import { beforeEach, expect, it } from 'vitest';
import { Machine, result } from './machine.js';

const SIZE = 200_000;

let m: Machine;
let mapped: Uint8Array;
let before: number;
beforeEach(() => {
  m = new Machine({ memory: 8 << 20 });
  before = m.stack.host.memory.used;
  mapped = map(SIZE);
});

function map(length: number): Uint8Array {
  const bytes = m.sys.mmap(length);
  if (typeof bytes === 'number') throw new Error(`mmap: ${result(bytes)}`);
  return bytes;
}

/** A connection whose receiver takes in a few KB before it has read, so that most of what is sent waits at the sender. */
function narrow(): [sender: number, receiver: number] {
  const listener = m.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  m.sys.setsockopt(listener, SOL_SOCKET, SO_RCVBUF, 8000);
  m.sys.bind(listener, { family: AF_INET, address: '127.0.0.1', port: 7 });
  m.sys.listen(listener, 1);
  const sender = m.sys.socket(AF_INET, SOCK_STREAM, 0);
  m.sys.connect(sender, { family: AF_INET, address: '127.0.0.1', port: 7 });
  m.sys.setsockopt(sender, SOL_SOCKET, SO_ZEROCOPY, 1);
  m.sys.fcntl(sender, 4, 0o4000);
  return [sender, m.sys.accept4(listener, null, SOCK_NONBLOCK)];
}

/** All that comes, as long as more comes. */
async function drain(fd: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(SIZE);
  const parts: number[] = [];
  for (let quiet = 0; quiet < 1000; quiet++) {
    for (let count = m.sys.read(fd, buffer); count > 0; count = m.sys.read(fd, buffer)) {
      quiet = 0;
      parts.push(...buffer.subarray(0, count));
    }
    await m.pass(1);
  }
  return Uint8Array.from(parts);
}

/** Completions that wait: `first to last`, and whether something was copied. */
function completions(fd: number): string[] {
  const told: string[] = [];
  for (;;) {
    const control: ControlMessage[] = [];
    if (m.sys.recvmsg(fd, { msg_iov: [new Uint8Array(0)], msg_control: control }, MSG_ERRQUEUE) < 0)
      return told;
    const { ee_info, ee_data, ee_code } = control[0].cmsg_data as Record<string, number>;
    told.push(`${ee_info} to ${ee_data}${ee_code === SO_EE_CODE_ZEROCOPY_COPIED ? ', copied' : ''}`);
  }
}

// covers: sending by reference (MSG_ZEROCOPY) | Linux skb_zerocopy_iter_stream | src/tcp/sendmsg.ts
it('is sent as it stands when a segment leaves, and told of when all is acknowledged', async () => {
  const [sender, receiver] = narrow();
  mapped.fill(1);
  const sent = m.sys.send(sender, mapped.subarray(0, 50_000), 50_000, MSG_ZEROCOPY);
  expect(sent).toBe(50_000);
  expect(completions(sender)).toEqual([]);
  mapped.fill(2);
  const got = await drain(receiver);
  expect(got.length).toBe(50_000);
  expect(got[0]).toBe(1);
  expect(got[49_999]).toBe(2);
  expect(completions(sender)).toEqual(['0 to 0']);
});

it('is copied, and the completion says so, without MSG_ZEROCOPY, from other memory, or where it is short', async () => {
  const [sender, receiver] = narrow();
  const other = new Uint8Array(50_000).fill(1);
  mapped.fill(1);
  expect(m.sys.send(sender, other, 50_000, MSG_ZEROCOPY)).toBe(50_000);
  expect(m.sys.send(sender, mapped, 50_000, 0)).toBe(50_000);
  expect(m.sys.send(sender, mapped, 1000, MSG_ZEROCOPY)).toBe(1000);
  other.fill(2);
  mapped.fill(2);
  expect(new Set(await drain(receiver))).toEqual(new Set([1]));
  expect(completions(sender)).toEqual(['0 to 1, copied']);
});

it('is copied on a socket without SO_ZEROCOPY, unless as sendfile sends: then nothing is told', async () => {
  const [sender, receiver] = narrow();
  m.sys.setsockopt(sender, SOL_SOCKET, SO_ZEROCOPY, 0);
  mapped.fill(1);
  expect(m.sys.send(sender, mapped, 50_000, MSG_ZEROCOPY)).toBe(50_000);
  mapped.fill(2);
  expect(m.sys.send(sender, mapped, 50_000, MSG_SPLICE_PAGES)).toBe(50_000);
  mapped.fill(3);
  const got = await drain(receiver);
  expect([got[0], got[49_999], got[50_000], got[99_999]]).toEqual([1, 1, 3, 3]);
  expect(completions(sender)).toEqual([]);
});

it('mixes with copies in one stream, in order', async () => {
  const [sender, receiver] = narrow();
  const expected: number[] = [];
  for (let i = 0; i < 12; i++) {
    const bytes = i % 2 === 1 ? new Uint8Array(3000 + i) : mapped.subarray(i * 6000, i * 6000 + 5000 + i);
    bytes.fill(i + 1);
    expected.push(...bytes);
    expect(m.sys.send(sender, bytes, bytes.length, i % 3 === 2 ? 0 : MSG_ZEROCOPY)).toBe(bytes.length);
  }
  expect(await drain(receiver)).toEqual(Uint8Array.from(expected));
});

it('goes on being sent after munmap and close, and then belongs to others', async () => {
  const [sender, receiver] = narrow();
  mapped.fill(1);
  expect(m.sys.send(sender, mapped, 50_000, MSG_ZEROCOPY)).toBe(50_000);
  expect(m.sys.munmap(mapped)).toBe(0);
  expect(m.sys.close(sender)).toBe(0);
  // Whoever maps now gets another piece: this one is still to be sent.
  map(SIZE).fill(2);
  const got = await drain(receiver);
  expect(got.length).toBe(50_000);
  expect(new Set(got)).toEqual(new Set([1]));
});

it('comes back whole: what was mapped, what a reset left unsent', async () => {
  const [sender, receiver] = narrow();
  expect(m.sys.send(sender, mapped, 50_000, MSG_ZEROCOPY)).toBe(50_000);
  expect(m.sys.munmap(mapped)).toBe(0);
  expect(m.stack.host.memory.used).toBeGreaterThan(before + SIZE);
  m.sys.close(receiver);
  await m.pass(10);
  m.sys.close(sender);
  await m.pass(120_000);
  expect(m.stack.host.memory.used).toBe(before);
});

it('is refused where it cannot be: mmap(2), munmap(2)', () => {
  expect(result(m.sys.mmap(0) as number)).toBe('-EINVAL');
  expect(result(m.sys.mmap(1.5) as number)).toBe('-EINVAL');
  expect(result(m.sys.mmap(5 << 20) as number)).toBe('-ENOMEM');
  expect(m.sys.munmap(mapped.subarray(1))).toBe(-EINVAL);
  expect(m.sys.munmap(new Uint8Array(SIZE))).toBe(-EINVAL);
  expect(m.sys.munmap(mapped)).toBe(0);
  expect(m.sys.munmap(mapped)).toBe(-EINVAL);
});

it("is its process's own, and goes with it", () => {
  const other = m.stack.createProcess();
  const { used } = m.stack.host.memory;
  expect(other.sys.munmap(mapped)).toBe(-EINVAL);
  other.sys.mmap(SIZE);
  other.exec();
  expect(m.stack.host.memory.used).toBe(used);
  other.sys.mmap(SIZE);
  expect(m.stack.host.memory.used).toBeGreaterThan(used + SIZE);
  other.exit();
  expect(m.stack.host.memory.used).toBe(used);
});

it('is zero each time, and pieces that were given back are mapped again', () => {
  const pieces: Uint8Array[] = [mapped];
  for (let more = m.sys.mmap(SIZE); typeof more !== 'number'; more = m.sys.mmap(SIZE)) pieces.push(more);
  expect(pieces.length).toBeGreaterThan(10);
  for (const piece of pieces) expect(m.sys.munmap(piece.fill(9))).toBe(0);
  expect(m.stack.host.memory.used).toBe(before);
  for (const _ of pieces) expect(new Set(map(SIZE))).toEqual(new Set([0]));
  expect(result(m.sys.mmap(SIZE) as number)).toBe('-ENOMEM');
});

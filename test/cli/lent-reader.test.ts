// What takes in what nobody keeps: lent where it came in large pieces, copied where it did not, and told how it ended.
import { EAGAIN, ECONNRESET, SO_LINGER, SOL_SOCKET, type Syscalls } from 'tapstack';
import { beforeEach, expect, it } from 'vitest';
import { LentReader } from '../../src/cli/lent-reader.js';
import { Machine } from '../kernel/machine.js';

const BLOCK = 256 << 10;

let m: Machine;
let block: Uint8Array;
let reader: LentReader;
let sender: number;
let receiver: number;
beforeEach(() => {
  m = new Machine({ memory: 8 << 20 });
  block = new Uint8Array(BLOCK);
  reader = new LentReader(m.sys, block);
  [sender, receiver] = m.pair();
});

async function send(...sizes: number[]): Promise<void> {
  for (const size of sizes) {
    expect(m.sys.write(sender, new Uint8Array(size).fill(120))).toBe(size);
    await m.pass(1);
  }
}

const copied = (): number => block.indexOf(0);

it('is lent what is large, and copies what is small', async () => {
  await send(100);
  expect(reader.read(receiver)).toBe(100);
  expect(copied()).toBe(100);
  await send(60_000);
  expect(reader.read(receiver)).toBe(60_000);
  expect(copied()).toBe(100);
  expect(reader.read(receiver)).toBe(-EAGAIN);
});

it('reads no more than what is too small, where what can be lent stands behind it', () => {
  const asked: number[] = [];
  const sys = {
    getsockopt(_fd: number, _level: number, _name: number, out: { value: object }): number {
      Object.assign(out.value, { length: 0, recv_skip_hint: 60, inq: 60_060, err: 0 });
      return 0;
    },
    recv(_fd: number, _block: Uint8Array, count: number): number {
      asked.push(count);
      return count;
    },
  };
  expect(new LentReader(sys as unknown as Syscalls, block).read(5)).toBe(60);
  expect(asked).toEqual([60]);
});

it('gives back what was lent with the next read, whichever socket it is of, and with its own end', async () => {
  const before = m.stack.host.memory.used;
  await send(60_000);
  expect(reader.read(receiver)).toBe(60_000);
  expect(m.stack.host.memory.mapped.lentBytes).toBeGreaterThan(0);
  expect(reader.read(sender)).toBe(-EAGAIN);
  expect(m.stack.host.memory.mapped.lentBytes).toBe(0);
  await send(60_000);
  expect(reader.read(receiver)).toBe(60_000);
  reader.close();
  expect(m.stack.host.memory.mapped.lentBytes).toBe(0);
  expect(m.stack.host.memory.used).toBe(before);
});

it('asks for no loan where a block is too small for one', () => {
  const sys = { recv: (_fd: number, _block: Uint8Array, count: number) => count };
  const small = new LentReader(sys as unknown as Syscalls, block.subarray(0, 32 << 10));
  expect(small.read(5)).toBe(32 << 10);
});

it('tells the end, and a reset from the end', async () => {
  await send(60_000);
  m.sys.shutdown(sender, 1);
  await m.pass(1);
  expect(reader.read(receiver)).toBe(60_000);
  expect(reader.read(receiver)).toBe(0);

  const [broken, other] = m.pair();
  m.sys.setsockopt(broken, SOL_SOCKET, SO_LINGER, { l_onoff: 1, l_linger: 0 });
  m.sys.close(broken);
  await m.pass(1);
  expect(reader.read(other)).toBe(-ECONNRESET);
  expect(reader.read(other)).toBe(0);
});

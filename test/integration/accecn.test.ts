// Accurate ECN with the kernel (6.18) as the peer, over a TAP that marks in both directions: what one end says it received the other
// says it delivered. The kernel agrees to AccECN only where a SYN cookie comes back with more flags than RFC 3168 knows, so that
// its SYN-ACK has to be taken for one that agrees, and our option has to go out unasked.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AF_INET, type Link, type LinkReceiver, SOCK_STREAM, Stack, TapLink } from 'tapstack';
import { expect, onTestFinished, test } from 'vitest';
import { below, SeededRandom } from '../../src/core/random.js';
import { RX_WORDS } from '../../src/link/link.js';
import { TX_WORDS, type TxRing } from '../../src/link/tx-ring.js';
import type { PacketMemory } from '../../src/memory/packet-memory.js';
import { CTRL_TX_HEAD } from '../../src/memory/ring-control.js';
import { tcpInfo } from '../../src/tcp/info.js';

const PEER = fileURLToPath(new URL('accecn-peer.py', import.meta.url));
const SIZE = 2_000_000;

test.each([
  ['TSO', true],
  ['plain frames', false],
])(
  '%s',
  async (_name, offload) => {
    const third = offload ? 1 : 2;
    const netns = `accecn${third}`;
    const [host, ours] = [`10.87.${third}.1`, `10.87.${third}.2`];
    const link = TapLink.openSync({ name: netns, netns, hostAddress: `${host}/24`, offload, gro: offload });
    const marks = new Marks(offload ? 200 : 30);
    const stack = await Stack.create({
      link: marks.around(link),
      address: `${ours}/24`,
      sysctl: { 'net.ipv4.tcp_ecn': '1' },
    });
    onTestFinished(() => stack.close());
    const peer = spawn('ip', ['netns', 'exec', netns, 'python3', PEER, host, String(SIZE)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void peer.kill());
    const lines = createInterface(peer.stdout)[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('ready');
    const { sys, blocking } = stack;
    const fd = sys.socket(AF_INET, SOCK_STREAM, 0);
    expect(await blocking.connect(fd, { family: AF_INET, address: host, port: 7000 })).toBe(0);
    const [sk] = [...stack.tcp.established];
    if (sk.rare.accecn === null) throw new Error('no Accurate ECN was agreed on');
    sk.rare.accecn.optSeen = 2;
    const sent = createHash('sha256');
    const block = Uint8Array.from({ length: 50_000 }, (_, i) => (i * 31) & 255);
    for (let i = 0; i < SIZE; i += block.length) {
      expect(await blocking.write(fd, block)).toBe(block.length);
      sent.update(block);
    }
    const received = createHash('sha256');
    const buffer = new Uint8Array(65_536);
    for (let count = 0; count < SIZE; ) {
      const got = await blocking.read(fd, buffer);
      expect(got).toBeGreaterThan(0);
      received.update(buffer.subarray(0, got));
      count += got;
    }
    const info = tcpInfo(sk);
    await blocking.write(fd, Uint8Array.of(0));
    const kernel = JSON.parse((await lines.next()).value);
    expect([kernel.received, kernel.sent]).toEqual([sent.digest('hex'), received.digest('hex')]);
    expect([kernel.accecn_opt_seen, kernel.accecn_fail_mode]).toEqual([2, 0]);
    expect([info.accecn_opt_seen, info.accecn_fail_mode]).toEqual([2, 0]);
    expect(marks.made).toBeGreaterThan(10);
    // What we sent; the byte that says the end is the kernel's alone.
    expect(info.delivered_ce_bytes).toBeGreaterThan(0);
    expect(info.delivered_ce_bytes).toBe(kernel.received_ce_bytes);
    expect(info.delivered_e0_bytes).toBe(kernel.received_e0_bytes - 1);
    // What it sent.
    expect(kernel.delivered_ce_bytes).toBe(info.received_ce_bytes);
    expect(kernel.delivered_e0_bytes).toBe(info.received_e0_bytes);
    // Of frames that are many segments the number of marks is an estimate.
    if (!offload) expect(kernel.delivered_ce).toBe(info.received_ce);
    await once(peer, 'exit');
  },
  60_000,
);

/** Marks data, so many of a thousand frames, on its way in and out; and has a SYN-ACK say CWR instead of ECE. */
class Marks {
  made = 0;
  readonly #random = new SeededRandom(7);
  readonly #perMille: number;

  constructor(perMille: number) {
    this.#perMille = perMille;
  }

  around(link: TapLink): Link {
    const attach = link.attach.bind(link);
    link.attach = (receiver: LinkReceiver, memory: PacketMemory) => {
      attach(
        {
          receiveBatch: (from, descriptors, count) => {
            for (let i = 0; i < count; i++) this.#incoming(memory.bytes, descriptors[i * RX_WORDS]);
            receiver.receiveBatch(from, descriptors, count);
          },
          flushDeferred: () => receiver.flushDeferred(),
          linkDown: (from, error) => receiver.linkDown(from, error),
        },
        memory,
      );
      // The NIC takes frames only later, and fills in the header's checksum itself.
      link.tx.doorbell = { ring: () => this.#mark(memory.bytes, newest(link.tx, memory)) };
    };
    return link;
  }

  #incoming(bytes: Uint8Array, at: number): void {
    // Checksums have been verified: the stack looks at the verdict.
    if (this.#mark(bytes, at) && (bytes[at + 47] & 0x12) === 0x12)
      bytes[at + 47] = (bytes[at + 47] & ~0x40) | 0x80;
  }

  /** False: the frame bears no TCP. */
  #mark(bytes: Uint8Array, at: number): boolean {
    if (bytes[at + 12] !== 8 || bytes[at + 13] !== 0 || bytes[at + 23] !== 6) return false;
    // Marks of bare ACKs only count, and the kernel misses some.
    const bears = (bytes[at + 16] << 8) + bytes[at + 17] > 20 + (bytes[at + 46] >> 4) * 4 + 1;
    if (bears && (bytes[at + 15] & 3) === 2 && below(this.#random, 1000) < this.#perMille) {
      bytes[at + 15] |= 3;
      this.made++;
    }
    return true;
  }
}

/** Where the frame that was committed last begins. */
function newest(tx: TxRing, memory: PacketMemory): number {
  const slot = (memory.words[tx.ctrl + CTRL_TX_HEAD] - 1) & (tx.slots - 1);
  return memory.words[(tx.descriptors >> 2) + slot * TX_WORDS];
}

// The program's side of a conversation: what the socket layer does with a TcpSock, and a wait queue that writes down its
// wake-ups.

import { SHUTDOWN_MASK } from '../../src/core/sock.js';
import { type WaitQueueEntry as Entry, WaitQueue, WaitQueueEntry } from '../../src/core/wait-queue.js';
import type { ProcessMemory } from '../../src/memory/process-memory.js';
import { pushPendingFrames } from '../../src/tcp/output.js';
import type { TcpSock } from '../../src/tcp/sock.js';
import type { TcpZerocopyReceive } from '../../src/tcp/zerocopy-receive.js';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP } from '../../src/uapi/poll.js';
import { TCP_STATE_NAMES, TCP_SYN_SENT } from '../../src/uapi/tcp.js';
import { address, PEER_ADDRESS } from '../ip/stack.js';
import { type Conversation, fill } from './conversation.js';

const ERRNO_LIMIT = -4096;

/** A key in the words of section 3 of the readiness notes. */
function keyName(key: number): string {
  if (key === 0) return 'STATE';
  if (key === POLLERR) return 'ERR';
  return (key & POLLIN) !== 0 ? 'DATA' : 'SPACE';
}

export class Program {
  readonly #talk: Conversation;
  readonly sk: TcpSock;
  #wakes: string[] = [];

  constructor(talk: Conversation, sk: TcpSock) {
    this.#talk = talk;
    this.sk = sk;
    sk.wq = new WaitQueue();
    sk.wq.add(new WaitQueueEntry((_entry: Entry, key: number) => this.#wakes.push(keyName(key)) > 0, null));
  }

  /** Wake-ups since the last look, in order. */
  wakes(): string[] {
    return this.#wakes.splice(0);
  }

  get state(): string {
    return TCP_STATE_NAMES[this.sk.state];
  }

  /** Looks at the poll mask, in letters: I(N) O(UT) P(RI) R(DHUP) H(UP) E(RR). */
  poll(): string {
    const mask = this.sk.poll();
    const bits: [string, number][] = [
      ['I', POLLIN],
      ['O', POLLOUT],
      ['P', POLLPRI],
      ['R', POLLRDHUP],
      ['H', POLLHUP],
      ['E', POLLERR],
    ];
    return bits.map(([letter, bit]) => ((mask & bit) !== 0 ? letter : '')).join('');
  }

  #call<T>(what: () => T): T {
    const { tcp, host } = this.#talk;
    host.refresh();
    tcp.lock(this.sk);
    const result = what();
    tcp.release(this.sk);
    this.#talk.settle();
    return result;
  }

  /** 0 or -errno. */
  connect(port: number, to = PEER_ADDRESS): number {
    return this.#call(() => this.#talk.tcp.connect(this.sk, address(to), port));
  }

  accept(): Program {
    const child = this.#talk.tcp.accept(this.sk);
    if (child === null) throw new Error('nobody stands in the accept queue');
    this.#wakes = [];
    return new Program(this.#talk, child);
  }

  get waiting(): number {
    return this.sk.listener?.acceptLength ?? -1;
  }

  /** Bytes taken or -errno. A number: that many bytes. */
  /** What waits goes out, as far as it may. */
  push(): void {
    this.#call(() => {
      pushPendingFrames(this.sk);
      return 0;
    });
  }

  send(data: string | Uint8Array | number, flags = 0): number {
    const bytes =
      typeof data === 'number'
        ? fill(data)
        : typeof data === 'string'
          ? Uint8Array.from(data, (letter) => letter.charCodeAt(0))
          : data;
    return this.#call(() => this.#talk.tcp.send(this.sk, bytes, bytes.length, flags));
  }

  /** The text that was read, or the result if it is not positive: 0 at the end, -errno. */
  recv(length = 65536, flags = 0): string | number {
    const buffer = new Uint8Array(length);
    const result = this.#call(() => this.#talk.tcp.recv(this.sk, buffer, length, flags));
    if (result < ERRNO_LIMIT) throw new Error(`recv returned ${result}`);
    return result > 0 ? new TextDecoder('latin1').decode(buffer.subarray(0, result)) : result;
  }

  /** As getsockopt(TCP_ZEROCOPY_RECEIVE) has it: 0 or -errno. */
  lend(zc: TcpZerocopyReceive, mm: ProcessMemory): number {
    return this.#call(() => this.#talk.tcp.zerocopyReceive(this.sk, zc, mm));
  }

  /** Reads and counts. */
  drain(length = 1 << 20): number {
    const got = this.recv(length);
    return typeof got === 'string' ? got.length : got;
  }

  /** As inet_shutdown has it: 1 read, 2 write, 3 both. */
  shutdown(how: number): void {
    this.#call(() => {
      if (this.sk.state === TCP_SYN_SENT) {
        this.#talk.tcp.disconnect(this.sk);
      } else {
        this.sk.shutdown |= how & SHUTDOWN_MASK;
        this.#talk.tcp.shutdown(this.sk, how);
      }
      this.sk.stateChange();
    });
  }

  disconnect(): number {
    return this.#call(() => this.#talk.tcp.disconnect(this.sk));
  }

  close(): void {
    const { tcp, host } = this.#talk;
    host.refresh();
    tcp.lock(this.sk);
    tcp.close(this.sk);
    this.#talk.settle();
  }

  /** Runs `change` as setsockopt would. */
  set(change: (sk: TcpSock) => void): this {
    this.#call(() => change(this.sk));
    return this;
  }
}

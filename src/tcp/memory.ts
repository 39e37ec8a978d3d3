// What all socks of a stack may hold together (tcp_mem, net/core/sock.c: __sk_mem_raise_allocated). Queues charge by whole
// chunks; below the first of the three limits a segment or a write costs one comparison here.

import type { Host } from '../core/host.js';
import { TcpExt } from '../core/mib.js';
import { SOCK_SNDBUF_LOCK } from '../core/sock.js';
import { MemoryAccount } from '../memory/memory-account.js';
import type { TcpSock } from './sock.js';

/** Unit of tcp_mem. */
const PAGE_SHIFT = 12;
/** Smallest send buffer (SOCK_MIN_SNDBUF). */
export const SOCK_MIN_SNDBUF = 4608;

export class TcpMemory extends MemoryAccount {
  /** tcp_memory_pressure: buffers do not grow and windows shrink. */
  pressure = false;
  #pressureSince = 0;
  /** Socks whose write was refused, to be told when there is room. */
  readonly #waiting: TcpSock[] = [];
  readonly #host: Host;

  constructor(host: Host) {
    super();
    this.#host = host;
  }

  /** Limit `which` of tcp_mem in bytes (sk_prot_mem_limits): 0 low, 1 pressure, 2 hard. */
  limit(which: number): number {
    return this.#host.sysctl.tcpMem[which] * (1 << PAGE_SHIFT);
  }

  /** Pages, as /proc/net/sockstat tells them. */
  get pages(): number {
    return Math.ceil(this.allocated / (1 << PAGE_SHIFT));
  }

  override charge(bytes: number): void {
    this.allocated = (this.allocated + bytes) | 0;
    if (this.allocated > this.limit(1)) this.enterPressure();
  }

  override uncharge(bytes: number): void {
    this.allocated = (this.allocated - bytes) | 0;
    if (this.pressure && this.allocated < this.limit(0)) this.#leavePressure();
  }

  /** tcp_enter_memory_pressure */
  enterPressure(): void {
    if (this.pressure) return;
    this.pressure = true;
    this.#pressureSince = this.#host.nowMs;
    this.#host.mib.count(TcpExt.TCPMemoryPressures);
  }

  #leavePressure(): void {
    this.pressure = false;
    this.#host.mib.add(TcpExt.TCPMemoryPressuresChrono, (this.#host.nowMs - this.#pressureSince) | 0);
  }

  /** More than the first limit is held: growth is to be thought over. */
  get tight(): boolean {
    return this.allocated > this.limit(0);
  }

  /** More than the hard limit. */
  get exhausted(): boolean {
    return this.allocated > this.limit(2);
  }

  /** sk_rmem_schedule: `sk` may take in another segment. */
  mayReceive(sk: TcpSock): boolean {
    if (!this.tight) return true;
    if (this.exhausted) return false;
    return sk.rmemAlloc < sk.host.sysctl.tcpRmem[0] || this.#isFair(sk);
  }

  /** sk_wmem_schedule: `sk` may take in `bytes` more from its program. */
  maySend(sk: TcpSock, bytes: number): boolean {
    if (!this.tight) return true;
    if (!this.exhausted && (sk.wmemQueued < sk.host.sysctl.tcpWmem[0] || this.#isFair(sk))) return true;
    moderateSendBuffer(sk);
    // Refused is only who has little queued. The others find their buffer full from now on, and acknowledgements wake them.
    return sk.wmemQueued + bytes >= sk.sndbuf;
  }

  /** Under pressure whoever holds less than an equal share of the hard limit may still grow. */
  #isFair(sk: TcpSock): boolean {
    if (!this.pressure) return true;
    const share = this.limit(2) / Math.max(1, sk.tcp.established.count);
    return share > sk.sndQueue.held + sk.rcvQueue.held + (sk.rx.reassembly?.charge ?? 0);
  }

  /** The program of `sk` wants to write and was refused. */
  waitFor(sk: TcpSock): void {
    if (!this.#waiting.includes(sk)) this.#waiting.push(sk);
  }

  /** End of a batch: whoever waits may try again once there is less than the hard limit. */
  notify(): void {
    if (this.#waiting.length === 0 || this.exhausted) return;
    for (const sk of this.#waiting.splice(0)) sk.memoryAvailable();
  }

  /** tcp_out_of_memory: `sk` holds something worth freeing, and the hard limit is passed. */
  isOut(sk: TcpSock): boolean {
    return sk.wmemQueued > SOCK_MIN_SNDBUF && this.exhausted;
  }
}

/** sk_stream_moderate_sndbuf: who has just been refused shall not ask for as much again. */
function moderateSendBuffer(sk: TcpSock): void {
  if ((sk.userlocks & SOCK_SNDBUF_LOCK) !== 0) return;
  sk.sndbuf = Math.max(Math.min(sk.sndbuf, sk.wmemQueued >> 1), SOCK_MIN_SNDBUF);
}

/**
 * tcp_init_mem: the limits a stack of `bytes` of packet memory begins with, in pages. The proportions among the three are
 * Linux's; but packet memory is there for packets, and most of it may be TCP's, where a machine's memory has other uses.
 */
export function defaultTcpMem(bytes: number): number[] {
  const pressure = Math.max(bytes >> (PAGE_SHIFT + 1), 128);
  const low = Math.floor(pressure / 4) * 3;
  return [low, pressure, low * 2];
}

/** tcp_check_oom: there are too many orphans, or too much memory is held, for another one like `sk`; `shift` doubles its weight. */
export function checkOom(sk: TcpSock, shift: number): boolean {
  const { tcp } = sk;
  return tcp.orphans << shift > tcp.host.sysctl.tcpMaxOrphans || tcp.memory.isOut(sk);
}

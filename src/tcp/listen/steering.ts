// What a program wants of one listener alone (`stack.listener`): that it pauses, a say in who is answered, what to do when a queue is
// full, whom to wake. listener.ts, syn-recv.ts and receive.ts ask here, but only of a listener that is steered; any other has none of this.

import type { DropReason } from '../../core/drop-reason.js';
import type { Host } from '../../core/host.js';
import { type ListenerCounter, ListenerMib } from '../../core/mib.js';
import { dropped, ends, type TraceEvents, traceSteerListener } from '../../core/trace.js';
import type { RxPacket } from '../../ip/rx-packet.js';
import { TCP_LISTEN } from '../../uapi/tcp.js';
import { ACK, SYN } from '../constants.js';
import { tupleHash } from '../demux.js';
import type { Segment } from '../segment.js';
import type { TcpSock } from '../sock.js';
import { sendReset } from '../transmit-control.js';
import { type SynDetails, synDetails } from './syn-details.js';

/** What becomes of a SYN: it goes Linux's way, nobody hears of it, a RST, or a SYN-ACK with a cookie, which is kept nowhere. */
export type SynVerdict = 'accept' | 'drop' | 'reset' | 'cookie';

/** Asked for each SYN, at once and inside of the stack: it must not make system calls. Without an answer the SYN is accepted. */
// biome-ignore lint/suspicious/noConfusingVoidType: one that only looks has no return; a promise must not pass for an answer
export type OnSyn = (syn: SynDetails) => SynVerdict | undefined | void;

/** When the SYN queue is full: what net.ipv4.tcp_syncookies says, or as it says at 0, as at 1, or a RST. */
export type SynOverflow = 'sysctl' | 'drop' | 'cookie' | 'reset';

/**
 * When the accept queue is full: SYNs are dropped, and third segments as net.ipv4.tcp_abort_on_overflow says, or as at 0 (parked), or
 * as at 1 (aborted by a RST); or a RST for both.
 */
export type AcceptOverflow = 'sysctl' | 'park' | 'abort' | 'reset';

/** Whom a connection wakes of those who wait exclusively and sleep: who has waited first, as on Linux, or each in turn. */
export type WakeOrder = 'first' | 'turns';

const VERDICTS: readonly unknown[] = ['accept', 'drop', 'reset', 'cookie'] satisfies SynVerdict[];

/** What `judgeSyn` says: go on, with a cookie in any case, or that the SYN was dealt with. */
export const SYN_ACCEPTED = 0;
export const SYN_COOKIE = 1;
export const SYN_GONE = 2;

export class Steering {
  paused: false | 'dropping' | 'refusing' = false;
  onSyn: OnSyn | null = null;
  synOverflow: SynOverflow = 'sysctl';
  acceptOverflow: AcceptOverflow = 'sysctl';
  wakeOrder: WakeOrder = 'first';
  /** Cookies are out that no sysctl stands for. */
  cookies = false;
  readonly counters: Record<ListenerCounter, number> = {
    PausedDrops: 0,
    PausedResets: 0,
    PausedPasses: 0,
    OnSynDrops: 0,
    OnSynResets: 0,
    OnSynCookies: 0,
    OnSynErrors: 0,
    OverflowResets: 0,
  };

  /** What net.ipv4.tcp_syncookies is for this listener. */
  syncookies(sysctl: number): number {
    if (this.synOverflow === 'sysctl') return sysctl;
    return this.synOverflow === 'cookie' ? 1 : 0;
  }

  count(host: Host, name: ListenerCounter): void {
    this.counters[name]++;
    host.mib.count(ListenerMib[name]);
  }
}

/** A child has joined the accept queue of `sk`. */
export function childWaits(sk: TcpSock): void {
  if (sk.listener?.steering?.wakeOrder === 'turns') sk.dataReadyInTurns();
  else sk.dataReady();
}

/** Who of its SO_REUSEPORT group has the SYN instead, if it pauses; null: nobody, or it does not. */
export function standIn(sk: TcpSock, steering: Steering, packet: RxPacket, segment: Segment): TcpSock | null {
  if (steering.paused === false || !sk.reusePort) return null;
  const { tcp } = sk;
  const hash = tupleHash(tcp.tableKey, packet.dst, segment.dport, packet.src, segment.sport);
  const other = tcp.listeners.awake(sk, hash);
  if (other === null) return null;
  steering.count(sk.host, 'PausedPasses');
  tell(sk.host, packet, segment, 'pause', 'pass');
  return other;
}

/** A SYN, before either queue is looked at. `known`: its peer was connected just now, and needs no cookie. */
export function judgeSyn(
  sk: TcpSock,
  steering: Steering,
  packet: RxPacket,
  segment: Segment,
  known: boolean,
): number {
  const { host, listener } = sk;
  if (steering.paused !== false) {
    if (steering.paused === 'refusing') {
      steering.count(host, 'PausedResets');
      turnAway(sk, packet, segment, 'pause', 'reset', 'LISTENER_PAUSED');
    } else {
      steering.count(host, 'PausedDrops');
      turnAway(sk, packet, segment, 'pause', 'drop', 'LISTENER_PAUSED');
    }
    return SYN_GONE;
  }
  if (steering.onSyn === null) return SYN_ACCEPTED;
  const verdict = ask(host, steering.onSyn, packet, segment);
  if (sk.state !== TCP_LISTEN || sk.listener !== listener) {
    dropped(host, 'TCP_CLOSE');
    return SYN_GONE;
  }
  if (verdict === 'accept' || (verdict === 'cookie' && known)) {
    tell(host, packet, segment, 'onSyn', 'accept');
    return SYN_ACCEPTED;
  }
  if (verdict === 'cookie') {
    steering.count(host, 'OnSynCookies');
    steering.cookies = true;
    tell(host, packet, segment, 'onSyn', 'cookie');
    return SYN_COOKIE;
  }
  if (verdict === null) steering.count(host, 'OnSynErrors');
  else steering.count(host, verdict === 'reset' ? 'OnSynResets' : 'OnSynDrops');
  turnAway(sk, packet, segment, 'onSyn', verdict ?? 'drop', 'LISTENER_ON_SYN');
  return SYN_GONE;
}

/** Null: it threw, or said what is no verdict. That is thrown once the stack is done, and as any callback's. */
function ask(host: Host, onSyn: OnSyn, packet: RxPacket, segment: Segment): SynVerdict | null {
  try {
    const verdict = onSyn(synDetails(packet, segment)) ?? 'accept';
    if (VERDICTS.includes(verdict)) return verdict;
    throw new TypeError(
      `onSyn answered ${describe(verdict)}: it must say 'accept', 'drop', 'reset' or 'cookie', and at once. The SYN was dropped`,
    );
  } catch (error) {
    host.thrown(error);
    return null;
  }
}

function describe(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : value instanceof Promise ? 'a promise' : typeof value;
}

/** The SYN queue is full, or its last places are not for this peer. */
export function synQueueFull(sk: TcpSock, steering: Steering, packet: RxPacket, segment: Segment): void {
  const policy = steering.synOverflow;
  if (policy === 'sysctl') return;
  tell(sk.host, packet, segment, 'synOverflow', policy);
  if (policy === 'cookie') steering.cookies = true;
  if (policy !== 'reset') return;
  steering.count(sk.host, 'OverflowResets');
  sendReset(sk.tcp, packet, segment);
}

/** The accept queue is full. Whether a SYN, or a third segment, is answered by a RST; `aborts`: the sysctl says so. */
export function acceptQueueFull(
  sk: TcpSock,
  steering: Steering,
  packet: RxPacket,
  segment: Segment,
  aborts: boolean,
): boolean {
  const policy = steering.acceptOverflow;
  if (policy === 'sysctl') return aborts;
  const third = (segment.flags & (SYN | ACK)) !== SYN;
  const resets = policy === 'reset' || (policy === 'abort' && third);
  tell(sk.host, packet, segment, 'acceptOverflow', resets ? 'reset' : 'drop');
  if (resets) steering.count(sk.host, 'OverflowResets');
  return resets;
}

type Steered = TraceEvents['steer_listener'];

function turnAway(
  sk: TcpSock,
  packet: RxPacket,
  segment: Segment,
  by: Steered['by'],
  verdict: 'drop' | 'reset',
  reason: DropReason,
): void {
  tell(sk.host, packet, segment, by, verdict);
  dropped(sk.host, reason);
  if (verdict === 'reset') sendReset(sk.tcp, packet, segment);
}

function tell(
  host: Host,
  packet: RxPacket,
  segment: Segment,
  by: Steered['by'],
  verdict: Steered['verdict'],
): void {
  if (!traceSteerListener.on) return;
  const about = { saddr: packet.dst, sport: segment.dport, daddr: packet.src, dport: segment.sport };
  traceSteerListener.emit(host, { ...ends(about), by, verdict });
}

// Trace points along the way of a frame, named after the kernel functions they stand in and published on node's
// diagnostics_channel as `tapstack:<name>`. With nobody listening a point costs one test of a constant.

import { type Channel, channel } from 'node:diagnostics_channel';
import type { IpAddress } from '../packet/address.js';
import type { DropReason } from './drop-reason.js';
import type { Host } from './host.js';

/** The two ends of the sock an event is about, as `address:port`; the peer is `*` for a listener. */
export interface TraceEnds {
  readonly local: string;
  readonly peer: string;
}

/** What each point tells. Masks and keys are poll bits, `state` a TCP state, lengths are in bytes or entries. */
export interface TraceEvents {
  /** A segment entered TCP. `flags` are the header's low eight bits. */
  tcp_v4_rcv: TraceEnds & { seq: number; ackSeq: number; flags: number; length: number };
  tcp_rcv_established: TraceEnds;
  tcp_rcv_state_process: TraceEnds & { state: number };
  /** A SYN for a listener. */
  tcp_conn_request: TraceEnds;
  /** Into the SYN queue; `length`: requests in it now. */
  inet_csk_reqsk_queue_hash_add: TraceEnds & { length: number };
  /** Out of the SYN queue. */
  inet_csk_reqsk_queue_drop: TraceEnds & { length: number };
  /** The third segment made a child. */
  tcp_v4_syn_recv_sock: TraceEnds;
  /** Into the accept queue; `length`: children in it now, `backlog`: how many are allowed less one. */
  inet_csk_reqsk_queue_add: TraceEnds & { length: number; backlog: number };
  /** accept() took the oldest child. */
  inet_csk_accept: TraceEnds & { length: number };
  tcp_set_state: TraceEnds & { from: number; to: number };
  /** Where a segment's bytes went: in order, out of order, old, or outside the window. */
  tcp_data_queue: TraceEnds & {
    seq: number;
    length: number;
    verdict: 'in order' | 'out of order' | 'old' | 'window';
  };
  /** A program writes `length` bytes. */
  tcp_sendmsg: TraceEnds & { length: number };
  /** A program has read; `result` as the call returns it. */
  tcp_recvmsg: TraceEnds & { result: number };
  /** A program has asked for bytes without a copy: `length` of them were lent. */
  tcp_zerocopy_receive: TraceEnds & { result: number; length: number };
  /** A segment left TCP. */
  tcp_transmit_skb: TraceEnds & { seq: number; ackSeq: number; flags: number; length: number };
  sock_def_readable: TraceEnds;
  sock_def_wakeup: TraceEnds;
  sock_def_error_report: TraceEnds;
  sk_stream_write_space: TraceEnds;
  /** A registration is made, changed, ended. `events` as given, with the bits the kernel adds. */
  ep_insert: { fd: number; events: number };
  ep_modify: { fd: number; events: number };
  ep_remove: { fd: number };
  /** The callback is hung into a wait queue of the file. */
  ep_ptable_queue_proc: { fd: number; exclusive: boolean };
  /** Nothing is ready: the caller goes to sleep, for ever if `timeoutMs` is negative. */
  schedule: { call: string; timeoutMs: number };
  /** A walk over a wait queue; `nested`: wake-ups that this one runs inside of. */
  __wake_up_common: { key: number; exclusive: number; nested: number };
  /** `verdict`: what the callback did with the wake-up. */
  ep_poll_callback: {
    fd: number;
    key: number;
    events: number;
    verdict: 'rdllist' | 'ovflist' | 'linked already' | 'disabled' | 'not of interest';
    nested: number;
  };
  /** A sleeper was taken out of its wait queue and will run. */
  try_to_wake_up: { call: string; nested: number };
  /** A harvest begins; `ready`: whether the list holds anything. */
  ep_send_events: { maxevents: number };
  /** An item's file was asked; `revents` 0: forgotten. */
  ep_item_poll: { fd: number; revents: number };
  /** A harvest is over. */
  ep_done_scan: { count: number };
  /** What a steered listener (`stack.listener`) did about a SYN or a third segment, and what made it. No function of the kernel's. */
  steer_listener: TraceEnds & {
    by: 'pause' | 'onSyn' | 'synOverflow' | 'acceptOverflow';
    verdict: 'accept' | 'drop' | 'reset' | 'cookie' | 'pass';
  };
  /** A frame, packet or segment was given up; `reason` as the kernel's SKB_DROP_REASON_*, without the prefix. */
  kfree_skb: { reason: DropReason };
}

export type TraceName = keyof TraceEvents;
/** What a subscriber gets: the event, whose stack it was, and when (microseconds of its clock). */
export type TraceMessage<K extends TraceName = TraceName> = TraceEvents[K] & {
  readonly host: Host | null;
  readonly time: number;
};

const latest: { host: Host | null } = { host: null };

/** A point in the code: ask `on` first, so that nothing is built for nobody. */
export class TracePoint<K extends TraceName> {
  readonly name: K;
  readonly #channel: Channel;

  constructor(name: K) {
    this.name = name;
    this.#channel = channel(`tapstack:${name}`);
  }

  subscribe(listener: (message: TraceMessage<K>) => void): () => void {
    const handler = (message: unknown): void => listener(message as TraceMessage<K>);
    this.#channel.subscribe(handler);
    return () => this.#channel.unsubscribe(handler);
  }

  get on(): boolean {
    return this.#channel.hasSubscribers;
  }

  /** A wait queue belongs to no stack: `host` null stands for the one whose event came last, inside of which it was woken. */
  emit(host: Host | null, event: TraceEvents[K]): void {
    if (host !== null) latest.host = host;
    const clock = latest.host?.clock;
    this.#channel.publish({ host: latest.host, time: clock?.look?.() ?? clock?.now() ?? 0, ...event });
  }
}

/** Who an event is about. */
export function ends(of: { saddr: IpAddress; sport: number; daddr: IpAddress; dport: number }): TraceEnds {
  const peer = of.dport === 0 ? '*' : `${of.daddr}:${of.dport}`;
  return { local: `${of.saddr}:${of.sport}`, peer };
}

/** Wake-ups running inside one another; only kept while somebody listens. */
export const wakeNesting = { depth: 0 };

const points: TracePoint<TraceName>[] = [];

function point<K extends TraceName>(name: K): TracePoint<K> {
  const made = new TracePoint(name);
  points.push(made as unknown as TracePoint<TraceName>);
  return made;
}

/** The names of all points. */
export function traceNames(): TraceName[] {
  return points.map(({ name }) => name);
}

/** Calls `listener` for every event of every stack of this process (or of the points named), until the function returned is called. */
export function onTrace(
  listener: (name: TraceName, message: TraceMessage) => void,
  names?: readonly string[],
): () => void {
  const wanted = names === undefined ? points : points.filter(({ name }) => names.includes(name));
  const stops = wanted.map((each) => each.subscribe((message) => listener(each.name, message)));
  return () => {
    for (const stop of stops) stop();
  };
}

export const traceTcpV4Rcv = point('tcp_v4_rcv');
export const traceRcvEstablished = point('tcp_rcv_established');
export const traceRcvStateProcess = point('tcp_rcv_state_process');
export const traceConnRequest = point('tcp_conn_request');
export const traceSteerListener = point('steer_listener');
export const traceSynQueueAdd = point('inet_csk_reqsk_queue_hash_add');
export const traceSynQueueDrop = point('inet_csk_reqsk_queue_drop');
export const traceSynRecvSock = point('tcp_v4_syn_recv_sock');
export const traceAcceptQueueAdd = point('inet_csk_reqsk_queue_add');
export const traceAccept = point('inet_csk_accept');
export const traceSetState = point('tcp_set_state');
export const traceDataQueue = point('tcp_data_queue');
export const traceSendmsg = point('tcp_sendmsg');
export const traceRecvmsg = point('tcp_recvmsg');
export const traceZerocopyReceive = point('tcp_zerocopy_receive');
export const traceTransmit = point('tcp_transmit_skb');
export const traceReadable = point('sock_def_readable');
export const traceWakeup = point('sock_def_wakeup');
export const traceErrorReport = point('sock_def_error_report');
export const traceWriteSpace = point('sk_stream_write_space');
export const traceWakeUpCommon = point('__wake_up_common');
export const traceEpPollCallback = point('ep_poll_callback');
export const traceTryToWakeUp = point('try_to_wake_up');
export const traceEpSendEvents = point('ep_send_events');
export const traceEpItemPoll = point('ep_item_poll');
export const traceEpDoneScan = point('ep_done_scan');
export const traceEpInsert = point('ep_insert');
export const traceEpModify = point('ep_modify');
export const traceEpRemove = point('ep_remove');
export const traceEpPtableQueueProc = point('ep_ptable_queue_proc');
export const traceSchedule = point('schedule');
const traceKfreeSkb = point('kfree_skb');

/** kfree_skb_reason: something was given up. Costs a call and a test while nobody listens, and only then when something is dropped. */
export function dropped(host: Host, reason: DropReason): void {
  if (traceKfreeSkb.on) traceKfreeSkb.emit(host, { reason });
}

// Turns trace events into an indented call path, as a reader of the kernel would draw it: for one connection, from the frame
// that came in to the sleeper that was woken, and back out.

import type { TraceEvents, TraceMessage, TraceName } from '../core/trace.js';
import { TCP_STATE_NAMES } from '../uapi/tcp.js';
import { pollBits } from './poll-bits.js';

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];

/** How deep each function stands below the one that the outside calls. */
const DEPTH: Readonly<Record<TraceName, number>> = {
  tcp_v4_rcv: 0,
  kfree_skb: 1,
  tcp_rcv_established: 1,
  tcp_rcv_state_process: 1,
  tcp_conn_request: 1,
  steer_listener: 2,
  inet_csk_reqsk_queue_hash_add: 2,
  inet_csk_reqsk_queue_drop: 2,
  tcp_v4_syn_recv_sock: 1,
  inet_csk_reqsk_queue_add: 2,
  tcp_set_state: 2,
  tcp_data_queue: 2,
  sock_def_readable: 3,
  sock_def_wakeup: 3,
  sock_def_error_report: 3,
  sk_stream_write_space: 3,
  ep_insert: 0,
  ep_modify: 0,
  ep_remove: 0,
  ep_ptable_queue_proc: 1,
  schedule: 0,
  __wake_up_common: 4,
  ep_poll_callback: 5,
  try_to_wake_up: 5,
  ep_send_events: 0,
  ep_item_poll: 1,
  ep_done_scan: 1,
  inet_csk_accept: 0,
  tcp_recvmsg: 0,
  tcp_zerocopy_receive: 0,
  tcp_sendmsg: 0,
  tcp_transmit_skb: 1,
};

/** Describes each event after its name; sequence numbers come relative to the first seen in their direction. */
type Describe = { [K in TraceName]: (event: TraceMessage<K>, relative: RelativeSeq) => string };

const describe: Describe = {
  tcp_v4_rcv: (e, seq) =>
    `${e.peer} > ${e.local} ${flagNames(e.flags)} seq ${seq.of(e.peer, e.seq)}${ackText(e, e.local, seq)}${lengthText(e.length)}`,
  kfree_skb: (e) => (e.reason.startsWith('LISTENER_') ? e.reason : `SKB_DROP_REASON_${e.reason}`),
  tcp_rcv_established: () => '',
  tcp_rcv_state_process: (e) => TCP_STATE_NAMES[e.state],
  tcp_conn_request: () => 'a SYN for the listener',
  steer_listener: (e) => `${e.by}: ${e.verdict}`,
  inet_csk_reqsk_queue_hash_add: (e) => `SYN queue: ${e.length} waiting for their third segment`,
  inet_csk_reqsk_queue_drop: (e) => `SYN queue: ${e.length} left`,
  tcp_v4_syn_recv_sock: () => 'the child exists, before anybody called accept',
  inet_csk_reqsk_queue_add: (e) => `accept queue: ${e.length} (backlog ${e.backlog})`,
  tcp_set_state: (e) => `${TCP_STATE_NAMES[e.from]} -> ${TCP_STATE_NAMES[e.to]}`,
  tcp_data_queue: (e) => `${e.length} bytes ${e.verdict}`,
  sock_def_readable: () => '',
  sock_def_wakeup: () => 'the state changed: key 0, everybody looks',
  sock_def_error_report: () => '',
  sk_stream_write_space: () => '',
  ep_insert: (e) => `fd ${e.fd} for ${pollBits(e.events)}`,
  ep_modify: (e) => `fd ${e.fd} for ${pollBits(e.events)}`,
  ep_remove: (e) => `fd ${e.fd}`,
  ep_ptable_queue_proc: (e) =>
    `ep_poll_callback hangs in the wait queue of fd ${e.fd}${e.exclusive ? ', exclusive' : ''}`,
  schedule: (e) => `${e.call} sleeps${e.timeoutMs < 0 ? '' : `, at most ${e.timeoutMs} ms`}`,
  __wake_up_common: (e) => `key ${pollBits(e.key)}${e.exclusive === 0 ? ', everybody' : ''}`,
  ep_poll_callback: (e) => `fd ${e.fd}: ${e.verdict}`,
  try_to_wake_up: (e) => `the sleeper in ${e.call}`,
  ep_send_events: (e) => `at most ${e.maxevents}`,
  ep_item_poll: (e) =>
    `fd ${e.fd}: ${e.revents === 0 ? 'not ready any more, forgotten' : pollBits(e.revents)}`,
  ep_done_scan: (e) => `${e.count} returned`,
  inet_csk_accept: (e) => `${e.peer}; ${e.length} left in the accept queue`,
  tcp_recvmsg: (e) => (e.result >= 0 ? `${e.result} bytes` : `${e.result}`),
  tcp_zerocopy_receive: (e) => (e.result >= 0 ? `${e.length} bytes lent` : `${e.result}`),
  tcp_sendmsg: (e) => `${e.length} bytes`,
  tcp_transmit_skb: (e, seq) =>
    `${flagNames(e.flags)} seq ${seq.of(e.local, e.seq)}${ackText(e, e.peer, seq)}${lengthText(e.length)}`,
};

function flagNames(flags: number): string {
  return FLAG_NAMES.filter((_, bit) => (flags & (1 << bit)) !== 0).join('|') || '-';
}

function ackText(event: { flags: number; ackSeq: number }, acknowledged: string, seq: RelativeSeq): string {
  return (event.flags & 0x10) === 0 ? '' : ` ack ${seq.of(acknowledged, event.ackSeq)}`;
}

function lengthText(length: number): string {
  return length === 0 ? '' : ` len ${length}`;
}

/** One step: as deep as it stands below what the outside called, its name, and what it tells. */
export function stepText(name: TraceName, message: TraceMessage, relative: RelativeSeq): string {
  const nested = 'nested' in message ? message.nested : 0;
  const indent = '  '.repeat(DEPTH[name] + 2 * Math.max(0, nested - (name === '__wake_up_common' ? 0 : 1)));
  const tell = describe[name] as (event: TraceMessage, relative: RelativeSeq) => string;
  const text = tell(message, relative);
  return `${indent}${name}${text === '' ? '' : `  ${text}`}`;
}

/** Sequence numbers counted from the first one seen of each end. */
export class RelativeSeq {
  readonly #first = new Map<string, number>();

  of(sender: string, seq: number): number {
    const first = this.#first.get(sender);
    if (first !== undefined) return (seq - first) | 0;
    this.#first.set(sender, seq);
    return 0;
  }
}

/**
 * Follows one connection: the first whose SYN comes to `local` (any, if that is not given). `line` gets each step as text.
 * What has no ends of its own (a wait queue, a harvest) belongs to the step before it, since everything runs to completion.
 */
export class TracePath {
  readonly #line: (text: string) => void;
  readonly #local: string | undefined;
  readonly #relative = new RelativeSeq();
  #peer: string | undefined;
  #self: string | undefined;
  #ours = false;
  #lastOurs = false;

  constructor(line: (text: string) => void, local?: string) {
    this.#line = line;
    this.#local = local;
  }

  /** A listener for `onTrace`. */
  readonly event = (name: TraceName, message: TraceMessage): void => {
    if (!this.#concerns(name, message)) return;
    if (DEPTH[name] === 0) this.#line('');
    this.#line(stepText(name, message, this.#relative));
  };

  #concerns(name: TraceName, message: TraceMessage): boolean {
    if (!('peer' in message)) {
      // A harvest or a sleep begins: it follows from what happened last to our connection or to another.
      if (DEPTH[name] === 0) this.#ours = this.#lastOurs;
      return this.#ours;
    }
    if (this.#peer === undefined && name === 'tcp_v4_rcv') {
      const { flags, local, peer } = message as TraceEvents['tcp_v4_rcv'];
      if ((flags & 0x12) === 0x02 && (this.#local === undefined || this.#local === local)) {
        this.#peer = peer;
        this.#self = local;
      }
    }
    if (message.peer === '*') return this.#ours;
    this.#ours = message.peer === this.#peer;
    // Over loopback the other end of our connection is here, too: not to be shown, but no stranger either.
    const otherEnd = message.local === this.#peer && message.peer === this.#self;
    if (!otherEnd) this.#lastOurs = this.#ours;
    return this.#ours;
  }
}

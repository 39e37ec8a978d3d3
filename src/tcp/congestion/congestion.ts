// What a congestion control decides (tcp_congestion_ops). The engine calls it with the sock; it moves `sndCwnd` and
// `sndSsthresh`, both in segments, and may set `pacingRate`. One instance serves all socks: what it must remember of one stands
// in `sk.caPriv`, made at first need. Extend this class to write another; docs/congestion-control.md shows how.

import type { RateSample } from '../rate.js';
import type { TcpSock } from '../sock.js';

// What `cwndEvent` tells (enum tcp_ca_event).
/** Data is about to be sent, and nothing is in the network. */
export const CA_EVENT_TX_START = 0;
/** The window is about to shrink because nothing was sent for longer than a timeout (RFC 2861). */
export const CA_EVENT_CWND_RESTART = 1;
/** A reduction of the window is complete (tcp_end_cwnd_reduction). */
export const CA_EVENT_COMPLETE_CWR = 2;
/** A retransmission timeout; `ssthresh` was asked just before. */
export const CA_EVENT_LOSS = 3;
/** Data came under ECT, not marked with CE; told only to those that want ECN (`needsEcn`). */
export const CA_EVENT_ECN_NO_CE = 4;
/** Data came marked with CE; likewise. */
export const CA_EVENT_ECN_IS_CE = 5;

/**
 * How much a connection may have in the network (struct tcp_congestion_ops). One instance serves all connections; what it remembers
 * of each stands in `sk.caPriv`. Windows are in segments. docs/congestion-control.md shows how to write one.
 */
export abstract class CongestionControl {
  /** As TCP_CONGESTION and the sysctl spell it; at most 15 characters. */
  abstract readonly name: string;
  /** It wants ECT on everything it sends (TCP_CONG_NEEDS_ECN). */
  readonly needsEcn: boolean = false;
  /** It settles window and pacing itself, in `control`, in every state (tcp_congestion_ops.cong_control). */
  readonly controls: boolean = false;

  /** The connection is established, or has just been given to this control. */
  init(_sk: TcpSock): void {}

  /** The connection goes to another control, or ends. */
  release(_sk: TcpSock): void {}

  /** Slow-start threshold after a loss, in segments (RFC 5681 section 3.1). */
  abstract ssthresh(sk: TcpSock): number;

  /** `acked` segments were newly acknowledged, up to sequence number `ack`: grow, if the window was the limit. */
  congestionAvoidance(_sk: TcpSock, _ack: number, _acked: number): void {}

  /** Called for every ACK if `controls`; `sample` is only valid during the call. */
  control(_sk: TcpSock, _sample: RateSample): void {}

  /** `sk.caState` is about to become `state` (TCP_CA_*). */
  setState(_sk: TcpSock, _state: number): void {}

  /** One of CA_EVENT_*. */
  cwndEvent(_sk: TcpSock, _event: number): void {}

  /** `acked` segments left the queue; `rttUs` is their round-trip time in microseconds, or -1. */
  packetsAcked(_sk: TcpSock, _acked: number, _rttUs: number): void {}

  /** The window to go back to when a reduction turns out to have been a mistake. */
  undoCwnd(sk: TcpSock): number {
    return sk.sndCwnd > sk.tx.priorCwnd ? sk.sndCwnd : sk.tx.priorCwnd;
  }

  /** Least number of segments handed to the device at once. */
  minTsoSegments(sk: TcpSock): number {
    return sk.host.sysctl.tcpMinTsoSegs;
  }

  /** All that was sent has arrived, without a loss: what can be learnt again may be let go of, for idle connections are many. */
  quiet(_sk: TcpSock): void {}

  /** How many windows the send buffer should hold. */
  sendBufferExpand(_sk: TcpSock): number {
    return 2;
  }

  /** What TCP_CC_INFO tells, or null. */
  info(_sk: TcpSock): Readonly<Record<string, number>> | null {
    return null;
  }
}

/** tcp_is_cwnd_limited: a window that was not used up has proved nothing and must not grow (RFC 7661 section 4.3). */
export function isCwndLimited(sk: TcpSock): boolean {
  return sk.tx.isCwndLimited || (sk.sndCwnd < sk.sndSsthresh && sk.sndCwnd < 2 * sk.tx.maxPacketsOut);
}

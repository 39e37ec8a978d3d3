// What a congestion control decides (tcp_congestion_ops). The engine calls it with the sock; it moves `sndCwnd` and
// `sndSsthresh`, both in segments. One instance serves all socks: what it must remember lives on the sock.

import type { TcpSock } from '../sock.js';

export interface CongestionControl {
  readonly name: string;
  /** Slow-start threshold after a loss, in segments (RFC 5681 section 3.1). */
  ssthresh(sk: TcpSock): number;
  /** `acked` segments were newly acknowledged while the window was the limit: grow. */
  congestionAvoidance(sk: TcpSock, acked: number): void;
}

// What few TCP socks have: a listener's queues, Fast Open, AccECN, a search for the path's MTU, a keepalive timer, gibibytes. Made with
// the first of it (`sk.ownRare`); until then all socks share NOTHING_RARE, which only reads, so that idle connections carry none of it.

import type { Timer } from '../time/timer-wheel.js';
import type { Backlog } from './backlog.js';
import { TCP_INFINITE_SSTHRESH } from './constants.js';
import type { AccEcn } from './ecn/accecn.js';
import type { FastOpenState } from './fastopen/fastopen.js';
import type { ListenState } from './listen/listen-state.js';
import type { MtuProbing } from './path/mtu-probe.js';

export class RareState {
  /** Segments that came while a syscall was inside (sk_backlog). */
  backlog: Backlog | null = null;
  /** Listener's queues; null unless LISTEN. */
  listener: ListenState | null = null;
  fastopen: FastOpenState | null = null;
  /** While AccECN is agreed on, or asked for. */
  accecn: AccEcn | null = null;
  /** While the path is searched for larger packets (RFC 4821). */
  mtup: MtuProbing | null = null;
  /** Bound of sndCwnd, if the route has one. */
  sndCwndClamp = TCP_INFINITE_SSTHRESH;
  keepaliveTimer: Timer | null = null;
  // Whole gibibytes of what byte-counts.ts counts.
  ackedGib = 0;
  sentGib = 0;
  receivedGib = 0;
}

/** Of a sock that has nothing of the kind. Frozen: whoever writes must own one. */
export const NOTHING_RARE: RareState = Object.freeze(new RareState());

// What a route tells of the way beyond itself (the RTAX_* metrics of rtnetlink, as `ip route` takes them): bounds and first
// values for the transports. Routes without any share one set of zeros; 0 is "not said".

/** Metrics that a route may insist on, so that nothing learnt changes them (`ip route … lock`). */
export type LockableMetric = 'mtu' | 'rtt' | 'rttvar' | 'ssthresh' | 'cwnd' | 'reordering';

/** The metrics of one route, in the units of `ip route`; what is left out is not said. */
export interface RouteMetricOptions {
  /** Largest IP packet, bytes. */
  mtu?: number;
  /** MSS to announce, bytes. */
  advmss?: number;
  /** Congestion window to begin with, segments. */
  initcwnd?: number;
  /** Receive window to begin with, segments. */
  initrwnd?: number;
  /** Largest receive window to announce, bytes. */
  window?: number;
  /** TTL of what is sent, unless the socket has its own (IP_TTL); what is over 255 is cut. */
  hoplimit?: number;
  /** Acknowledge everything at once. */
  quickack?: boolean;
  /** Least retransmission timeout, milliseconds. */
  rtoMin?: number;
  /** Round trip in milliseconds, which the first timeout is made for where the handshake was quicker (tcp_init_metrics). */
  rtt?: number;
  /** Its variance in milliseconds. Connections that end learn it, and none begins with it (tcp_init_metrics). */
  rttvar?: number;
  /** Slow-start threshold to begin with, segments. */
  ssthresh?: number;
  /** Bound of the congestion window; only if locked. */
  cwnd?: number;
  /** How far segments may overtake each other before one counts as lost, to begin with; segments. */
  reordering?: number;
  /** Congestion control by its name. */
  congctl?: string;
  /** Which of the metrics nothing learnt changes. */
  lock?: readonly LockableMetric[];
}

const LOCKABLE: readonly string[] = ['mtu', 'rtt', 'rttvar', 'ssthresh', 'cwnd', 'reordering'];
const NUMBERS = [
  'mtu',
  'advmss',
  'initcwnd',
  'initrwnd',
  'window',
  'hoplimit',
  'rtoMin',
  'rtt',
  'rttvar',
  'ssthresh',
  'cwnd',
  'reordering',
] as const;
const KNOWN: readonly string[] = [...NUMBERS, 'quickack', 'congctl', 'lock'];
/** fib_metrics bounds them alike: what would not fit is cut. */
const MOST_MTU = 65535 - 15;
const MOST_ADVMSS = 65535 - 40;

export class RouteMetrics {
  readonly mtu: number;
  readonly advmss: number;
  readonly initcwnd: number;
  readonly initrwnd: number;
  readonly window: number;
  readonly hoplimit: number;
  readonly quickack: boolean;
  readonly rtoMin: number;
  readonly rtt: number;
  readonly rttvar: number;
  readonly ssthresh: number;
  readonly cwnd: number;
  readonly reordering: number;
  readonly congctl: string;
  readonly mtuLocked: boolean;
  readonly rttLocked: boolean;
  readonly rttvarLocked: boolean;
  readonly ssthreshLocked: boolean;
  readonly cwndLocked: boolean;
  readonly reorderingLocked: boolean;

  /** @throws RangeError for a metric that cannot be */
  constructor(options: RouteMetricOptions) {
    for (const name of Object.keys(options))
      if (!KNOWN.includes(name))
        throw new RangeError(`a route has no metric ${name}; there are ${KNOWN.join(', ')}`);
    for (const name of NUMBERS) {
      const value = options[name];
      if (value !== undefined && (!Number.isInteger(value) || value < 0 || value > 0x7fffffff))
        throw new RangeError(`the metric ${name} of a route is ${value}; it must be a whole number from 0`);
    }
    const { lock = [], hoplimit = 0, mtu = 0, advmss = 0 } = options;
    for (const name of lock)
      if (!LOCKABLE.includes(name))
        throw new RangeError(`the metric ${name} of a route cannot be locked; ${LOCKABLE.join(', ')} can`);
    if (mtu !== 0 && mtu < 68)
      throw new RangeError(`the MTU of a route is ${mtu}; IPv4 needs at least 68 bytes (RFC 791)`);
    this.mtu = Math.min(mtu, MOST_MTU);
    this.advmss = Math.min(advmss, MOST_ADVMSS);
    this.initcwnd = options.initcwnd ?? 0;
    this.initrwnd = options.initrwnd ?? 0;
    this.window = options.window ?? 0;
    this.hoplimit = Math.min(hoplimit, 255);
    this.quickack = options.quickack ?? false;
    this.rtoMin = options.rtoMin ?? 0;
    this.rtt = options.rtt ?? 0;
    this.rttvar = options.rttvar ?? 0;
    this.ssthresh = options.ssthresh ?? 0;
    this.cwnd = options.cwnd ?? 0;
    this.reordering = options.reordering ?? 0;
    this.congctl = options.congctl ?? '';
    this.mtuLocked = lock.includes('mtu');
    this.rttLocked = lock.includes('rtt');
    this.rttvarLocked = lock.includes('rttvar');
    this.ssthreshLocked = lock.includes('ssthresh');
    this.cwndLocked = lock.includes('cwnd');
    this.reorderingLocked = lock.includes('reordering');
  }
}

/** Of routes that say nothing (dst_default_metrics). */
export const DEFAULT_METRICS = new RouteMetrics({});

// Protocol constants of the TCP engine (include/net/tcp.h); times in milliseconds unless the name says otherwise.

export const TCP_INIT_CWND = 10;
export const TCP_MIN_MSS = 88;
export const TCP_MSS_DEFAULT = 536;
export const TCP_BASE_HEADER = 20;
export const TCPOLEN_TSTAMP_ALIGNED = 12;
export const MAX_TCP_WSCALE = 14;
export const MAX_TCP_WINDOW = 32767;
/** Largest segment handed to a device that cuts it up itself: 65535 less the longest headers. */
export const GSO_MAX_SIZE = 65535 - 20 - 60;

export const TCP_RTO_MIN = 200;
export const TCP_RTO_MAX = 120_000;
export const TCP_TIMEOUT_INIT = 1000;
export const TCP_TIMEOUT_FALLBACK = 3000;
/** Two ticks of 250 Hz (TCP_TIMEOUT_MIN). */
export const TCP_TIMEOUT_MIN = 8;
export const TCP_TIMEWAIT_LEN = 60_000;
export const TCP_ATO_MIN = 40;
export const TCP_DELACK_MAX = 200;
export const TCP_THIN_LINEAR_RETRIES = 6;
export const TCP_RESOURCE_PROBE_INTERVAL = 500;
export const TCP_FASTRETRANS_THRESH = 3;
export const TCP_MAX_QUICKACKS = 16;
/** How much older than the last a timestamp may be, in its own ticks. */
export const TCP_PAWS_WINDOW = 1;
export const TCP_INFINITE_SSTHRESH = 0x7fffffff;

/** Header flags, low byte of the flags word; the bits of RFC 9293 figure 1. */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;
export const AE = 0x100;

/** nonagle bits (TCP_NAGLE_*). */
export const NAGLE_OFF = 1;
export const NAGLE_CORK = 2;
export const NAGLE_PUSH = 4;

/** ack.pending bits (ICSK_ACK_*). */
export const ACK_SCHED = 1;
export const ACK_TIMER = 2;
export const ACK_PUSHED = 4;
export const ACK_PUSHED2 = 8;
export const ACK_NOW = 16;
/** In the same word, since the next segment settles both: the neighbour is known to work (sk_dst_pending_confirm). */
export const DST_CONFIRM = 32;

/** What the retransmit timer is armed for (ICSK_TIME_*). */
export const TIME_NONE = 0;
export const TIME_RETRANS = 1;
export const TIME_PROBE0 = 2;
export const TIME_LOSS_PROBE = 3;
export const TIME_REO_TIMEOUT = 4;

/** Urgent state (tcp_sock.urg_data); the byte itself is in the low eight bits. */
export const URG_VALID = 0x100;
export const URG_NOTYET = 0x200;
export const URG_READ = 0x400;

/** What receiving a segment comes to: it was dealt with; it must be answered by a reset; there is more to do with it. */
export const HANDLED = 0;
export const RESET_PEER = 1;
export const GO_ON = 2;

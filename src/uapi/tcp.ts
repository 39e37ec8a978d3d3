// TCP constants with Linux's numbers (linux/tcp.h, net/tcp_states.h).

export const TCP_NODELAY = 1;
export const TCP_MAXSEG = 2;
export const TCP_CORK = 3;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_SYNCNT = 7;
export const TCP_LINGER2 = 8;
export const TCP_DEFER_ACCEPT = 9;
export const TCP_WINDOW_CLAMP = 10;
export const TCP_INFO = 11;
export const TCP_QUICKACK = 12;
export const TCP_CONGESTION = 13;
export const TCP_MD5SIG = 14;
export const TCP_THIN_LINEAR_TIMEOUTS = 16;
export const TCP_THIN_DUPACK = 17;
export const TCP_USER_TIMEOUT = 18;
export const TCP_REPAIR = 19;
export const TCP_REPAIR_QUEUE = 20;
export const TCP_QUEUE_SEQ = 21;
export const TCP_REPAIR_OPTIONS = 22;
export const TCP_FASTOPEN = 23;
export const TCP_TIMESTAMP = 24;
export const TCP_NOTSENT_LOWAT = 25;
export const TCP_CC_INFO = 26;
export const TCP_SAVE_SYN = 27;
export const TCP_SAVED_SYN = 28;
export const TCP_REPAIR_WINDOW = 29;
export const TCP_FASTOPEN_CONNECT = 30;
export const TCP_ULP = 31;
export const TCP_MD5SIG_EXT = 32;
export const TCP_FASTOPEN_KEY = 33;
export const TCP_FASTOPEN_NO_COOKIE = 34;
export const TCP_ZEROCOPY_RECEIVE = 35;
export const TCP_INQ = 36;
export const TCP_CM_INQ = TCP_INQ;
export const TCP_TX_DELAY = 37;
export const TCP_IS_MPTCP = 43;
export const TCP_RTO_MAX_MS = 44;
export const TCP_RTO_MIN_US = 45;
export const TCP_DELACK_MAX_US = 46;

export const TCP_ESTABLISHED = 1;
export const TCP_SYN_SENT = 2;
export const TCP_SYN_RECV = 3;
export const TCP_FIN_WAIT1 = 4;
export const TCP_FIN_WAIT2 = 5;
export const TCP_TIME_WAIT = 6;
export const TCP_CLOSE = 7;
export const TCP_CLOSE_WAIT = 8;
export const TCP_LAST_ACK = 9;
export const TCP_LISTEN = 10;
export const TCP_CLOSING = 11;
export const TCP_NEW_SYN_RECV = 12;

/** Names by state number, as ss(8) and the kernel's traces spell them. */
export const TCP_STATE_NAMES: readonly string[] = [
  '',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'NEW_SYN_RECV',
];

/** Nothing is amiss. */
export const TCP_CA_Open = 0;
/** Something was selected, or acknowledged twice, and nothing counts as lost yet. */
export const TCP_CA_Disorder = 1;
/** The window is being reduced, and nothing is to be sent again: ECN, a full queue of the device's, a lost tail that its probe repaired. */
export const TCP_CA_CWR = 2;
/** What was lost is being sent again, and the window reduced. */
export const TCP_CA_Recovery = 3;
/** After a retransmission timeout (tcp_enter_loss), or a loss that was not congestion's (tcp_non_congestion_loss_retransmit). */
export const TCP_CA_Loss = 4;

/** Timestamps are agreed on (RFC 7323). */
export const TCPI_OPT_TIMESTAMPS = 1;
/** Selective acknowledgements are (RFC 2018). */
export const TCPI_OPT_SACK = 2;
/** Scaled windows are (RFC 7323). */
export const TCPI_OPT_WSCALE = 4;
/** ECN is, in either form (RFC 3168, RFC 9768). */
export const TCPI_OPT_ECN = 8;
/** A segment came that the network may mark, or had marked. */
export const TCPI_OPT_ECN_SEEN = 16;
/** The data of the SYN was acknowledged (Fast Open, RFC 7413). */
export const TCPI_OPT_SYN_DATA = 32;

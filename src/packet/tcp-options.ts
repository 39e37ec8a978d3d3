// TCP option kinds and lengths (RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413). Parsing them is the transport's.

export const TCPOPT_EOL = 0;
export const TCPOPT_NOP = 1;
export const TCPOPT_MSS = 2;
export const TCPOPT_WINDOW = 3;
export const TCPOPT_SACK_PERM = 4;
export const TCPOPT_SACK = 5;
export const TCPOPT_TIMESTAMP = 8;
export const TCPOPT_FASTOPEN = 34;

export const TCPOLEN_MSS = 4;
export const TCPOLEN_WINDOW = 3;
export const TCPOLEN_SACK_PERM = 2;
export const TCPOLEN_TIMESTAMP = 10;
/** Kind and length, before the blocks; and one block. */
export const TCPOLEN_SACK_BASE = 2;
export const TCPOLEN_SACK_PERBLOCK = 8;
export const TCPOLEN_FASTOPEN_BASE = 2;

/** The same, padded to words as Linux sends them. */
export const TCPOLEN_TSTAMP_ALIGNED = 12;
export const TCPOLEN_WSCALE_ALIGNED = 4;
export const TCPOLEN_SACKPERM_ALIGNED = 4;
export const TCPOLEN_SACK_BASE_ALIGNED = 4;
export const TCPOLEN_MSS_ALIGNED = 4;

/** Largest shift of the window (RFC 7323 section 2.3). */
export const TCP_MAX_WSCALE = 14;

/** NOP NOP kind length, as one word: the aligned timestamp option every established segment carries. */
export const TCPOPT_TSTAMP_WORD =
  (TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) | (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP;

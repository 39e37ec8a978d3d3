// What the command line says and both sides obey; the letters are the language page's.

export interface OracleOptions {
  /** -s: milliseconds before each observing or sending operation. */
  settleMs: number;
  /** -b: a call asleep for longer is interrupted; milliseconds. */
  blockedMs: number;
  /** -u: a wait's events sorted by data. */
  sort: boolean;
  /** -F: `ok` instead of `fd=N`. */
  hideFds: boolean;
  /** -q: results only. */
  results: boolean;
  /** -N: the kernel side stays in the namespace it is started in. */
  stay: boolean;
  /** -A: acknowledgements may be delayed. */
  delayedAck: boolean;
}

export const defaultOptions: Readonly<OracleOptions> = {
  settleMs: 3,
  blockedMs: 250,
  sort: false,
  hideFds: false,
  results: false,
  stay: false,
  delayedAck: false,
};

/** For generated scripts, whose calls sleep for ever or not at all: quicker, and as deterministic. */
export const randomOptions: Readonly<OracleOptions> = { ...defaultOptions, settleMs: 1, blockedMs: 60 };

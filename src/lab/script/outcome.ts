// How a script can end, and the reasons why: an expectation that was not met, or something that cannot be run here.

import type { Place } from './ast.js';

/** An expectation that was not met. */
export class Unmet extends Error {
  /** What the script wanted and what came instead, each in the script's own spelling; null where a sentence says it all. */
  readonly expected: string | null;
  readonly got: string | null;

  constructor(message: string, expected: string | null = null, got: string | null = null) {
    super(message);
    this.name = 'Unmet';
    this.expected = expected;
    this.got = got;
  }
}

/** Something a script needs that is not here, by name. */
export class NotHere extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'NotHere';
  }
}

/** One line of the exchange, for the ladder. */
export interface Rung {
  /** Microseconds of script time. */
  at: number;
  /** `<` injected, `>` left the stack, `?` left it and no line asked for it (yet), `call`, `command`. */
  side: '<' | '>' | '?' | 'call' | 'command';
  /** The packet or call, in the script's own spelling. */
  text: string;
  /** Of the script; null for what no line asked for. */
  line: number | null;
}

/** What became of one packet script. */
export interface ScriptResult {
  /** The script's file. */
  path: string;
  /** Skipped: it needs what is not here. */
  result: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped; empty if it passed. */
  reason: string;
  /** Line and column, from 1, of what failed or was not understood; null if there is none such. */
  place: Place | null;
  /** The event's text. */
  event: string | null;
  /** What the script wanted, in its own spelling; null where `reason` says it all. */
  expected: string | null;
  /** What came instead; null likewise. */
  got: string | null;
  /** What happened until then. Kept only of failures. */
  ladder: Rung[];
  /** Settings that the stack has no use for, and that were passed over. */
  notes: string[];
  /** Script time at the end, microseconds. */
  endedAt: number;
}

// Where a replay first differs from what was recorded.

/** The first difference between a session and its replay. */
export interface Difference {
  /** The event, counted from 1. */
  readonly event: number;
  /** What the event is. */
  readonly during: string;
  /** Microseconds of the recorded stack's clock. */
  readonly time: number;
  /** The byte of the journal at which the record stands. */
  readonly at: number;
  /** What differs. */
  readonly what: string;
  /** What it was then. */
  readonly recorded: string;
  /** What it is now. */
  readonly replayed: string;
}

/** Ends a replay from wherever in the stack it was noticed. */
export class Differs extends Error {
  readonly difference: Difference;

  constructor(difference: Difference) {
    super(`${difference.what}: recorded ${difference.recorded}, replayed ${difference.replayed}`);
    this.difference = difference;
  }
}

/** A value for people to read, on one line; what is long is cut. */
export function show(value: unknown): string {
  const text = JSON.stringify(value, (_key, each: unknown) => {
    if (each instanceof Uint8Array) return { bytes: each.length };
    if (each instanceof Set) return [...each];
    if (each instanceof AbortSignal) return 'signal';
    return typeof each === 'bigint' ? each.toString() : each;
  });
  return text ?? String(value);
}

/** Both as words; of two objects with the same keys only what differs. */
export function apart(recorded: unknown, replayed: unknown): [string, string] {
  if (!isRecord(recorded) || !isRecord(replayed)) return [show(recorded), show(replayed)];
  const keys = Object.keys(recorded).filter((key) => show(recorded[key]) !== show(replayed[key]));
  const of = (from: Record<string, unknown>): string =>
    show(Object.fromEntries(keys.map((key) => [key, from[key]])));
  return [of(recorded), of(replayed)];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

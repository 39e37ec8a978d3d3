// Replaying a session from its journal, to its end, to its first difference, or to an event or frame at which to look around.

import type { Stack } from '../stack.js';
import type { CongestionControl } from '../tcp/congestion/congestion.js';
import type { Difference } from './difference.js';
import { FINISH_FULL, type JournalHeader } from './format.js';
import { JournalReader } from './journal-reader.js';
import { foreignness } from './origin.js';
import { ReplayCapture } from './replay-capture.js';
import { Replayer } from './replayer.js';

/** How far a session is replayed, and with what. */
export interface ReplayOptions {
  /** Ends after this event (the first is 1). */
  untilEvent?: number;
  /** Ends after the event in which this frame comes or goes (the first is 1), counted as a capture of the session counts them. */
  untilFrame?: number;
  /** Congestion controls that the program registered. */
  controls?: readonly CongestionControl[];
  /** Where a capture of the replay goes (pcapng), each frame with what the stack made of it as a comment. */
  pcap?: string;
  /** Is told of each event before it happens: its number, what it is, and when it happened (microseconds of the recorded clock). */
  onEvent?: (number: number, text: string, time: number) => void;
  /** Is told before the first event if another version recorded the journal: `Replayed.foreign`. */
  onForeign?: (foreign: string) => void;
}

/** What came of a replay. */
export interface Replayed {
  /** What the recorded stack was made of, and of which version. */
  readonly header: JournalHeader;
  /**
   * Another version of tapstack recorded the journal, or another build of this one, or another kind of machine: a sentence that says so, since
   * differences may come from that. Null: the same did.
   */
  readonly foreign: string | null;
  /** The replayed stack as it was left: its `sockets()`, its counters. */
  readonly stack: Stack | null;
  /** Events that were replayed. */
  readonly events: number;
  /** Frames that were received and sent by it. */
  readonly frames: number;
  /** The first difference; null: everything went as it was recorded, byte for byte. */
  readonly difference: Difference | null;
  /**
   * `closed`: the recorded stack was. `full`: the journal was, and the session went on. `cut off`: the process was killed, or the file
   * is not whole. `stopped`: because the replay was to go no further, or went differently.
   */
  readonly end: 'closed' | 'full' | 'cut off' | 'stopped';
}

/**
 * Makes a recorded session happen again: the same frames in at the same times, the same calls, and all that the stack sends and returns
 * compared with what it did then. Needs no device and takes no longer than the work. @throws JournalError for a file that cannot be read
 */
export async function replaySession(path: string, options: ReplayOptions = {}): Promise<Replayed> {
  const reader = new JournalReader(path);
  try {
    return await replayAll(reader, options);
  } finally {
    reader.close();
  }
}

async function replayAll(reader: JournalReader, options: ReplayOptions): Promise<Replayed> {
  const { untilEvent = Number.POSITIVE_INFINITY, untilFrame = Number.POSITIVE_INFINITY } = options;
  const foreign = foreignness(reader.header);
  if (foreign !== null) options.onForeign?.(foreign);
  const replayer = new Replayer(reader);
  replayer.events.controls = options.controls ?? [];
  replayer.onEvent = options.onEvent ?? null;
  const capture = options.pcap === undefined ? null : new ReplayCapture(replayer, options.pcap);
  replayer.onlooker = capture;
  let going = true;
  try {
    while (going && replayer.event < untilEvent && replayer.frames < untilFrame)
      going = await replayer.step();
  } finally {
    const failed = capture?.close() ?? null;
    if (failed !== null) process.emitWarning(failed.message, { type: 'TapstackWarning' });
  }
  const { stack, event, frames, difference } = replayer;
  const whole = reader.finish === FINISH_FULL ? 'full' : reader.cutOff ? 'cut off' : 'closed';
  const end = going || difference !== null ? 'stopped' : whole;
  return { header: reader.header, foreign, stack, events: event, frames, difference, end };
}

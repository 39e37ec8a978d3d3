// `tapstack/replay`: a session recorded as it happens, and made to happen again.

export type { Difference } from './difference.js';
export type { JournalHeader, LinkHeader } from './format.js';
export { JournalError } from './journal-file.js';
export type { Origin } from './origin.js';
export { type RecordOptions, recordSession } from './record-session.js';
export { type Replayed, type ReplayOptions, replaySession } from './replay-session.js';

// What a journal is: a magic word, and records one after another, each a letter, a length and its bytes. docs/replay.md describes it.

import type { Origin } from './origin.js';

/** The first bytes of a journal; the last of them is the version of the format. */
export const MAGIC: Uint8Array = new TextEncoder().encode('tapstack journal\n');
export const FORMAT = 3;
/** So many bytes at once stand in a record of their own, and the record that tells of them says only where. */
export const LARGE = 4096;

const code = (letter: string): number => letter.charCodeAt(0);

/** What the stack is made of, as JSON; always the first record. */
export const HEADER = code('H');
/** How the recording ended; a journal without one was cut off. */
export const FINISH = code('.');

/** What other records refer to; nothing happens by it. */
export const DATA = code('D');

// What enters the stack: each an event, which lasts until END. Events stand inside one another only between OUTCALL and BACK.
export const CONSTRUCT = code('N');
export const CALL = code('c');
export const METHOD = code('m');
export const RECEIVE = code('r');
export const FLUSH = code('f');
export const LINK_DOWN = code('d');
export const ALARM = code('a');
/** Somebody asleep in epoll_wait runs, because he was woken. */
export const AWAKE = code('w');
/** A blocking call goes on. */
export const RESUME = code('s');
/** Loopback's turn at the end of a program's. */
export const SOON = code('l');
export const ABORT = code('b');
/** A program tells a listener what to do. */
export const STEER = code('g');

// What the stack asks of the outside, or does to it, meanwhile.
export const END = code('e');
export const TIME = code('t');
export const RANDOM = code('x');
export const SENT = code('o');
/** The NIC has taken frames from the transmit ring. */
export const TAKEN = code('k');
/** Where the rings of a link that is being attached came to lie. */
export const LAYOUT = code('y');
/** Whether the device had received anything. */
export const TOOK_IN = code('u');
export const OUTCALL = code('(');
export const BACK = code(')');
/** What a program said when it was asked. */
export const ANSWER = code('v');

// Between events.
/** The clock was looked at by somebody else. */
export const MOMENT = code('n');
/** A call that slept has returned. */
export const RETURN = code('p');

const EVENTS = new Set([
  CONSTRUCT,
  CALL,
  METHOD,
  RECEIVE,
  FLUSH,
  LINK_DOWN,
  ALARM,
  AWAKE,
  RESUME,
  SOON,
  ABORT,
  STEER,
]);
const OTHERS = new Set([
  HEADER,
  DATA,
  FINISH,
  END,
  TIME,
  RANDOM,
  SENT,
  TAKEN,
  LAYOUT,
  TOOK_IN,
  OUTCALL,
  BACK,
  ANSWER,
  MOMENT,
  RETURN,
]);

export function isEvent(type: number): boolean {
  return EVENTS.has(type);
}

export function isRecord(type: number): boolean {
  return EVENTS.has(type) || OTHERS.has(type);
}

/** METHODs that are none of Stack's. */
export const BATCH_DONE = 'onBatchDone';
export const RUN_TIMERS = 'runTimers';
/** The METHOD of a process that gives out a handle of a listener. Handles are numbered, from 1. */
export const LISTENER = 'listener';

/** Reasons to run programs inside an event. */
export const OUT_TAKE_IN = 1;
export const OUT_BATCH_DONE = 2;
export const OUT_LINK_DOWN = 3;
export const OUT_ON_SYN = 4;
export const OUT_SIGPIPE = 5;
export const OUT_EXIT = 6;

/** What a process calls where its program may have a callback, which may make calls. */
export const TELLS = [
  ['raiseSigpipe', OUT_SIGPIPE],
  ['tellExit', OUT_EXIT],
] as const;

/** How the recording ended. */
export const FINISH_CLOSED = 1;
export const FINISH_FULL = 2;

/** What a link is like, and its interface. */
export interface LinkHeader {
  /** The device's name. */
  name: string;
  /** Largest IP packet in bytes. */
  mtu: number;
  /** Six bytes. */
  mac: number[];
  /** LINK_F_* bits. */
  features: number;
  /** As `Link.runsPrograms`. */
  runsPrograms: boolean;
  /** With its prefix length. */
  address: string;
  /** As `InterfaceOptions.gateway`. */
  gateway?: string;
  /** As `InterfaceOptions.neighbours`. */
  neighbours?: Readonly<Record<string, string>>;
}

/** The first record: what the stack was made of. */
export interface JournalHeader extends Origin {
  /** The process. */
  pid: number;
  /** Unix time in microseconds of the clock's 0. */
  epoch: number;
  /** Where the clock stood. */
  recent: number;
  /** Whether the clock lets the event loop turn (`Clock.afterTurn`). */
  turns: boolean;
  /** Bytes of packet memory. */
  memory: number;
  /** Whether the edge-trigger doctor watched. */
  doctor: boolean;
  /** As `StackOptions.nofile`. */
  nofile?: number;
  /** As `StackOptions.sysctl`. */
  sysctl?: Readonly<Record<string, string | number | readonly number[]>>;
  /** As `StackOptions.routes`. */
  routes?: readonly Readonly<Record<string, unknown>>[];
  /** The interfaces, in order, without lo. */
  links: LinkHeader[];
}

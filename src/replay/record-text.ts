// Records of a journal in words, for whoever reads where a replay goes differently.

import { ByteReader } from './bytes.js';
import { FACES, type Face, readArguments } from './calls.js';
import { show } from './difference.js';
import {
  ABORT,
  ALARM,
  ANSWER,
  AWAKE,
  BACK,
  CALL,
  CONSTRUCT,
  END,
  FINISH,
  FLUSH,
  LAYOUT,
  LINK_DOWN,
  METHOD,
  MOMENT,
  OUTCALL,
  RANDOM,
  RECEIVE,
  RESUME,
  RETURN,
  SENT,
  SOON,
  STEER,
  TAKEN,
  TIME,
  TOOK_IN,
} from './format.js';
import { readSent } from './frames.js';
import type { JournalRecord } from './journal-reader.js';
import type { Values } from './values.js';

/** A call as it was made. */
export interface RecordedCall {
  readonly pid: number;
  readonly face: Face;
  readonly name: string;
  readonly args: unknown[];
}

export function readCall(values: Values, body: ByteReader): RecordedCall {
  const pid = body.unsigned();
  const face = FACES[body.byte()];
  const name = body.string();
  return { pid, face, name, args: readArguments(values, body, name) };
}

const NAMES: Readonly<Record<number, string>> = {
  [CONSTRUCT]: 'the stack is made',
  [FLUSH]: 'the end of a batch',
  [ALARM]: 'a timer',
  [AWAKE]: 'an epoll_wait wakes',
  [RESUME]: 'a blocking call goes on',
  [SOON]: 'the end of a turn of loopback',
  [ABORT]: 'a signal is aborted',
  [LINK_DOWN]: 'a link is gone',
  [END]: 'the end of the event',
  [TIME]: 'the stack looks at the clock',
  [RANDOM]: 'the stack draws a random number',
  [TAKEN]: 'the NIC takes frames',
  [LAYOUT]: 'the rings of a link are laid out',
  [TOOK_IN]: 'the device is read',
  [OUTCALL]: 'the stack gives way to programs',
  [ANSWER]: 'a program answers',
  [BACK]: 'programs give way to the stack',
  [MOMENT]: 'the clock has gone on',
  [RETURN]: 'a call that slept has returned',
  [FINISH]: 'the end of the journal',
};

/** One record, which stays to be read. */
export function recordText({ type, body }: JournalRecord, values: Values): string {
  const again = new ByteReader(body.bytes);
  switch (type) {
    case CALL:
      return callText(readCall(values, again));
    case METHOD:
      again.unsigned();
      return `${again.string()}(${(values.read(again) as unknown[]).map(show).join(', ')})`;
    case STEER: {
      const number = again.unsigned();
      return `listener ${number}: ${again.string()} ${show(values.read(again))}`;
    }
    case RECEIVE: {
      again.unsigned();
      const count = again.unsigned();
      return count === 1 ? 'a frame is received' : `${count} frames are received`;
    }
    case SENT:
      return `a frame is sent ${show(readSent(again))}`;
    default:
      return NAMES[type] ?? `a record ${String.fromCharCode(type)}`;
  }
}

function callText({ face, name, args }: RecordedCall): string {
  const shown = args.map((each, at) =>
    at === 1 && Array.isArray(each) ? `${each.length} of them` : show(each),
  );
  return `${face === 'blocking' ? 'blocking ' : ''}${name}(${shown.join(', ')})`;
}

// The replayer: enters the stack as the journal says, in its order, and answers what the stack asks as it was answered then. The first
// thing that goes differently ends it.

import type { PacketMemory } from '../memory/packet-memory.js';
import type { Stack } from '../stack.js';
import type { SynVerdict } from '../tcp/listen/steering.js';
import { ByteReader, ByteWriter } from './bytes.js';
import { apart, type Difference, Differs } from './difference.js';
import {
  ANSWER,
  BACK,
  CALL,
  END,
  FINISH,
  isEvent,
  MOMENT,
  OUT_ON_SYN,
  OUTCALL,
  RETURN,
  SENT,
  TAKEN,
} from './format.js';
import { JournalError } from './journal-file.js';
import type { JournalReader, JournalRecord } from './journal-reader.js';
import { recordText } from './record-text.js';
import { ANSWERS } from './recording-listener.js';
import { ReplayClock } from './replay-clock.js';
import { ReplayEvents } from './replay-events.js';
import { ReplayLink } from './replay-link.js';
import { inTurn, runMicrotasks } from './turns.js';
import { Values } from './values.js';

/** Sees frames and events as they come. */
export interface Onlooker {
  /** An event begins. */
  begins(number: number, text: () => string): void;
  ends(): void;
  received(link: ReplayLink, memory: PacketMemory, descriptors: Int32Array): void;
  sent(link: ReplayLink, memory: PacketMemory, at: number): void;
}

/** The program's hook threw, or gave no valid answer; its exception was its own process's. */
export class Unanswered extends Error {}

/** There is no more of the journal. */
class Ended extends Error {
  constructor() {
    super(
      'the journal has ended, or its replay was stopped: nothing says what the stack would be answered now',
    );
  }
}

/** So many microtasks are waited for what must happen in one. */
const PATIENCE = 1000;

export class Replayer {
  readonly reader: JournalReader;
  readonly values: Values;
  readonly clock: ReplayClock;
  readonly links: ReplayLink[];
  readonly events: ReplayEvents;
  stack: Stack | null = null;
  /** Inside an event: what the stack asks for is in the journal. */
  during = false;
  /** Events so far, and frames in and out. */
  event = 0;
  frames = 0;
  difference: Difference | null = null;
  onlooker: Onlooker | null = null;
  onEvent: ((number: number, text: string, time: number) => void) | null = null;
  #current: JournalRecord | null = null;
  #thrown: Error | null = null;
  #ended = false;
  readonly #outcome = new ByteWriter();
  /** Calls that returned inside an event, where nobody could wait for it. */
  readonly #returned: JournalRecord[] = [];

  constructor(reader: JournalReader) {
    this.reader = reader;
    this.values = new Values(undefined, (at, length) => reader.data(at, length));
    this.clock = new ReplayClock(reader.header, this);
    this.links = reader.header.links.map((link, number) => new ReplayLink(link, this, number));
    this.events = new ReplayEvents(this);
  }

  /** The next event and what stands before it; false: there is none, or something differs. */
  async step(): Promise<boolean> {
    try {
      await this.#returns();
      for (let record = this.reader.next(); record !== null; record = this.reader.next()) {
        if (!this.#between(record)) {
          await this.#eventOf(record);
          return true;
        }
        await this.#returns();
      }
    } catch (error) {
      // Whoever looks at the stack from now on asks for what no journal has.
      this.during = false;
      // Or what the stack threw because of one of these before.
      if (this.#over) return false;
      throw error instanceof JournalError ? error : this.#damaged(error as Error);
    }
    return false;
  }

  /** It has gone differently, or the journal has ended in the midst of an event. */
  get #over(): boolean {
    return this.difference !== null || this.#ended;
  }

  #damaged(cause: Error): JournalError {
    return new JournalError(
      'DAMAGED',
      `${this.reader.path} is damaged: what follows event ${this.event} cannot be done again (${cause.message}).`,
      cause,
    );
  }

  async #eventOf(record: JournalRecord): Promise<void> {
    const ready = this.events.waits(record);
    if (ready !== null) {
      for (let n = 0; !ready() && n < PATIENCE; n++) await null;
      if (!ready()) this.#differ(record.at, 'the order', this.#textOf(record), 'nobody was woken for it');
    }
    this.#begin(record);
    if (this.events.resumes(record)) {
      // The microtask in which it goes on, and nothing else.
      this.during = true;
      this.events.run(record);
      await null;
      this.during = false;
      this.#goOn();
      this.#outcome.clear();
      this.compare(END, 'what came of it', this.#outcome, () => []);
    } else if (this.events.givesWay) await inTurn(() => this.#run(record));
    else this.#run(record);
    this.onlooker?.ends();
    await null;
    this.#goOn();
  }

  /** What was thrown inside the stack need not have come out of it. */
  #goOn(): void {
    if (this.difference !== null) throw new Differs(this.difference);
    if (this.#ended) throw new Ended();
    if (this.#thrown !== null) throw this.#thrown;
  }

  #begin(record: JournalRecord): void {
    this.event++;
    this.#current = record;
    this.onlooker?.begins(this.event, () => recordText(record, this.values));
    this.onEvent?.(this.event, recordText(record, this.values), this.clock.recent);
  }

  #run(record: JournalRecord): void {
    this.during = true;
    const outcome = new ByteWriter();
    let shown: (from: ByteReader) => unknown = () => 'nothing';
    try {
      shown = this.events.run(record)?.(outcome) ?? shown;
      // It goes on in a microtask, here inside of another event.
      if (this.events.resumes(record)) runMicrotasks();
    } catch (error) {
      if (error instanceof JournalError || this.#over) throw error;
      outcome.string(String(error));
      shown = (from) => from.string();
    }
    this.during = false;
    // A callback of the program's has thrown, through the call.
    if (record.type === CALL && this.reader.peek()?.body.left === 0) outcome.clear();
    this.compare(END, 'what came of it', outcome, shown);
  }

  /** What stands between events; false: this is one. */
  #between(record: JournalRecord): boolean {
    const { type, body } = record;
    if (isEvent(type)) return false;
    if (type === TAKEN) this.links[body.unsigned()].taken(body.int32());
    else if (type === RETURN) this.#returned.push(record);
    else if (type === MOMENT) {
      this.clock.recent = body.unsigned();
      const [us, ms] = [body.int32(), body.int32()];
      if (this.stack !== null) Object.assign(this.stack.host, { nowUs: us, nowMs: ms });
    } else if (type === SENT) {
      const why =
        'a frame, by something that is not recorded: only calls of processes and methods of Stack are';
      this.#differ(record.at, 'what happens between events', why, 'nothing');
    } else if (type !== FINISH) throw this.reader.damaged(record.at, new Error('it is part of no event'));
    return true;
  }

  /** The stack lets programs run: what they did then. */
  outcall(why: number): void {
    if (!this.during) return;
    const body = this.expect(OUTCALL, 'the stack gives way to programs');
    this.same('why the stack gives way to programs', body.byte(), why);
    for (let record = this.#next(); record.type !== BACK; record = this.#next()) {
      if (this.#between(record)) continue;
      this.during = false;
      const outer = this.#current;
      if (this.events.waits(record) !== null) runMicrotasks();
      this.#begin(record);
      this.#run(record);
      this.onlooker?.ends();
      this.#current = outer;
    }
    this.during = true;
  }

  /** A listener asks its program about a SYN: what that said then. Throws where it threw. */
  readonly asked = (): SynVerdict => {
    this.outcall(OUT_ON_SYN);
    const verdict = ANSWERS[this.expect(ANSWER, 'a program is asked about a SYN').byte()];
    if (verdict === undefined || verdict === 'nothing valid') throw new Unanswered();
    return verdict;
  };

  /** What `asked` threw: the stack does not let it through. */
  threw(error: unknown): void {
    if (!(error instanceof Unanswered || error instanceof Differs || error instanceof Ended))
      this.#thrown ??= error as Error;
  }

  /** What calls that slept have returned meanwhile. */
  async #returns(): Promise<void> {
    for (const returned of this.#returned.splice(0)) await this.#awaitReturn(returned);
  }

  async #awaitReturn({ at, body }: JournalRecord): Promise<void> {
    const call = this.events.calls.get(body.unsigned());
    for (let n = 0; call !== undefined && !call.settled && n < PATIENCE; n++) await null;
    if (call === undefined || !call.settled)
      return this.#differ(at, 'a call that slept', 'it returned', 'it sleeps on');
    const outcome = this.#outcome.clear();
    call.write(outcome);
    this.#compare(at, body, `what ${call.text} returned`, outcome, call.show);
  }

  /** The record that must come next, if the stack does what it did. */
  expect(type: number, what: string): ByteReader {
    const record = this.#next();
    if (record.type === type) return record.body;
    return this.#differ(record.at, 'what happens next', recordText(record, this.values), what);
  }

  /** In the midst of an event. The journal may end there, and so does the replay then: it was full, or its process was killed. */
  #next(): JournalRecord {
    const record = this.reader.next();
    if (record !== null && record.type !== FINISH) return record;
    this.#ended = true;
    throw new Ended();
  }

  /** The next record must be of this type and bytes. */
  compare(type: number, what: string, replayed: ByteWriter, shown: (from: ByteReader) => unknown): void {
    const { at } = this.reader.peek() ?? { at: 0 };
    this.#compare(at, this.expect(type, what), what, replayed, shown);
  }

  #compare(
    at: number,
    recorded: ByteReader,
    what: string,
    replayed: ByteWriter,
    shown: (from: ByteReader) => unknown,
  ): void {
    const expected = recorded.bytes.subarray(recorded.at);
    const { written } = replayed;
    if (expected.length === written.length && expected.every((byte, i) => byte === written[i])) return;
    const [before, now] = [expected, written.slice()].map((bytes) => this.#shown(bytes, shown));
    this.#differ(at, what, ...apart(before, now));
  }

  #shown(bytes: Uint8Array, shown: (from: ByteReader) => unknown): unknown {
    try {
      return shown(new ByteReader(bytes));
    } catch {
      return `${bytes.length} bytes that make no sense`;
    }
  }

  #textOf(record: JournalRecord): string {
    try {
      return recordText(record, this.values);
    } catch {
      return 'an event that makes no sense';
    }
  }

  same(what: string, recorded: number, replayed: number): void {
    if (recorded !== replayed) this.#differ(0, what, String(recorded), String(replayed));
  }

  nextIs(type: number): boolean {
    return this.reader.peek()?.type === type;
  }

  /** The NIC takes frames now, as it did. */
  takes(): void {
    while (this.nextIs(TAKEN)) this.#between(this.reader.next() as JournalRecord);
  }

  received(link: ReplayLink, memory: PacketMemory, descriptors: Int32Array): void {
    this.frames += descriptors.length / 4;
    this.onlooker?.received(link, memory, descriptors);
  }

  sent(link: ReplayLink, memory: PacketMemory, at: number): void {
    this.frames++;
    this.onlooker?.sent(link, memory, at);
  }

  #differ(at: number, what: string, recorded: string, replayed: string): never {
    const { event, clock } = this;
    const during = this.#current === null ? 'before the first event' : this.#textOf(this.#current);
    this.difference ??= { event, during, time: clock.recent, at, what, recorded, replayed };
    throw new Differs(this.difference);
  }
}

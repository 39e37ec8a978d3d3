// `tapstack replay`: makes a recorded session happen again, and says where it went differently, or how things stood at some event or frame.

import type { Command } from 'commander';
import type { SocketDetail } from '../control/protocol.js';
import { SocketDetails } from '../control/socket-details.js';
import { onTrace } from '../core/trace.js';
import { JournalError, type Replayed, replaySession } from '../replay/index.js';
import { Refusal } from './refusal.js';
import { listing } from './ss.js';
import { RelativeSeq, stepText } from './trace-path.js';
import { someNumber } from './which-stack.js';

interface ReplayOptions {
  until?: number;
  frame?: number;
  from: number;
  events: boolean;
  trace: boolean;
  sockets: boolean;
  pcap?: string;
  json: boolean;
}

export function registerReplay(program: Command): void {
  program
    .command('replay')
    .description('make a recorded session happen again, byte for byte, and say where it goes differently')
    .argument('<file>', 'a journal, as --record writes it')
    .option('--until <event>', 'stop after this event (the first is 1), and show the sockets', someNumber)
    .option('--frame <number>', 'stop after this frame of a capture of the session', someNumber)
    .option('--from <event>', 'print events and traces from this event on', someNumber, 1)
    .option('--events', 'print every event: its number, its time, what it is', false)
    .option('--trace', 'print what the stack does, by the names of the kernel functions', false)
    .option('--sockets', 'show the sockets at the end, as ss -tuanpemio does', false)
    .option('--pcap <file>', 'capture the replay; comments say what the stack made of each frame')
    .option('-J, --json', 'what came of it as JSON; no events, no traces', false)
    .action((file: string, options: ReplayOptions) => replay(file, options));
}

async function replay(file: string, options: ReplayOptions): Promise<void> {
  const print = new Printer(options);
  try {
    const replayed = await replaySession(file, {
      ...(options.until === undefined ? {} : { untilEvent: options.until }),
      ...(options.frame === undefined ? {} : { untilFrame: options.frame }),
      ...(options.pcap === undefined ? {} : { pcap: options.pcap }),
      ...(print.wanted ? { onEvent: print.event } : {}),
      onForeign: (foreign) => void process.stderr.write(`tapstack: ${file}: ${foreign}\n`),
    });
    print.stop();
    tell(file, replayed, options);
    if (replayed.difference !== null) process.exitCode = 1;
  } catch (error) {
    if (error instanceof JournalError) throw new Refusal(error.message, [], 2, error);
    if ((error as Error).message.startsWith('Cannot capture'))
      throw new Refusal((error as Error).message, [], 1, error);
    throw error;
  } finally {
    print.stop();
  }
}

/** Events and traces, from the first that is wanted on. */
class Printer {
  readonly wanted: boolean;
  readonly #options: ReplayOptions;
  readonly #relative = new RelativeSeq();
  #stop = (): void => {};
  #tracing = false;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.wanted = (options.events || options.trace) && !options.json;
  }

  readonly event = (number: number, text: string, time: number): void => {
    const { from, trace } = this.#options;
    if (number < from) return;
    process.stdout.write(`${stamp(time)}  ${number}  ${text}\n`);
    if (!trace || this.#tracing) return;
    this.#tracing = true;
    this.#stop = onTrace((name, message) =>
      process.stdout.write(`${' '.repeat(14)}${stepText(name, message, this.#relative)}\n`),
    );
  };

  stop(): void {
    this.#stop();
  }
}

function tell(file: string, replayed: Replayed, options: ReplayOptions): void {
  const { header, foreign, stack, events, frames, difference, end } = replayed;
  const stopped = options.until !== undefined || options.frame !== undefined;
  const sockets =
    stack !== null && (options.sockets || stopped || difference !== null)
      ? new SocketDetails(stack).list()
      : [];
  if (options.json) {
    const all = { header, foreign, events, frames, end, difference, sockets };
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    return;
  }
  if (sockets.length > 0) process.stdout.write(`${socketText(sockets, header.pid)}\n`);
  const links = header.links.map(({ name, address }) => `${name} ${address}`).join(', ');
  process.stdout.write(
    `${file}: recorded by tapstack ${header.version} on Node ${header.node}${links === '' ? '' : `, ${links}`}\n`,
  );
  process.stdout.write(`${summary(events, frames, difference === null, end)}\n`);
  if (difference === null) return;
  const { event, during, time, what, recorded, replayed: now, at } = difference;
  process.stdout.write(
    [
      `It goes differently at event ${event}, ${during}, at ${stamp(time).trim()} s (byte ${at} of the journal): ${what}`,
      `  recorded  ${recorded}`,
      `  replayed  ${now}`,
      '',
    ].join('\n'),
  );
}

const ENDS: Readonly<Record<Replayed['end'], string>> = {
  closed: 'to the end of the session',
  full: 'until the journal was full',
  'cut off': 'until the journal is cut off',
  stopped: 'and stopped there',
};

function summary(events: number, frames: number, same: boolean, end: Replayed['end']): string {
  const how = same ? `the same, byte for byte, ${ENDS[end]}` : 'up to a difference';
  return `${events} events and ${frames} frames replayed: ${how}.`;
}

function socketText(sockets: readonly SocketDetail[], pid: number): string {
  const which = { tcp: true, udp: true, listening: false, all: true, numeric: false };
  const what = { processes: true, extended: true, memory: true, info: true, options: true };
  return listing(sockets, true, { ...which, ...what, oneline: false, header: true }, pid);
}

/** Seconds of the recorded stack's clock. */
function stamp(us: number): string {
  return (us / 1e6).toFixed(6).padStart(12);
}

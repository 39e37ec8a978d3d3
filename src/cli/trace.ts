// `tapstack trace`: what a running stack does, call by call, while one looks on.

import type { Socket } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import { follow } from '../control/client.js';
import type { TraceLine } from '../control/protocol.js';
import { type TraceMessage, type TraceName, traceNames } from '../core/trace.js';
import { endOnSignal } from './feed-end.js';
import { port } from './options.js';
import { Refusal } from './refusal.js';
import { RelativeSeq, stepText } from './trace-path.js';
import { addWhichOptions, someNumber, talk, type WhichOptions, whichStack } from './which-stack.js';

interface TraceOptions extends WhichOptions {
  list: boolean;
  port?: number;
  count?: number;
  json: boolean;
}

export function registerTrace(program: Command): void {
  const command = program
    .command('trace')
    .description('what a running stack does, by the names of the kernel functions; Ctrl-C ends it')
    .argument(
      '[point...]',
      'trace points (tcp_set_state, ep_poll_callback …); all unless given',
      traceName,
      [],
    )
    .option('--list', 'the points there are', false)
    .option('--port <number>', 'what concerns this port, of either end', port)
    .option('-c, --count <number>', 'end after so many events', someNumber)
    .option('-J, --json', 'a JSON object for each event', false);
  addWhichOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((points: string[], options: TraceOptions) => trace(points, options));
}

const EXAMPLES = `
Examples:
  $ tapstack trace
  $ tapstack trace tcp_set_state kfree_skb --port 80
  $ tapstack trace --json -c 100 --name echo`;

function traceName(name: string, before: string[]): string[] {
  if (!(traceNames() as string[]).includes(name))
    throw new InvalidArgumentError(`There is no such trace point; tapstack trace --list names them.`);
  return [...before, name];
}

async function trace(points: string[], { list, port, count, json, ...which }: TraceOptions): Promise<void> {
  if (list) {
    const names = traceNames();
    process.stdout.write(json ? `${JSON.stringify(names, null, 2)}\n` : `${names.join('\n')}\n`);
    return;
  }
  const request = { method: 'trace' as const, port, ...(points.length > 0 ? { points } : {}) };
  const stack = await whichStack(which);
  const socket = await talk(stack, (path) => follow(path, request));
  endOnSignal(socket);
  const relative = new RelativeSeq();
  let left = count ?? Number.POSITIVE_INFINITY;
  let over = false;
  for await (const text of lines(socket)) {
    const line = JSON.parse(text) as TraceLine;
    if (line.point === 'dropped') {
      over = true;
      if (line.count !== 0)
        process.stderr.write(`${line.count} events came faster than they were read, and are missing.\n`);
    } else if (left > 0) {
      process.stdout.write(json ? `${text}\n` : `${stamp(line.time)}  ${describe(line, relative)}\n`);
      if (--left === 0) socket.end();
    }
  }
  socket.destroy();
  if (!over)
    throw new Refusal(`The stack of process ${stack.pid} (${stack.name}) has ended; so does its trace.`);
}

/** Whole lines, until the other side ends, or is gone. */
async function* lines(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const piece of socket.setEncoding('utf8') as AsyncIterable<string>) {
      const whole = (rest + piece).split('\n');
      rest = whole.pop() ?? '';
      yield* whole;
    }
  } catch {
    // Its program's end; what it has said is here.
  }
}

function describe(line: TraceLine, relative: RelativeSeq): string {
  const message = { host: null, ...line } as unknown as TraceMessage;
  const { local, peer } = line;
  const ends = local === undefined || line.point === 'tcp_v4_rcv' ? '' : `  [${local} ${peer}]`;
  return `${stepText(line.point as TraceName, message, relative)}${ends}`;
}

/** Seconds of the stack's clock. */
function stamp(us: number): string {
  return (us / 1e6).toFixed(6).padStart(12);
}

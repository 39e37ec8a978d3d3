// `tapstack capture`: records what passes a running stack's links, as pcapng, to a file or to whoever reads along.

import { createWriteStream } from 'node:fs';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import { follow } from '../control/client.js';
import type { CaptureEnd } from '../control/protocol.js';
import { TAPSTACK } from './called.js';
import { endOnSignal } from './feed-end.js';
import { Refusal } from './refusal.js';
import { addWhichOptions, someNumber, talk, type WhichOptions, whichStack } from './which-stack.js';

interface CaptureOptions extends WhichOptions {
  count?: number;
  snaplen?: number;
  interface?: string[];
  quiet: boolean;
}

export function registerCapture(program: Command): void {
  const command = program
    .command('capture')
    .description('record what passes the links of a running stack, as pcapng; Ctrl-C ends it')
    .argument('<file>', 'where to; - is standard output')
    .option('-c, --count <number>', 'end after so many frames', someNumber)
    .option('-s, --snaplen <bytes>', 'keep so much of each frame', someNumber)
    .option('-i, --interface <name...>', 'these interfaces only (lo, tap0 …)')
    .option('-q, --quiet', 'do not say how many there were', false);
  addWhichOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: CaptureOptions) => capture(file, options));
}

const EXAMPLES = `
Examples:
  $ tapstack capture - | tshark -r -
  $ tapstack capture -c 100 -s 128 /tmp/echo.pcapng --name echo
  $ tapstack capture -i lo - | tcpdump -nr -`;

async function capture(file: string, options: CaptureOptions): Promise<void> {
  const { count, snaplen, interface: interfaces, quiet, ...which } = options;
  if (file === '-' && process.stdout.isTTY)
    throw new Refusal(
      'A capture is nothing to read on a terminal.',
      [`pipe it: ${TAPSTACK} capture - | tshark -r -`],
      2,
    );
  const stack = await whichStack(which);
  const target = file === '-' ? process.stdout : await open(file);
  const request = { method: 'capture' as const, count, snaplen, ...(interfaces ? { interfaces } : {}) };
  const socket = await talk(stack, (path) => follow(path, request));
  endOnSignal(socket);
  // A reader that has had enough (`tshark -c 1`) ends it as Ctrl-C does.
  target.on('error', () => socket.destroy());
  const end = await receive(socket, target);
  if (file !== '-') await new Promise<void>((resolve) => target.end(() => resolve()));
  const { errored } = target;
  // Whoever reads along may leave at any time; a file has to be whole.
  if (errored !== null && (errored as NodeJS.ErrnoException).code !== 'EPIPE')
    throw new Refusal(
      `The capture is cut short: ${file} cannot be written (${errored.message}).`,
      [],
      1,
      errored,
    );
  if (errored !== null) return;
  if (end === null)
    throw new Refusal(`The stack of process ${stack.pid} (${stack.name}) has ended; so does its capture.`);
  if (!quiet) process.stderr.write(`${end.frames} frames captured, ${end.dropped} dropped\n`);
}

async function open(file: string): Promise<Writable> {
  const stream = createWriteStream(file);
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve());
    stream.once('error', (error) =>
      reject(new Refusal(`Cannot capture to ${file}: ${error.message}.`, [], 1, error)),
    );
  });
  return stream;
}

/** Pieces of the file to `target`; what the other side says at last, or null if it has just gone. */
async function receive(socket: Socket, target: Writable): Promise<CaptureEnd | null> {
  let rest: Buffer = Buffer.alloc(0);
  let end = '';
  let ended = false;
  try {
    for await (const piece of socket as AsyncIterable<Buffer>) {
      if (ended) {
        end += piece.toString('utf8');
        continue;
      }
      rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      while (!ended && rest.length >= 4) {
        const length = rest.readUInt32BE(0);
        if (length === 0) {
          ended = true;
          end = rest.toString('utf8', 4);
        } else if (rest.length < 4 + length) break;
        else {
          if (!target.write(rest.subarray(4, 4 + length))) await drained(target, socket);
          rest = rest.subarray(4 + length);
        }
      }
    }
  } catch {
    // Destroyed by us, because nobody reads any more, or by its program's end.
  }
  socket.destroy();
  return ended && end.endsWith('\n') ? (JSON.parse(end) as CaptureEnd) : null;
}

function drained(target: Writable, socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    target.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}

// The options of `tapstack wan`, with the units people think in, and what they mean to the lab's fault model.

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PipeOptions } from '../lab/pipe-options.js';
import type { QueueOptions } from '../lab/queue.js';
import { areNeighbours, type Cidr, formatCidr, neighbourOf, parseCidr } from '../net/cidr.js';
import { deviceName, namespaceName } from './options.js';
import { Refusal } from './refusal.js';
import type { Directions } from './wan-pipes.js';

export interface WanEndOptions {
  tap: string;
  netns: string;
  address: Cidr;
}

export interface WanOptions {
  a: WanEndOptions;
  b: WanEndOptions;
  faults: Directions<PipeOptions>;
  mtu: number;
  seed: number;
  pcap: string | undefined;
  /** Seconds; undefined: until something ends it. */
  duration: number | undefined;
  /** Microseconds. */
  busyPoll: number;
  quiet: boolean;
}

interface Burst {
  toBad: number;
  toGood: number;
  inBad: number;
  inGood: number;
}

interface Given {
  tapA: string;
  tapB: string;
  netnsA: string;
  netnsB: string;
  addressA?: Cidr;
  addressB?: Cidr;
  delay?: Directions<number>;
  jitter?: Directions<number>;
  loss?: Directions<number>;
  burst?: Directions<Burst>;
  duplicate?: Directions<number>;
  reorder?: Directions<number>;
  reorderBy?: Directions<number>;
  corrupt?: Directions<number>;
  rate?: Directions<number>;
  queue?: Directions<number>;
  qdisc?: Directions<NonNullable<QueueOptions['discipline']>>;
  mtu: number;
  seed: number;
  pcap?: string;
  duration?: number;
  busyPoll: number;
  quiet: boolean;
}

const DISCIPLINES = ['tail', 'codel', 'red'] as const;
/** The widest a TAP takes, and the least IPv4 allows (RFC 791). */
const MTU_MAX = 65521;
const MTU_MIN = 68;
const MINUTE_MS = 60_000;
const BUSY_POLL_MAX_US = 10_000;
const DEFAULT_ADDRESS = '10.1.0.1/24';

const percent = both(ratio);
const milliseconds = both((text) => Math.round(decimal(text, 0, MINUTE_MS, 'milliseconds') * 1000));

export function addWanOptions(command: Command): Command {
  const ends = (['a', 'b'] as const).map((end) => [end, end.toUpperCase()] as const);
  for (const [end, name] of ends)
    command.option(
      `--netns-${end} <name>`,
      `network namespace of ${name} (made if absent)`,
      namespaceName,
      `wan-${end}`,
    );
  for (const [end, name] of ends)
    command.option(
      `--address-${end} <cidr>`,
      `address of ${name} (default: 10.1.0.${end === 'a' ? 1 : 2}/24)`,
      cidr,
    );
  for (const [end, name] of ends)
    command.option(`--tap-${end} <name>`, `TAP device in ${name}'s namespace`, deviceName, `tap-${end}`);
  return command
    .option('--delay <ms>', 'one-way delay', milliseconds)
    .option('--jitter <ms>', 'up to so much more, at random; frames keep their order', milliseconds)
    .option('--loss <percent>', 'frames lost, each by chance', percent)
    .option('--burst <percents>', 'frames lost in bursts: TO_BAD,TO_GOOD[,IN_BAD[,IN_GOOD]]', both(burst))
    .option('--duplicate <percent>', 'frames that arrive twice', percent)
    .option('--reorder <percent>', 'frames held back so that others overtake them', percent)
    .option('--reorder-by <ms>', 'how long those are held back (default: 1)', milliseconds)
    .option('--corrupt <percent>', 'frames of which one bit is turned over', percent)
    .option('--rate <mbit>', 'bandwidth in Mbit/s (default: without limit)', both(bandwidth))
    .option('--queue <frames>', 'frames that may wait for the bandwidth (default: 1000)', both(queueLength))
    .option('--qdisc <name>', 'how that queue drops: tail, codel or red (default: tail)', both(discipline))
    .addOption(new Option('--mtu <bytes>', 'largest IP packet').argParser(mtu).default(1500))
    .addOption(new Option('--seed <number>', 'what all chance follows from').argParser(seed).default(1))
    .option(
      '--pcap <file>',
      'record every frame at both ends: FILE.pcapng makes FILE-a.pcapng and FILE-b.pcapng',
    )
    .option('--duration <seconds>', 'end after so long', duration)
    .addOption(
      new Option('--busy-poll <us>', 'look for an answer for so many microseconds before napping')
        .argParser((text) => Math.round(decimal(text, 0, BUSY_POLL_MAX_US, 'microseconds')))
        .default(0),
    )
    .option('--quiet', 'one line when it is ready, nothing else', false)
    .addHelpText(
      'after',
      '\nOne value is for both directions; two with a slash are for A to B and for B to A: --rate 100/10.',
    );
}

/** Works out what was asked for, and refuses what contradicts itself. */
export function wanOptions(command: Command): WanOptions {
  const given = command.opts<Given>();
  const a = given.addressA ?? (given.addressB ? neighbourOf(given.addressB) : cidr(DEFAULT_ADDRESS));
  const b = given.addressB ?? neighbourOf(a);
  refuseContradictions(given, a, b);
  return {
    a: { tap: given.tapA, netns: given.netnsA, address: a },
    b: { tap: given.tapB, netns: given.netnsB, address: b },
    faults: { ab: pipeOptions(given, 'ab'), ba: pipeOptions(given, 'ba') },
    mtu: given.mtu,
    seed: given.seed,
    pcap: given.pcap,
    duration: given.duration,
    busyPoll: given.busyPoll,
    quiet: given.quiet,
  };
}

function pipeOptions(given: Given, way: 'ab' | 'ba'): PipeOptions {
  const rate = given.rate?.[way];
  const queue = { discipline: given.qdisc?.[way] ?? 'tail', frames: given.queue?.[way] ?? 1000 } as const;
  return {
    delayUs: given.delay?.[way] ?? 0,
    jitterUs: given.jitter?.[way] ?? 0,
    loss: given.burst?.[way] ?? given.loss?.[way] ?? 0,
    duplicate: given.duplicate?.[way] ?? 0,
    reorder: given.reorder?.[way] ?? 0,
    reorderUs: given.reorderBy?.[way] ?? 1000,
    corrupt: given.corrupt?.[way] ?? 0,
    ...(rate === undefined ? {} : { bandwidth: rate, queue }),
  };
}

function refuseContradictions(given: Given, a: Cidr, b: Cidr): void {
  if (!areNeighbours(a, b)) {
    const why = a.address === b.address ? 'they are the same address' : 'they are not in one network';
    throw new Refusal(
      `A at ${formatCidr(a)} and B at ${formatCidr(b)} cannot reach each other: ${why}.`,
      [
        `give both ends of one network: --address-a ${formatCidr(a)} --address-b ${formatCidr(neighbourOf(a))}`,
      ],
      2,
    );
  }
  if (given.netnsA === given.netnsB) {
    throw new Refusal(
      `A and B cannot both be in the network namespace ${given.netnsA}: the kernel would never send a frame from one to the other.`,
      ['one of its own for each: --netns-a NAME --netns-b NAME'],
      2,
    );
  }
  if (given.loss !== undefined && given.burst !== undefined)
    throw new Refusal(
      'Frames are lost either one by one (--loss) or in bursts (--burst).',
      ['to lose some between the bursts too, give --burst its fourth number: --burst 1,25,100,0.1'],
      2,
    );
  if (given.rate === undefined && (given.queue !== undefined || given.qdisc !== undefined))
    throw new Refusal('A queue is only ever filled by a limited bandwidth.', ['limit it: --rate 10'], 2);
  if (given.reorder === undefined && given.reorderBy !== undefined)
    throw new Refusal('No frame is held back without --reorder.', ['say how many: --reorder 1'], 2);
}

/** Reads a value for both directions, or two with a slash between them. */
function both<T>(parse: (text: string) => T): (text: string) => Directions<T> {
  return (text) => {
    const parts = text.split('/');
    if (parts.length > 2) throw new InvalidArgumentError('It is one value, or two: A to B / B to A.');
    return { ab: parse(parts[0]), ba: parse(parts[parts.length - 1]) };
  };
}

function decimal(text: string, least: number, most: number, unit: string): number {
  const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(
    `It is a number from ${least} to ${most}${unit === '' ? '' : ` (${unit})`}.`,
  );
}

function whole(text: string, least: number, most: number, what: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value >= least && value <= most) return value;
  throw new InvalidArgumentError(`${what} is a whole number from ${least} to ${most}.`);
}

function ratio(text: string): number {
  return decimal(text, 0, 100, 'percent') / 100;
}

function burst(text: string): Burst {
  const numbers = text.split(',');
  if (numbers.length < 2 || numbers.length > 4)
    throw new InvalidArgumentError(
      'It is two to four percentages with commas: of going bad, of going good again, of losing a frame while bad (100), while good (0).',
    );
  const [toBad, toGood, inBad = 1, inGood = 0] = numbers.map(ratio);
  return { toBad, toGood, inBad, inGood };
}

function bandwidth(text: string): number {
  return decimal(text, 0.001, 100_000, 'Mbit/s') * 1e6;
}

function queueLength(text: string): number {
  return whole(text, 1, 1_000_000, 'A queue');
}

function discipline(text: string): (typeof DISCIPLINES)[number] {
  const found = DISCIPLINES.find((name) => name === text);
  if (found === undefined) throw new InvalidArgumentError(`It is one of ${DISCIPLINES.join(', ')}.`);
  return found;
}

function mtu(text: string): number {
  return whole(text, MTU_MIN, MTU_MAX, 'An MTU');
}

function seed(text: string): number {
  return whole(text, 0, 0xffffffff, 'A seed');
}

function duration(text: string): number {
  return decimal(text, 0.1, 1_000_000, 'seconds');
}

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (typeof parsed === 'string')
    throw new InvalidArgumentError(`${parsed.charAt(0).toUpperCase()}${parsed.slice(1)}.`);
  return parsed;
}

// The options of everything that has a stack on a TAP device, those of servers, and what may be said in them. A value that cannot be right is refused here,
// before anything is made.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { BUSY_POLL_MAX_US, type BusyPoll, NAPI_MODES, type NapiMode } from '../link/tap-choices.js';
import { areNeighbours, type Cidr, formatCidr, neighbourOf, parseCidr } from '../net/cidr.js';
import { Refusal } from './refusal.js';

export interface LinkOptions {
  tap: string;
  address: Cidr;
  hostAddress: Cidr;
  mtu: number;
  offload: boolean;
  busyPoll: BusyPoll;
  napi: NapiMode;
  pcap: string | undefined;
  record: string | undefined;
  recordLimit: number;
  netns: string | undefined;
}

export interface ListenerOptions extends LinkOptions {
  port: number;
  doctor: boolean;
}

export interface ServerOptions extends ListenerOptions {
  edge: boolean;
  trace: boolean;
  quiet: boolean;
}

type Given<Options> = Omit<Options, 'address' | 'hostAddress'> & { address?: Cidr; hostAddress?: Cidr };

const DEFAULT_ADDRESS = '10.0.0.2/24';

/**
 * The widest a TAP takes (its frames may be VLAN-tagged), and the least that holds a TCP segment of the smallest size we send
 * (tcp_min_snd_mss, 48) with its headers: IPv4 allows less, but then segments would have to be fragmented.
 */
const MTU_MAX = 65521;
const MTU_MIN = 88;

export function addLinkOptions(command: Command): Command {
  return command
    .option('--tap <name>', 'TAP device: attached to if it exists, else made', deviceName, 'tap0')
    .option('--address <cidr>', "the stack's address (default: 10.0.0.2/24)", cidr)
    .option('--host-address <cidr>', "the host's end (default: the first other address of the network)", cidr)
    .addOption(new Option('--mtu <bytes>', 'largest IP packet').argParser(mtu).default(1500))
    .option('--no-offload', 'plain frames: neither checksums nor segmentation are left to the kernel')
    .addOption(
      new Option(
        '--busy-poll <us>',
        "look for frames so long before sleeping: shorter round trips, a busy processor; 'auto': where that is no dearer",
      )
        .argParser(busyPoll)
        .default('auto'),
    )
    .addOption(
      new Option(
        '--napi <mode>',
        "the host receives what we send on a thread of the kernel's, inside our writes (softirq), or by what is faster",
      )
        .choices(NAPI_MODES)
        .default('auto'),
    )
    .option('--pcap <file>', 'record every frame to a pcapng file')
    .option('--record <file>', 'record the session to a journal, which tapstack replay makes happen again')
    .addOption(
      new Option('--record-limit <MiB>', 'the journal ends when it is so large')
        .argParser(recordLimit)
        .default(1024),
    )
    .option(
      '--netns <name>',
      "put the host's end into this network namespace (made if absent)",
      namespaceName,
    );
}

/** Of what listens, whatever it does with connections. */
export function addListenerOptions(command: Command, defaultPort: number): Command {
  return addLinkOptions(command)
    .addOption(new Option('--port <number>', 'TCP port to listen on').argParser(port).default(defaultPort))
    .option('--doctor', 'warn when this server uses epoll wrongly', false);
}

export function addServerOptions(command: Command, defaultPort: number): Command {
  return addListenerOptions(command, defaultPort)
    .option('--edge', 'edge-triggered (EPOLLET) instead of level-triggered readiness', false)
    .option('--trace', "print the first connection's way through the stack, as the kernel's call path", false)
    .option('--quiet', 'no line for each connection', false);
}

/** Fills in what follows from the rest, and refuses addresses that cannot see each other. */
export function linkOptions<Options extends LinkOptions = LinkOptions>(command: Command): Options {
  const given = command.opts<Given<Options>>();
  const address = given.address ?? (given.hostAddress ? neighbourOf(given.hostAddress) : defaultAddress());
  const hostAddress = given.hostAddress ?? neighbourOf(address);
  if (!areNeighbours(address, hostAddress)) {
    const same = address.address === hostAddress.address;
    throw new Refusal(
      `The stack at ${formatCidr(address)} and the host at ${formatCidr(hostAddress)} cannot reach each other: ` +
        `${same ? 'they are the same address' : 'they are not in one network'}.`,
      [
        `give both ends of one network: --address ${formatCidr(address)} --host-address ${formatCidr(neighbourOf(address))}`,
      ],
      2,
    );
  }
  return { ...given, address, hostAddress } as Given<Options> & LinkOptions as Options;
}

export function serverOptions(command: Command): ServerOptions {
  return linkOptions<ServerOptions>(command);
}

export function listenerOptions(command: Command): ListenerOptions {
  return linkOptions<ListenerOptions>(command);
}

function defaultAddress(): Cidr {
  return cidr(DEFAULT_ADDRESS);
}

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (typeof parsed === 'string') throw new InvalidArgumentError(`${capital(parsed)}.`);
  return parsed;
}

function integer(text: string, least: number, most: number, what: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (value < least || value > most)
    throw new InvalidArgumentError(`${what} is a whole number from ${least} to ${most}.`);
  return value;
}

function mtu(text: string): number {
  return integer(text, MTU_MIN, MTU_MAX, 'An MTU');
}

function busyPoll(text: string): BusyPoll {
  return text === 'auto'
    ? text
    : integer(text, 0, BUSY_POLL_MAX_US, "A time of busy polling, in microseconds, unless it is 'auto',");
}

function recordLimit(text: string): number {
  return integer(text, 1, 1_000_000, 'A limit in mebibytes');
}

export function port(text: string): number {
  return integer(text, 1, 65535, 'A port');
}

/** dev_valid_name */
export function deviceName(text: string): string {
  if (!/^[^\s/:%]{1,15}$/.test(text) || text === '.' || text === '..')
    throw new InvalidArgumentError(
      'A device name is 1 to 15 characters, none of them space, slash, colon or percent.',
    );
  return text;
}

export function namespaceName(text: string): string {
  if (text === '' || text === '.' || text === '..' || text.includes('/') || text.length > 255)
    throw new InvalidArgumentError('A namespace is named as a file is: 1 to 255 characters, no slash.');
  return text;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

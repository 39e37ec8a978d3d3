// What the environment says about the default stack: TAPSTACK_* variables, as docs/register.md lists them. A value that cannot be
// right is refused here, by the name of its variable, before anything is made.

import { readFileSync } from 'node:fs';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { type BusyPoll, isBusyPoll, isNapiMode, NAPI_MODES, type NapiMode } from '../link/tap-choices.js';
import { areNeighbours, type Cidr, formatCidr, neighbourOf, parseCidr } from './cidr.js';

export interface TapSettings {
  name: string;
  /** Address of the stack, and of the host's end, with prefix lengths. */
  address: string;
  hostAddress: string;
  /** Where what lies beyond the network goes; nowhere unless given. */
  gateway: string | undefined;
  netns: string | undefined;
  mtu: number;
  offload: boolean;
  /** Microseconds of busy polling, or as many as pay. */
  busyPoll: BusyPoll;
  /** Who does the host's share of what is sent. */
  napi: NapiMode;
  pcap: string | undefined;
}

export interface StackSettings {
  /** None: nothing but loopback, inside this process. */
  tap: TapSettings | undefined;
  /** Addresses that are the kernel's business. */
  kernel: BlockList;
  /** Where the session is recorded to, and after how many bytes no more. */
  record: string | undefined;
  recordLimit: number;
  /** Tunables by Linux's names. */
  sysctl: Record<string, string>;
}

/** The environment says something that cannot be. */
export class SettingsError extends Error {
  readonly code = 'ERR_TAPSTACK_SETTINGS';
}

const DEFAULT_ADDRESS = '10.0.0.2/24';
const OF_THE_TAP = [
  'ADDRESS',
  'HOST_ADDRESS',
  'GATEWAY',
  'NETNS',
  'MTU',
  'OFFLOAD',
  'BUSY_POLL',
  'NAPI',
  'PCAP',
] as const;

const NAMES = ['TAP', ...OF_THE_TAP, 'KERNEL', 'SYSCTL', 'RECORD', 'RECORD_LIMIT'];
/** What else is in the environment: where settings are, and what we leave there for child processes. */
const BESIDE = ['CONFIG', 'OWNER'];

/** What the environment says, and, where it names a file of such variables (TAPSTACK_CONFIG), what that says besides. */
export function readSettings(environment: Readonly<NodeJS.ProcessEnv>): StackSettings {
  refuseUnknown(environment);
  const file = environment.TAPSTACK_CONFIG;
  return settingsFromEnvironment(file ? { ...configuration(file), ...environment } : environment);
}

/** A slip of the pen would leave the program on another stack than was meant. */
function refuseUnknown(environment: Readonly<NodeJS.ProcessEnv>): void {
  for (const [variable, value] of Object.entries(environment)) {
    const name = variable.startsWith('TAPSTACK_') ? variable.slice('TAPSTACK_'.length) : undefined;
    if (name === undefined || !value || NAMES.includes(name) || BESIDE.includes(name)) continue;
    const known = [...NAMES, 'CONFIG'].map((each) => `TAPSTACK_${each}`);
    throw new SettingsError(`${variable} is set, and is no setting; there are ${known.join(', ')}.`);
  }
}

/** A JSON object: the variables without TAPSTACK_, in lower case or not: `{ "tap": "tap0", "address": "10.0.0.2/24" }`. */
function configuration(file: string): Record<string, string> {
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new SettingsError(
      `TAPSTACK_CONFIG is '${file}', which cannot be read: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  const variables: Record<string, string> = {};
  for (const [key, value] of Object.entries(read ?? {})) {
    const name = key.toUpperCase();
    if (!NAMES.includes(name) || (typeof value !== 'string' && typeof value !== 'number'))
      throw new SettingsError(
        `${file} has ${JSON.stringify({ [key]: value })}: it is an object of ${NAMES.join(', ').toLowerCase()}, with strings or numbers.`,
      );
    variables[`TAPSTACK_${name}`] = String(value);
  }
  return variables;
}

/** @param called the word for a setting that whoever gave it used, for errors; given is its name without TAPSTACK_ */
export function settingsFromEnvironment(
  environment: Readonly<NodeJS.ProcessEnv>,
  called: Called = (name) => `TAPSTACK_${name}`,
): StackSettings {
  /** An empty variable is one that is not set. */
  const get = (name: string): string | undefined => environment[`TAPSTACK_${name}`] || undefined;
  const name = get('TAP');
  const orphan = OF_THE_TAP.find((each) => get(each) !== undefined);
  if (name === undefined && orphan !== undefined)
    throw new SettingsError(
      `${called(orphan)} is set, but ${called('TAP')}, the device that it is about, is not.`,
    );
  return {
    tap: name === undefined ? undefined : tapSettings(name, get, called),
    kernel: kernelAddresses(get('KERNEL') ?? '', called),
    sysctl: tunables(get('SYSCTL') ?? '', called),
    record: get('RECORD'),
    recordLimit: recordLimit(get('RECORD_LIMIT') ?? '1024', called),
  };
}

type Called = (name: string) => string;

function recordLimit(text: string, called: Called): number {
  const size = Number(text);
  if (!Number.isInteger(size) || size < 1 || size > 1_000_000)
    throw new SettingsError(
      `${called('RECORD_LIMIT')} is '${text}': it is a whole number of mebibytes from 1 to 1000000.`,
    );
  return size * 2 ** 20;
}

function tapSettings(name: string, get: (name: string) => string | undefined, called: Called): TapSettings {
  const ends = bothEnds(get, called);
  const gateway = get('GATEWAY');
  if (gateway !== undefined && gateway !== 'host' && !isIPv4(gateway))
    throw new SettingsError(
      `${called('GATEWAY')} is '${gateway}': it is an IPv4 address, or 'host' for the host's.`,
    );
  const mtu = Number(get('MTU') ?? 1500);
  if (!Number.isInteger(mtu) || mtu < 88 || mtu > 65521)
    throw new SettingsError(`${called('MTU')} is '${get('MTU')}': it is a whole number from 88 to 65521.`);
  const offload = get('OFFLOAD') ?? '1';
  if (offload !== '0' && offload !== '1')
    throw new SettingsError(`${called('OFFLOAD')} is '${offload}': it is 1, or 0 for plain frames.`);
  const polling = get('BUSY_POLL') ?? 'auto';
  const busyPoll = polling === 'auto' ? polling : Number(polling);
  if (!isBusyPoll(busyPoll))
    throw new SettingsError(
      `${called('BUSY_POLL')} is '${polling}': it is a whole number of microseconds from 0 to 10,000, or auto.`,
    );
  const napi = get('NAPI') ?? 'auto';
  if (!isNapiMode(napi))
    throw new SettingsError(`${called('NAPI')} is '${napi}': it is ${NAPI_MODES.join(', ')}.`);
  return {
    name,
    address: formatCidr(ends.address),
    hostAddress: formatCidr(ends.hostAddress),
    gateway: gateway === 'host' ? ends.hostAddress.address : gateway,
    netns: get('NETNS'),
    mtu,
    offload: offload === '1',
    busyPoll,
    napi,
    pcap: get('PCAP'),
  };
}

/** The stack's address and the host's: one follows from the other where it is not given. */
function bothEnds(
  get: (name: string) => string | undefined,
  called: Called,
): { address: Cidr; hostAddress: Cidr } {
  const end = (name: string): Cidr | undefined => {
    const given = get(name);
    return given === undefined ? undefined : cidr(given, called(name));
  };
  const host = end('HOST_ADDRESS');
  const address =
    end('ADDRESS') ?? (host === undefined ? cidr(DEFAULT_ADDRESS, called('ADDRESS')) : neighbourOf(host));
  const hostAddress = host ?? neighbourOf(address);
  if (!areNeighbours(address, hostAddress))
    throw new SettingsError(
      `${called('ADDRESS')} is '${formatCidr(address)}' and ${called('HOST_ADDRESS')} '${formatCidr(hostAddress)}', which ` +
        `${address.value === hostAddress.value ? 'are the same address' : 'are not in one network'}: they are the two ends of a cable.`,
    );
  return { address, hostAddress };
}

function cidr(text: string, what: string): Cidr {
  const parsed = parseCidr(text);
  if (typeof parsed === 'string') throw new SettingsError(`${what} is '${text}': ${parsed}.`);
  return parsed;
}

/** `127.0.0.0/8,192.168.1.7,fd00::/8` */
function kernelAddresses(list: string, called: Called): BlockList {
  const addresses = new BlockList();
  for (const each of list.split(',').map((item) => item.trim())) {
    if (each === '') continue;
    const [network, prefix] = each.split('/');
    const family = isIPv4(network) ? 'ipv4' : isIPv6(network) ? 'ipv6' : undefined;
    const length = prefix === undefined ? undefined : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    const longest = family === 'ipv4' ? 32 : 128;
    if (family === undefined || (length !== undefined && (length < 0 || length > longest)))
      throw new SettingsError(
        `${called('KERNEL')} has '${each}': it is a list of addresses and networks, like 127.0.0.0/8,192.168.1.7.`,
      );
    if (length === undefined) addresses.addAddress(network, family);
    else addresses.addSubnet(network, length, family);
  }
  return addresses;
}

/** `net.ipv4.tcp_congestion_control=bbr,net.ipv4.tcp_rmem=4096 131072 6291456` */
function tunables(list: string, called: Called): Record<string, string> {
  const sysctl: Record<string, string> = {};
  for (const each of list.split(',').map((item) => item.trim())) {
    if (each === '') continue;
    const at = each.indexOf('=');
    if (at < 1)
      throw new SettingsError(
        `${called('SYSCTL')} has '${each}': it is a list of tunables and values, like net.ipv4.tcp_sack=0.`,
      );
    sysctl[each.slice(0, at).trim()] = each.slice(at + 1).trim();
  }
  return sysctl;
}

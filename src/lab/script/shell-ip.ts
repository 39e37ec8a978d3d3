// `ip route` and `ip tcp_metrics` of a packet script's shell: lines of the routing table with their metrics, and what TCP
// remembers of its peers. Interpreted on the script's own stack.

import type { LockableMetric, RouteMetricOptions } from '../../ip/route-metrics.js';
import { RouteMetrics } from '../../ip/route-metrics.js';
import { IpAddress } from '../../packet/address.js';
import type { Stack } from '../../stack.js';
import { strerror } from '../../uapi/errno.js';
import { NotHere, Unmet } from './outcome.js';

const VERBS = {
  add: 'add',
  change: 'change',
  chg: 'change',
  replace: 'replace',
  prepend: 'prepend',
} as const;
const NUMBERS: Readonly<Record<string, keyof RouteMetricOptions>> = {
  mtu: 'mtu',
  advmss: 'advmss',
  initcwnd: 'initcwnd',
  initrwnd: 'initrwnd',
  window: 'window',
  hoplimit: 'hoplimit',
  ssthresh: 'ssthresh',
  cwnd: 'cwnd',
  reordering: 'reordering',
};
const TIMES: Readonly<Record<string, keyof RouteMetricOptions>> = {
  rto_min: 'rtoMin',
  rtt: 'rtt',
  rttvar: 'rttvar',
};

/** What a command does to the script's stack. @throws NotHere for what is not known */
export function ipCommand(args: readonly string[]): (stack: Stack) => void {
  const text = `the command 'ip ${args.join(' ')}'`;
  if (args[0] === '-6') throw new NotHere('IPv6');
  const [object, verb, ...rest] = args[0] === '-4' ? args.slice(1) : args;
  if (object === 'tcp_metrics') return metricsCommand(verb, rest, text);
  if (object !== 'route') throw new NotHere(text);
  const [to, ...words] = rest;
  if (to === undefined) throw new NotHere(text);
  const { network, prefix } = destination(to, text);
  if (verb === 'del' || verb === 'delete') {
    return (stack) => judge(stack.ip.routes.delete(network, prefix), text);
  }
  const how = VERBS[verb as keyof typeof VERBS];
  if (how === undefined) throw new NotHere(text);
  const { via, dev, metrics } = routeWords(words, text);
  return (stack) => {
    const { routes } = stack.ip;
    const device = dev === null ? null : (routes.devices.find(({ name }) => name === dev) ?? null);
    if (dev !== null && device === null) throw new Unmet(`${text} failed: there is no device ${dev}`);
    const { congctl } = metrics;
    if (congctl !== '' && stack.tcp.congestionControl(congctl) === null)
      throw new Unmet(`${text} failed: there is no congestion control ${congctl}`);
    judge(routes.edit(how, network, prefix, via, device, metrics), text);
  };
}

function judge(result: number, text: string): void {
  if (result < 0) throw new Unmet(`${text} failed: ${strerror(result)}`);
}

function destination(to: string, text: string): { network: IpAddress; prefix: number } {
  const [address, length = '32'] = to === 'default' ? ['0.0.0.0', '0'] : to.split('/');
  const network = IpAddress.parse(address);
  if (network === null || !/^\d{1,2}$/.test(length)) throw new NotHere(text);
  return { network, prefix: Number(length) };
}

function routeWords(
  words: readonly string[],
  text: string,
): { via: IpAddress | null; dev: string | null; metrics: RouteMetrics } {
  const options: Record<string, unknown> = {};
  const lock: LockableMetric[] = [];
  let via: IpAddress | null = null;
  let dev: string | null = null;
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (words[at + 1] === 'lock') {
      lock.push(word as LockableMetric);
      at++;
    }
    const value = words[++at];
    if (value === undefined) throw new NotHere(text);
    if (word === 'via') via = IpAddress.parse(value);
    else if (word === 'dev') dev = value;
    else if (word === 'quickack') options.quickack = value !== '0';
    else if (word === 'congctl') options.congctl = value;
    else if (word in NUMBERS && /^\d+$/.test(value)) options[NUMBERS[word]] = Number(value);
    else if (word in TIMES) options[TIMES[word]] = milliseconds(value, text);
    // Who made the route, and how far it reaches: nobody asks here.
    else if (word !== 'proto' && word !== 'scope') throw new NotHere(text);
  }
  // rto_min is always locked, and needs no word for it (iproute2).
  const locks = lock.filter((name) => (name as string) !== 'rto_min');
  try {
    return { via, dev, metrics: new RouteMetrics({ ...options, lock: locks }) };
  } catch (error) {
    throw new NotHere(`${text}: ${error instanceof Error ? error.message : error}`);
  }
}

/** `200`, `200ms`, `2s`, `1.5s`; a bare number is milliseconds. */
function milliseconds(value: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|sec|secs|ms|msec|msecs)?$/.exec(value);
  if (match === null) throw new NotHere(text);
  return Math.round(Number(match[1]) * ((match[2] ?? 'ms').startsWith('s') ? 1000 : 1));
}

function metricsCommand(verb: string, rest: readonly string[], text: string): (stack: Stack) => void {
  const [address, more] = rest[0] === 'address' ? rest.slice(1) : rest;
  const who = address === undefined || address === 'all' ? null : IpAddress.parse(address);
  if (more !== undefined || (who === null && address !== undefined && address !== 'all'))
    throw new NotHere(text);
  if (verb === 'flush' || verb === 'delete') {
    return (stack) => {
      stack.tcp.metrics.flush(who);
    };
  }
  if (verb === 'show') return () => {};
  throw new NotHere(text);
}

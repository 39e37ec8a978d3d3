// `tapstack netstat`: counters of a running stack by Linux's names, its interfaces, its routes.

import type { Command } from 'commander';
import type { InterfaceDetail, RouteDetail } from '../control/protocol.js';
import { table } from './table.js';
import { addWhichOptions, askStack, type WhichOptions } from './which-stack.js';

interface NetstatOptions extends WhichOptions {
  statistics: boolean;
  zeros: boolean;
  interfaces: boolean;
  routes: boolean;
  json: boolean;
}

export function registerNetstat(program: Command): void {
  const command = program
    .command('netstat')
    .description(
      "counters of a running stack by Linux's names, as nstat prints them; its interfaces and routes",
    )
    .argument('[pattern...]', 'counters whose name matches one of these (TcpExt*, *Drops)')
    .option('-s, --statistics', 'counters by protocol, as netstat -s groups them', false)
    .option('-z, --zeros', 'counters that are zero, too', false)
    .option('-i, --interfaces', 'interfaces, with their counters and neighbours', false)
    .option('-r, --routes', 'the routing table', false)
    .option('-J, --json', 'as JSON', false);
  addWhichOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((patterns: string[], options: NetstatOptions) => netstat(patterns, options));
}

const EXAMPLES = `
Examples:
  $ tapstack netstat 'TcpExt*' '*Drop*' -z
  $ tapstack netstat -s --name echo
  $ tapstack netstat -i; tapstack netstat -r --json`;

async function netstat(patterns: string[], options: NetstatOptions): Promise<void> {
  if (options.interfaces || options.routes) {
    const details = {
      ...(options.interfaces
        ? { interfaces: await askStack<InterfaceDetail[]>(options, { method: 'interfaces' }) }
        : {}),
      ...(options.routes ? { routes: await askStack<RouteDetail[]>(options, { method: 'routes' }) } : {}),
    };
    const text = `${interfacesText(details.interfaces ?? [])}${routesText(details.routes ?? [])}`;
    process.stdout.write(options.json ? json(details) : text);
    return;
  }
  const all = await askStack<Record<string, Record<string, number>>>(options, { method: 'counters' });
  const counters = chosen(all, patterns, options.zeros || options.json);
  if (options.json) process.stdout.write(json(counters));
  else process.stdout.write(options.statistics ? grouped(counters) : flat(counters));
}

/** The counters asked for, still by protocol. */
function chosen(
  all: Record<string, Record<string, number>>,
  patterns: readonly string[],
  zeros: boolean,
): Record<string, Record<string, number>> {
  const tests = patterns.map(
    (pattern) =>
      new RegExp(
        `^${pattern
          .replace(/[.+^${}()|[\]\\]/g, '\\$&')
          .replace(/\*/g, '.*')
          .replace(/\?/g, '.')}$`,
      ),
  );
  const wanted = (name: string, value: number) =>
    (zeros || value !== 0) && (tests.length === 0 || tests.some((test) => test.test(name)));
  return Object.fromEntries(
    Object.entries(all)
      .map(
        ([protocol, group]) =>
          [
            protocol,
            Object.fromEntries(
              Object.entries(group).filter(([name, value]) => wanted(protocol + name, value)),
            ),
          ] as const,
      )
      .filter(([, group]) => Object.keys(group).length > 0),
  );
}

/** As nstat: the protocol and the counter in one word. */
function flat(counters: Record<string, Record<string, number>>): string {
  const rows = Object.entries(counters).flatMap(([protocol, group]) =>
    Object.entries(group).map(([name, value]) => `${`${protocol}${name}`.padEnd(32)}${value}\n`),
  );
  return `#tapstack\n${rows.join('')}`;
}

function grouped(counters: Record<string, Record<string, number>>): string {
  return Object.entries(counters)
    .map(([protocol, group]) => {
      const lines = Object.entries(group).map(([name, value]) => `    ${name}: ${value}\n`);
      return `${protocol}:\n${lines.join('')}`;
    })
    .join('');
}

function interfacesText(interfaces: readonly InterfaceDetail[]): string {
  return interfaces
    .map((each) => {
      const flags = [each.up ? 'UP' : 'DOWN', ...(each.loopback ? ['LOOPBACK'] : []), ...each.offloads];
      const neighbours = each.neighbours.map(
        ({ address, mac, state }) =>
          `    neighbour ${address}${mac === null ? '' : ` lladdr ${mac}`} ${state}\n`,
      );
      return (
        `${each.index}: ${each.name}: <${flags.join(',')}> mtu ${each.mtu} txqueue ${each.txQueued}/${each.txSlots}\n` +
        `    link ${each.mac}\n    inet ${each.address}/${each.prefix}\n${statsText(each.stats)}${neighbours.join('')}`
      );
    })
    .join('');
}

/** As `ip -s link`, and what only this device has. */
function statsText(stats: InterfaceDetail['stats']): string {
  if (stats === null) return '';
  const { rxFrames, rxBytes, rxDropped, rxErrors, rxBusyPolled, rxBatched } = stats;
  const { txFrames, txBytes, txDropped, txInvalid, txEagain, txBatched, napi } = stats;
  return (
    `    RX ${rxFrames} frames ${rxBytes} bytes ${rxDropped} dropped ${rxErrors} errors ${rxBusyPolled} busy-polled ${rxBatched} batched\n` +
    `    TX ${txFrames} frames ${txBytes} bytes ${txDropped} dropped ${txInvalid} invalid ${txEagain} deferred ${txBatched} batched, NAPI ${napi}\n`
  );
}

function routesText(routes: readonly RouteDetail[]): string {
  if (routes.length === 0) return '';
  const rows = routes.map(({ destination, gateway, interface: name, source, metrics }) => [
    destination,
    gateway ?? '0.0.0.0',
    name,
    source,
    Object.entries(metrics)
      .map(([metric, value]) => `${metric} ${value}`)
      .join(' '),
  ]);
  return table([['Destination', 'Gateway', 'Iface', 'Source', 'Metrics'], ...rows]);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

// `tapstack ss`: the sockets of a running stack, in the columns and words of ss(8).

import type { Command } from 'commander';
import { ask } from '../control/client.js';
import type { Endpoint, SocketDetail } from '../control/protocol.js';
import { parseFilter, stateText } from './ss-filter.js';
import { extendedText, infoText, memoryText, timerText, usersText } from './ss-info.js';
import { table } from './table.js';
import { addWhichOptions, talk, type WhichOptions, whichStack } from './which-stack.js';

interface SsOptions extends WhichOptions {
  tcp: boolean;
  udp: boolean;
  listening: boolean;
  all: boolean;
  numeric: boolean;
  processes: boolean;
  extended: boolean;
  info: boolean;
  memory: boolean;
  options: boolean;
  oneline: boolean;
  header: boolean;
  json: boolean;
}

export function registerSs(program: Command): void {
  const command = program
    .command('ss')
    .description('the sockets of a running stack, in the columns of ss(8)')
    .argument('[filter...]', 'state NAME, exclude NAME, and conditions on sport, dport, src, dst')
    .option('-t, --tcp', 'TCP only', false)
    .option('-u, --udp', 'UDP only', false)
    .option('-l, --listening', 'what listens, and nothing else', false)
    .option('-a, --all', 'everything: what listens, too, and what is left of old connections', false)
    .option('-n, --numeric', 'rates in whole bits per second (ports are always numbers)', false)
    .option('-p, --processes', 'who has it open', false)
    .option('-e, --extended', 'its owner and its number', false)
    .option('-i, --info', 'what TCP knows: TCP_INFO', false)
    .option('-m, --memory', 'what its queues hold and may hold', false)
    .option('-o, --options', 'the timer that runs', false)
    .option('-O, --oneline', 'all of a socket on one line', false)
    .option('-H, --no-header', 'no line of headings')
    .option('-J, --json', 'everything there is to know, as JSON', false);
  addWhichOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((filter: string[], options: SsOptions) => ss(filter, options));
}

const EXAMPLES = `
Examples:
  $ tapstack ss -tan
  $ tapstack ss -tanpeimo --name http
  $ tapstack ss -ti state established '( sport = :80 or dport = :80 )'`;

async function ss(words: string[], options: SsOptions): Promise<void> {
  const fits = parseFilter(words, options.all, options.listening);
  const stack = await whichStack(options);
  const all = await talk(stack, (path) => ask<SocketDetail[]>(path, { method: 'sockets' }));
  const protocols = options.tcp === options.udp ? ['udp', 'tcp'] : [options.tcp ? 'tcp' : 'udp'];
  const sockets = protocols.flatMap((protocol) =>
    all.filter((each) => each.protocol === protocol && fits(each)),
  );
  process.stdout.write(
    options.json
      ? `${JSON.stringify(sockets, null, 2)}\n`
      : listing(sockets, protocols.length > 1, options, stack.pid),
  );
}

/** The text for the sockets; `netid`: with a column for the protocol. */
export function listing(
  sockets: readonly SocketDetail[],
  netid: boolean,
  options: Omit<SsOptions, 'json'>,
  pid: number,
): string {
  const heading = ['State', 'Recv-Q', 'Send-Q', 'Local Address:Port', 'Peer Address:Port', 'Process'];
  const rows = sockets.map((socket) => [
    stateText(socket.state),
    `${socket.recvq}`,
    `${socket.sendq}`,
    endpointText(socket.local, socket.device),
    endpointText(socket.peer, null),
    lineTail(socket, options, pid),
  ]);
  if (netid) {
    heading.unshift('Netid');
    for (const [at, row] of rows.entries()) row.unshift(sockets[at].protocol);
  }
  const lines = table(options.header ? [heading, ...rows] : rows).split('\n');
  const shift = options.header ? 1 : 0;
  return sockets.reduce(
    (text, socket, at) => {
      const more = below(socket, options);
      const line = lines[at + shift];
      return `${text}${line}${more === '' ? '' : options.oneline ? ` ${more}` : `\n\t ${more}`}\n`;
    },
    options.header ? `${lines[0]}\n` : '',
  );
}

/** What belongs to the line of the socket itself. */
function lineTail(socket: SocketDetail, options: Omit<SsOptions, 'json'>, pid: number): string {
  return [
    ...(options.processes ? [usersText(socket, 'node', pid)] : []),
    ...(options.options ? [timerText(socket)] : []),
    ...(options.extended ? [extendedText(socket)] : []),
  ]
    .filter((word) => word !== '')
    .join(' ');
}

/** What stands below it. */
function below(socket: SocketDetail, { memory, info, numeric }: Omit<SsOptions, 'json'>): string {
  return [memory ? memoryText(socket) : '', info ? infoText(socket, numeric) : '']
    .filter((word) => word !== '')
    .join(' ');
}

function endpointText({ address, port }: Endpoint, device: string | null): string {
  return `${address ?? '0.0.0.0'}${device === null ? '' : `%${device}`}:${port === 0 ? '*' : port}`;
}

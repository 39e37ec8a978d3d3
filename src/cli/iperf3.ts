// `tapstack iperf3`: an iperf3 server on the stack for the stock client.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { banner } from './banner.js';
import { IPERF_PORT } from './iperf3-protocol.js';
import { IperfServer } from './iperf3-server.js';
import { Lifetime } from './lifetime.js';
import { openNetwork } from './network.js';
import { addListenerOptions, listenerOptions } from './options.js';

interface IperfOptions {
  interval: number;
  json: boolean;
  oneOff: boolean;
}

export function registerIperf3(program: Command): void {
  addListenerOptions(program.command('iperf3'), IPERF_PORT)
    .description('measure throughput: a server for the stock iperf3 client (TCP)')
    .addOption(
      new Option('-i, --interval <seconds>', 'time between reports; 0: only at the end')
        .argParser(interval)
        .default(1),
    )
    .option('-1, --one-off', 'end after one test', false)
    .option('-J, --json', 'each test as a JSON object on standard output, as iperf3 --json prints it', false)
    .action((_options, command: Command) => runIperf3(command));
}

/** MIN_INTERVAL and MAX_INTERVAL of iperf3 */
function interval(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : -1;
  if (value !== 0 && (value < 0.1 || value > 60))
    throw new InvalidArgumentError('An interval is a number of seconds from 0.1 to 60, or 0.');
  return value;
}

async function runIperf3(command: Command): Promise<void> {
  const options = listenerOptions(command);
  const { interval, json, oneOff } = command.opts<IperfOptions>();
  const lifetime = new Lifetime();
  try {
    const network = await openNetwork('iperf3', options, lifetime);
    const write = (text: string) => void process.stdout.write(text);
    const server = new IperfServer(network.stack, { port: options.port, interval, json, oneOff, write });
    lifetime.onEnd(async () => {
      // The word leaves with the end of this turn; then the stack may go.
      if (server.terminate()) await nextTurn();
    });
    const { address } = options.address;
    const place = options.port === IPERF_PORT ? address : `${address} -p ${options.port}`;
    const text = banner('iperf3', network, options, [
      `iperf3 -c ${place}`,
      `iperf3 -c ${place} --reverse --parallel 4`,
      `iperf3 -c ${place} --bidir --json`,
    ]);
    // Standard output belongs to the reports.
    (json ? process.stderr : process.stdout).write(text);
    await server.run();
    if (oneOff) await lifetime.end(0);
  } catch (error) {
    await lifetime.fail(error);
  }
}

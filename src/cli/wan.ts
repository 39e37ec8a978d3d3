// `tapstack wan`: two network namespaces, each with a TAP device, joined in real time by the lab's fault model, so that any two
// programs, on Linux's own TCP or on another, meet through exactly that network.

import type { Command } from 'commander';
import { Lifetime } from './lifetime.js';
import type { WanNetwork } from './wan-network.js';
import { addWanOptions, wanOptions } from './wan-options.js';

/** Adds the subcommand to the program. */
export function registerWan(program: Command): void {
  addWanOptions(program.command('wan'))
    .description('join two network namespaces by a network with delay, loss and other faults')
    .action((_options, command: Command) => runWan(command));
}

type CountersLine = typeof import('./wan-report.js').countersLine;

async function runWan(command: Command): Promise<void> {
  const options = wanOptions(command);
  const lifetime = new Lifetime();
  // The lab's pipes and the captures are loaded by who uses them.
  const { openWan } = await import('./wan-network.js');
  const { countersLine, readyLine, wanBanner } = await import('./wan-report.js');
  try {
    const network = await openWan(options, lifetime);
    if (!options.quiet) lifetime.onEnd(async () => void process.stdout.write(report(network, countersLine)));
    process.stdout.write(
      options.quiet ? readyLine(options) : wanBanner(options, network.taps, network.captures),
    );
    if (options.duration !== undefined) setTimeout(() => void lifetime.end(0), options.duration * 1000);
  } catch (error) {
    await lifetime.fail(error);
  }
}

function report({ pipes, ports, taps }: WanNetwork, countersLine: CountersLine): string {
  const untaken = (end: 'a' | 'b'): number => {
    const { txDropped, txInvalid } = taps[end].stats();
    return ports[end].dropped + txDropped + txInvalid;
  };
  return (
    countersLine('A to B', pipes.ab.counters, untaken('b')) +
    countersLine('B to A', pipes.ba.counters, untaken('a'))
  );
}

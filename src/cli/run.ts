// `tapstack run`: an ordinary Node program, in this very process, on a stack. In this process, so that signals, standard input, exit
// codes and the process number are the program's own without anybody passing them on.

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatCidr } from '../net/cidr.js';
import { addLinkOptions, type LinkOptions, linkOptions } from './options.js';

interface Given extends LinkOptions {
  gateway?: string;
  kernel?: string;
  sysctl?: string;
}

export function registerRun(root: Command): void {
  addLinkOptions(root.command('run'))
    .description(
      'run a Node program on the stack: its net, http, https, tls, http2 and all that stands on them',
    )
    .argument('<program>', 'a JavaScript file, as for node')
    .argument('[args...]', "the program's own arguments")
    .usage('[options] <program> [args...]')
    .option('--gateway <address>', "where the rest of the world is: an address, or 'host'")
    .option('--kernel <list>', 'addresses and networks that stay on the kernel, such as 127.0.0.0/8')
    .option('--sysctl <list>', 'tunables, such as net.ipv4.tcp_congestion_control=bbr')
    .passThroughOptions()
    .helpCommand(false)
    .action((program: string, args: string[], _options, command: Command) => run(program, args, command));
}

async function run(program: string, args: readonly string[], command: Command): Promise<void> {
  // node:net on the stack is loaded by no other command.
  const { settingsFromEnvironment } = await import('../net/settings.js');
  const { registerProgram } = await import('./register-program.js');
  const given = command.opts<Given>();
  const { tap, address, hostAddress, mtu, offload, busyPoll, napi, netns, pcap, record, recordLimit } =
    linkOptions(command);
  const environment = {
    TAPSTACK_TAP: tap,
    TAPSTACK_ADDRESS: formatCidr(address),
    TAPSTACK_HOST_ADDRESS: formatCidr(hostAddress),
    TAPSTACK_MTU: String(mtu),
    TAPSTACK_OFFLOAD: offload ? '1' : '0',
    TAPSTACK_BUSY_POLL: String(busyPoll),
    TAPSTACK_NAPI: napi,
    TAPSTACK_NETNS: netns,
    TAPSTACK_PCAP: pcap,
    TAPSTACK_RECORD: record,
    TAPSTACK_RECORD_LIMIT: String(recordLimit),
    TAPSTACK_GATEWAY: given.gateway,
    TAPSTACK_KERNEL: given.kernel,
    TAPSTACK_SYSCTL: given.sysctl,
  };
  const settings = settingsFromEnvironment(
    environment,
    (name) => `--${name.toLowerCase().replace('_', '-')}`,
  );
  // Its output is the program's from now on.
  process.stdout.removeAllListeners('error');
  // As node does, so that the program finds itself there.
  process.argv = [process.execPath, resolve(program), ...args];
  registerProgram(settings);
  const { runMain } = createRequire(import.meta.url)('node:module') as { runMain(): void };
  // Out of reach of our own handler of errors: what the program throws is nobody's but Node's.
  setImmediate(() => runMain());
}

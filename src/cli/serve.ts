// A server command from its options to its end: opens the network, says what there is, serves until something ends it.

import type { Command } from 'commander';
import { onTrace } from '../core/trace.js';
import type { Stack } from '../index.js';
import { banner } from './banner.js';
import type { Connection } from './connection.js';
import { EpollServer } from './epoll-server.js';
import { Lifetime } from './lifetime.js';
import { openNetwork } from './network.js';
import { type ServerOptions, serverOptions } from './options.js';
import { TracePath } from './trace-path.js';

export interface ServerCommand {
  /** The command's name. */
  readonly name: string;
  readonly idleMs: number;
  readonly connection: new (...args: ConstructorParameters<typeof Connection>) => Connection;
  /** Lines to paste. */
  tries(options: ServerOptions): string[];
}

export async function serve(server: ServerCommand, command: Command): Promise<void> {
  const options = serverOptions(command);
  const lifetime = new Lifetime();
  try {
    const network = await openNetwork(server.name, options, lifetime);
    if (options.trace) traceFirst(options);
    const loop = startServer(server, network.stack, options);
    process.stdout.write(banner(server.name, network, options, server.tries(options)));
    await loop.run();
  } catch (error) {
    await lifetime.fail(error);
  }
}

/** Prints the way of the first connection to the server, from its SYN on. */
function traceFirst({ address: { address }, port }: ServerOptions): void {
  onTrace(new TracePath((line) => process.stdout.write(`${line}\n`), `${address}:${port}`).event);
}

/** Listens; nothing is served before `run`. */
export function startServer(server: ServerCommand, stack: Stack, options: ServerOptions): EpollServer {
  return new EpollServer(stack, {
    port: options.port,
    edge: options.edge,
    idleMs: server.idleMs,
    connect: (sys, fd, peer) => new server.connection(sys, fd, peer),
    disconnected: options.quiet ? () => {} : report,
  });
}

function report(connection: Connection): void {
  const seconds = ((performance.now() - connection.openedAt) / 1000).toFixed(3);
  process.stdout.write(`${connection.peer}  ${connection.summary()}, ${seconds} s, ${connection.ended}\n`);
}

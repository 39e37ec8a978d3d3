// `tapstack echo`: whatever arrives is sent back.

import { EchoConnection } from './echo-connection.js';
import type { ServerCommand } from './serve.js';

export const ECHO_PORT = 7;

export const echo: ServerCommand = {
  name: 'echo',
  idleMs: Number.POSITIVE_INFINITY,
  connection: EchoConnection,
  tries: ({ address: { address }, port }) => [
    `ping -c 3 ${address}`,
    `nc -N ${address} ${port} <<< 'Hello, stack'`,
    `curl -sN -m 1 telnet://${address}:${port} <<< 'Hello, curl'`,
  ],
};

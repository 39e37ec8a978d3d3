// `tapstack http`: a tiny HTTP/1.1 server on the epoll API.

import { HttpConnection } from './http-connection.js';
import type { ServerCommand } from './serve.js';

export const HTTP_PORT = 80;

export const http: ServerCommand = {
  name: 'http',
  idleMs: 60_000,
  connection: HttpConnection,
  tries: ({ address: { address }, port }) => {
    const host = port === HTTP_PORT ? address : `${address}:${port}`;
    return [
      `ping -c 3 ${address}`,
      `curl http://${host}/`,
      `curl -o /dev/null http://${host}/bytes/1000000000`,
      `nc -N ${address} ${port} <<< $'GET / HTTP/1.0\\r\\n\\r'`,
    ];
  },
};

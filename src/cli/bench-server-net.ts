// `tapstack bench-server --api net`: the same three services on tapstack/net, written as one writes them on node:net, and Node's own
// HTTP server (1 KB for any request) on the port after them.

import { createServer as createHttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Stack } from '../index.js';
import { createNet } from '../net/index.js';
import { cannotGoOn } from './refusal.js';

const BACKLOG = 4096;
const BUFFER = 256 << 10;
const page = Buffer.alloc(1024, 'x');

const echo = (socket: Socket): void => void socket.on('data', (data) => socket.write(data));

const sink = (socket: Socket): void => void socket.resume();

/** Writes the same bytes again and again. */
function source(socket: Socket, chunk: Buffer): void {
  const fill = (): void => {
    while (socket.write(chunk));
  };
  socket.on('drain', fill);
  socket.resume();
  fill();
}

const http = createHttpServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': page.length });
  response.end(page);
});

/** Resolves when all of them listen. */
export async function listenWithNet(stack: Stack, firstPort: number): Promise<void> {
  const net = createNet(stack);
  const mapped = stack.sys.mmap(BUFFER);
  if (typeof mapped === 'number') throw cannotGoOn('mmap', mapped);
  const chunk = Buffer.from(mapped.buffer, mapped.byteOffset, mapped.length);
  const listen = (serve: (socket: Socket) => void, index: number): Promise<Server> =>
    new Promise((resolve, reject) => {
      const server = net.createServer({ noDelay: true }, (socket) => {
        // Whoever measures leaves without a farewell.
        socket.on('error', () => {});
        serve(socket);
      });
      server.once('error', reject);
      server.listen({ port: firstPort + index, host: '0.0.0.0', backlog: BACKLOG }, () => resolve(server));
    });
  await Promise.all(
    [
      echo,
      sink,
      (socket: Socket) => source(socket, chunk),
      (socket: Socket) => void http.emit('connection', socket),
    ].map(listen),
  );
}

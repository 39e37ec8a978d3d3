// Node's `http` on the kernel: 1 KB for whoever asks.

import { createServer } from 'node:http';

const body = Buffer.alloc(1024, 'x');
const server = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': body.length });
  response.end(body);
});
server.listen({ port: 8080, host: '0.0.0.0', backlog: 4096 }, () => console.log('ready'));

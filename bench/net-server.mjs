// Node's `net` (or another module with its face) as a server: echo on 7001, sink on 7002, source on 7003.

import * as net from 'node:net';

const FIRST_PORT = 7001;
const chunk = Buffer.alloc(256 << 10);

const services = {
  echo: (socket) => socket.on('data', (data) => socket.write(data)),
  sink: (socket) => socket.resume(),
  source(socket) {
    const fill = () => {
      while (socket.write(chunk));
    };
    socket.on('drain', fill);
    socket.resume();
    fill();
  },
};

let waiting = 3;
Object.values(services).forEach((serve, index) => {
  const server = net.createServer({ noDelay: true }, (socket) => {
    // The client goes without a farewell when it has measured enough.
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen({ port: FIRST_PORT + index, host: '0.0.0.0', backlog: 4096 }, () => {
    if (--waiting === 0) console.log('ready');
  });
});

// A WebSocket server: says each message back, counts, and closes politely.
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '0.0.0.0', port: 8080, perMessageDeflate: true }, () =>
  console.log('listening'),
);
server.on('connection', (socket, request) => {
  socket.send(`welcome ${request.socket.remoteAddress}`);
  socket.on('message', (data, isBinary) => {
    if (String(data) === 'bye') socket.close(4000, 'as you wish');
    else socket.send(data, { binary: isBinary });
  });
  socket.on('close', (code, reason) => console.log(`closed ${code} ${reason}`));
});
process.on('SIGTERM', () => {
  for (const client of server.clients) client.terminate();
  server.close(() => console.log('gone'));
});

// A WebSocket client; the server's address is the argument.
import { once } from 'node:events';
import WebSocket from 'ws';

const socket = new WebSocket(process.argv[2]);
await once(socket, 'open');
for (const message of ['hello', Buffer.alloc(1_000_000, 7), 'x'.repeat(70_000)]) {
  socket.send(message);
  const [data, isBinary] = await once(socket, 'message');
  console.log(isBinary ? 'binary' : 'text', data.length, Buffer.compare(data, Buffer.from(message)));
}
socket.ping('are you there');
const [pong] = await once(socket, 'pong');
console.log(`pong: ${pong}`);
socket.close(1000, 'done');
const [code, reason] = await once(socket, 'close');
console.log(`closed ${code} ${reason}`);

const refused = new WebSocket(process.argv[3]);
const [error] = await once(refused, 'error');
console.log(error.code, error.syscall, error.address, error.port);

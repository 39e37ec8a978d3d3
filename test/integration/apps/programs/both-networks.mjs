// Uses addresses that may stay on the kernel (127.0.0.1, ::1, a path) with every habit a program has of using a connection.
// Arguments: a path for a socket, and the address of the outside.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

const [path, outside] = process.argv.slice(2);
const local = (socket) => [socket.localAddress, socket.remoteAddress, socket.remoteFamily];

const server = http.createServer((request, response) => {
  response.sendDate = false;
  response.setHeader('X-Peer', String(request.socket.remoteAddress));
  request.pipe(response);
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const { port, address, family } = server.address();
console.log(address, family, port > 0);
const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x'.repeat(3_000_000) });
console.log(answer.headers.get('x-peer'), (await answer.text()).length);

const busy = net
  .createServer()
  .on('error', ({ code, syscall, address }) => console.log(code, syscall, address));
busy.on('listening', () => console.log('never')).listen(port, '127.0.0.1');
await once(busy, 'error');

const refused = net.connect(1, '127.0.0.1').on('connect', () => console.log('never'));
console.log((await once(refused, 'error').catch((error) => [error]))[0].message);
const missing = net.connect(`${path}-missing`);
console.log((await once(missing, 'error'))[0].message.replace(path, 'PATH'));

const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
await once(echo.listen(path), 'listening');
console.log(echo.address() === path);
let got = 0;
const count = (bytes) => {
  got += bytes;
};
const socket = net.connect({
  path,
  onread: { buffer: Buffer.alloc(1000), callback: count },
});
await once(socket, 'connect');
socket.end(Buffer.alloc(100_000));
await once(socket, 'close');
console.log('by path', got, socket.bytesRead, socket.bytesWritten);
echo.close();

const half = net.createServer((peer) => {
  peer.setNoDelay(true).setKeepAlive(true, 1000);
  console.log('half', ...local(peer));
  peer.once('error', (error) => console.log(error.message));
  peer
    .resume()
    .on('end', () => console.log('end'))
    .on('close', (error) => console.log('closed', error));
});
await once(half.listen(0, '127.0.0.1'), 'listening');
const client = net.connect(half.address().port, '127.0.0.1');
await once(client, 'connect');
client.setTimeout(20, () => client.resetAndDestroy());
await once(client, 'close');
half.close();
await once(half, 'close');

if (outside) {
  const abroad = net.connect(Number(outside.split(':')[1]), outside.split(':')[0]);
  await once(abroad, 'connect');
  console.log('abroad', abroad.localAddress);
  abroad.destroy();
}
console.log(`port ${port}`);
console.log('ready');
process.stdin.on('end', () => server.close(() => console.log('closed'))).resume();

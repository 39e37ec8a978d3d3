// A TLS server; its key and certificate are the arguments.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [key, cert] = process.argv.slice(2, 4).map((file) => readFileSync(file));
const server = createServer({ key, cert }, async (request, response) => {
  response.sendDate = false;
  const { socket } = request;
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  response.setHeader('Content-Type', 'application/json');
  response.end(
    JSON.stringify({
      bytes,
      protocol: socket.getProtocol(),
      cipher: socket.getCipher().name,
      encrypted: socket.encrypted,
      from: socket.remoteAddress,
      to: `${socket.localAddress}:${socket.localPort}`,
      filler: 'x'.repeat(Number(request.headers['x-filler'] ?? 0)),
    }),
  );
});
server.on('tlsClientError', (error) => console.log(`refused: ${error.code}`));
server.listen(8443, '0.0.0.0', () => console.log('listening'));
process.on('SIGTERM', () => {
  server.close(() => console.log('closed'));
});

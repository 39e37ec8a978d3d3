// HTTP/2 in the clear on one port and over TLS (with HTTP/1.1 for those who have nothing else) on another.
import { readFileSync } from 'node:fs';
import { createSecureServer, createServer } from 'node:http2';

const [key, cert] = process.argv.slice(2, 4).map((file) => readFileSync(file));

const answer = (request, response) => {
  const from = request.socket.remoteAddress;
  if (request.url.startsWith('/bytes/')) {
    response.end(Buffer.alloc(Number(request.url.slice(7)), 'h2'));
    return;
  }
  if (request.method === 'POST') {
    request.pipe(response);
    return;
  }
  response.end(`${request.httpVersion} ${request.url} ${from}\n`);
};

const clear = createServer(answer);
const secure = createSecureServer({ key, cert, allowHTTP1: true }, answer);
const sessions = new Set();
for (const server of [clear, secure]) {
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
}
clear.listen(8080, '0.0.0.0', () => secure.listen(8443, '0.0.0.0', () => console.log('listening')));
process.on('SIGTERM', () => {
  clear.close();
  secure.close(() => console.log('closed'));
  for (const session of sessions) session.close();
});

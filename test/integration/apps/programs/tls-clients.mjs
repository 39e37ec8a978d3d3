// Calls out over TLS in each of Node's ways. Arguments: host, port, and a file with the certificate of the one who is trusted.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';

const [host, port, certificate, clear] = process.argv.slice(2);
const ca = readFileSync(certificate);

async function body(response) {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

const agent = new https.Agent({ keepAlive: true, ca });
for (const path of ['/one', '/two']) {
  const request = https.get({ host, port, path, agent });
  const [response] = await once(request, 'response');
  const { authorized } = response.socket;
  console.log(response.statusCode, await body(response), request.reusedSocket, authorized);
}
agent.destroy();

const post = https.request({ host, port, ca, method: 'POST', path: '/', agent: false });
post.end(Buffer.alloc(2_000_000, 'y'));
console.log('posted', (await body((await once(post, 'response'))[0])).length);

const stranger = https.get({ host, port, agent: false });
console.log('stranger', (await once(stranger, 'error'))[0].code);

const session = http2.connect(`https://${host}:${port}`, { ca });
const streams = [1, 2, 3].map(async (number) => body(session.request({ ':path': `/${number}` })));
console.log((await Promise.all(streams)).join(), session.alpnProtocol, session.socket.remoteAddress === host);
session.close();
await once(session, 'close');

const socket = tls.connect({ host, port, ca, ALPNProtocols: ['http/1.1'] });
await once(socket, 'secureConnect');
console.log(
  socket.alpnProtocol,
  socket.getProtocol(),
  socket.remoteAddress === host,
  socket.remotePort === Number(port),
);
socket.setTimeout(50);
await once(socket, 'timeout');
socket.end();
await once(socket, 'close');
console.log('closed', socket.destroyed);

const plain = tls.connect({ host, port: clear, ca });
console.log('no TLS there', (await once(plain, 'error'))[0].code);

const kept = new http.Agent({ keepAlive: true, maxSockets: 2 });
const got = await Promise.all(
  Array.from({ length: 6 }, async (_, at) => {
    const [response] = await once(http.get({ host, port: clear, path: `/${at}`, agent: kept }), 'response');
    return body(response);
  }),
);
console.log(got.join());
kept.destroy();

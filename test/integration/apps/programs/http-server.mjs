// An HTTP server as thousands are: routes, streams both ways, an orderly end at SIGTERM.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';

const server = createServer({ keepAliveTimeout: 2000 }, (request, response) => {
  response.sendDate = false;
  const [, route, argument] = request.url.split('/');
  switch (route) {
    case '': {
      const { localAddress, localPort, remoteAddress, remoteFamily } = request.socket;
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ localAddress, localPort, remoteAddress, remoteFamily }));
      return;
    }
    case 'bytes':
      response.setHeader('Content-Length', argument);
      Readable.from(zeros(Number(argument))).pipe(response);
      return;
    case 'echo':
      request.pipe(response);
      return;
    case 'trailer':
      response.setHeader('Trailer', 'X-End');
      response.write('body');
      response.addTrailers({ 'X-End': 'yes' });
      setTimeout(() => response.end(), 20);
      return;
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    default:
      response.statusCode = 404;
      response.end('no such thing\n');
  }
});

function* zeros(count) {
  const chunk = Buffer.alloc(50_000);
  for (let left = count; left > 0; left -= chunk.length)
    yield left < chunk.length ? chunk.subarray(0, left) : chunk;
}

server.listen(8080, '0.0.0.0', () => console.log(`listening on ${JSON.stringify(server.address().port)}`));
process.on('SIGTERM', () => {
  server.close(() => console.log('closed'));
});

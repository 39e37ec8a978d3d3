// An express application, CommonJS as most are: middleware, JSON, a file, an error handler.
const express = require('express');

const app = express();
app.disable('x-powered-by');
app.use((_request, response, next) => {
  response.sendDate = false;
  next();
});
app.use(express.json());
// A kernel that has IPv6 shows an IPv4 peer that way to a server that named no host.
const from = (request) => request.ip.replace('::ffff:', '');
app.get('/hello/:name', (request, response) => {
  response.json({ hello: request.params.name, from: from(request) });
});
app.post('/sum', (request, response) => response.json({ sum: request.body.a + request.body.b }));
app.get('/source', (_request, response) =>
  response.sendFile(__filename, { lastModified: false, etag: false }),
);
app.get('/redirect', (_request, response) => response.redirect('/hello/again'));
app.get('/fail', () => {
  throw new Error('as asked');
});
app.use((error, _request, response, _next) => response.status(500).json({ error: error.message }));

const server = app.listen(8080, () => console.log('listening'));
process.once('SIGTERM', () => server.close(() => console.log('closed')));

// A fastify application: schema, parameters, JSON both ways, an error.
import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastify from 'fastify';

const app = fastify({ forceCloseConnections: true });
app.addHook('onSend', async (_request, reply) => void reply.raw.setHeader('Date', 'today'));
app.get('/hello/:name', async ({ params, ip }) => ({ hello: params.name, from: ip }));
const body = {
  type: 'object',
  required: ['a', 'b'],
  properties: { a: { type: 'number' }, b: { type: 'number' } },
};
app.post('/sum', { schema: { body } }, async ({ body: { a, b } }) => ({ sum: a + b }));
app.get('/source', (_request, reply) => reply.send(createReadStream(fileURLToPath(import.meta.url))));
app.get('/fail', async () => {
  throw new Error('as asked');
});

console.log(await app.listen({ port: 8080, host: process.argv[2] }));
console.log('listening');
process.on('SIGTERM', async () => {
  await app.close();
  console.log('closed');
});

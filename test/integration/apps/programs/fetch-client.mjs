// Requests to a server by Node's own fetch and by undici; the server's address is the first argument, one where nobody listens the
// second.
import { createHash } from 'node:crypto';
import { Agent, Client, request } from 'undici';

const [base, nobody] = process.argv.slice(2);
const hash = (data) => createHash('sha256').update(data).digest('hex').slice(0, 16);

const plain = await fetch(`${base}/whoami`);
console.log('fetch', plain.status, await plain.text());

const moved = await fetch(`${base}/redirect`);
console.log('redirect', moved.redirected, await moved.text());

const sent = Buffer.alloc(3_000_000, 'abc');
const posted = await fetch(`${base}/echo`, { method: 'POST', body: sent });
console.log('post', hash(Buffer.from(await posted.arrayBuffer())) === hash(sent));

const many = await Promise.all(
  Array.from({ length: 40 }, async (_, at) => (await fetch(`${base}/number/${at}`)).text()),
);
console.log(
  'forty',
  many.map(Number).every((number, at) => number === at),
);

const packed = await fetch(`${base}/gzip`);
console.log('gzip', packed.headers.get('content-encoding'), (await packed.text()).length);

const aborted = await fetch(`${base}/never`, { signal: AbortSignal.timeout(100) }).catch((error) => error);
console.log('aborted', aborted.name);

const refused = await fetch(`${nobody}/`).catch((error) => error);
console.log('refused', refused.message, refused.cause.code, refused.cause.syscall, refused.cause.address);

const { statusCode, body } = await request(`${base}/bytes/5000000`);
let received = 0;
for await (const chunk of body) received += chunk.length;
console.log('undici', statusCode, received);

// Several requests under way on one connection.
const client = new Client(base, { pipelining: 5 });
const answers = await Promise.all(
  Array.from({ length: 10 }, async (_, at) =>
    (await client.request({ path: `/number/${at}`, method: 'GET' })).body.text(),
  ),
);
console.log('pipelined', answers.join());
await client.close();

const agent = new Agent({ connections: 1, headersTimeout: 300 });
const late = await request(`${base}/never`, { dispatcher: agent }).catch((error) => error);
console.log('late', late.code);
await agent.destroy();

// The name is looked up by getaddrinfo, as ever; Node asks for the machine's hosts file there.
const named = await fetch(`http://localhost:${new URL(nobody).port}/`).catch((error) => error);
console.log('localhost', named.message);

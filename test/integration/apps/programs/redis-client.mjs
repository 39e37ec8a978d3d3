// What programs do with Redis: values, pipelines, a transaction, publish and subscribe, a blocking call.
import { once } from 'node:events';
import { Redis } from 'ioredis';

const [host, port] = process.argv.slice(2);
const redis = new Redis({ host, port: Number(port) });
console.log('ping', await redis.ping());
await redis.flushall();
console.log('set', await redis.set('greeting', 'grüß Gott'), await redis.get('greeting'));

const big = 'x'.repeat(3_000_000);
await redis.set('big', big);
console.log('big', (await redis.get('big')) === big);

const pipeline = redis.pipeline();
for (let i = 0; i < 2000; i++) pipeline.incrby('counter', i);
const results = await pipeline.exec();
console.log('pipeline', results.length, results.at(-1));
console.log('multi', await redis.multi().set('a', 1).incr('a').exec());

const subscriber = redis.duplicate();
await subscriber.subscribe('news');
const message = once(subscriber, 'message');
await redis.publish('news', 'extra');
console.log('message', await message);

const waiting = redis.duplicate();
const popped = waiting.brpop('list', 5);
setTimeout(() => redis.lpush('list', 'at last'), 50);
console.log('popped', await popped);

console.log('error', await redis.incr('greeting').catch((error) => error.message));
const from = (await redis.client('LIST')).split('\n').filter(Boolean);
console.log('connections', from.length, new Set(from.map((line) => /addr=([\d.]+):/.exec(line)[1])));
await Promise.all([redis.quit(), subscriber.quit(), waiting.quit()]);
// The server's FIN comes with its last answer, or a moment later.
if (redis.status !== 'end') await once(redis, 'end');
console.log('status', redis.status);

const refused = new Redis({ host, port: 1, retryStrategy: null, lazyConnect: true });
refused.on('error', (error) => console.log('refused', error.code, error.syscall, error.address, error.port));
await refused.connect().catch((error) => console.log('connect', error.message));

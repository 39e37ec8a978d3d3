// What programs do with PostgreSQL: a pool, parameters, transactions, notifications, errors, much data.
import { once } from 'node:events';
import pg from 'pg';

const [host, port, password] = process.argv.slice(2);
const settings = { host, port: Number(port), user: 'postgres', password, database: 'postgres' };
const pool = new pg.Pool({ ...settings, max: 5 });
console.log((await pool.query('SELECT inet_client_addr() AS from, $1::int + 1 AS next', [41])).rows);

await pool.query(
  'DROP TABLE IF EXISTS thing; CREATE TABLE thing (id serial PRIMARY KEY, name text, data bytea)',
);
const insert = 'INSERT INTO thing (name, data) SELECT $1 || n, $2 FROM generate_series(1, $3) n';
console.log((await pool.query(insert, ['name ', Buffer.alloc(1000, 1), 2000])).rowCount);
const all = await pool.query('SELECT * FROM thing ORDER BY id');
console.log(
  all.rows.length,
  all.rows[1999].name,
  all.rows.reduce((sum, { data }) => sum + data.length, 0),
);

const sums = await Promise.all(
  Array.from({ length: 50 }, (_, n) => pool.query('SELECT $1::int * 2 AS twice', [n])),
);
console.log(
  sums.reduce((sum, { rows }) => sum + rows[0].twice, 0),
  pool.totalCount,
);

const client = await pool.connect();
await client.query('BEGIN');
await client.query('DELETE FROM thing');
await client.query('ROLLBACK');
console.log((await client.query('SELECT count(*) FROM thing')).rows[0].count);
await client.query('LISTEN channel');
const notification = once(client, 'notification');
await pool.query("NOTIFY channel, 'payload'");
console.log((await notification)[0].payload);
const wrong = await client.query('SELECT nothing').catch((error) => error);
console.log(wrong.code, wrong.message);
client.release();
await pool.end();

const stranger = new pg.Client({ ...settings, password: 'wrong' });
console.log((await stranger.connect().catch((error) => error)).code);
const nobody = new pg.Client({ ...settings, port: 1 });
const refused = await nobody.connect().catch((error) => error);
console.log(refused.code, refused.syscall, refused.address, refused.port);

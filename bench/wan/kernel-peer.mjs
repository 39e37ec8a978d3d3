// One end of a transfer on the running kernel, in whose network namespace this process is.
//   kernel-peer.mjs receive BYTES SECONDS      listens; says `ready`, and then what it got
//   kernel-peer.mjs send BYTES SECONDS TO      says `ready`, begins when a line comes in, and says what the kernel counted, at
//                                              the end or at SIGTERM

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { payload, sha256 } from './payload.mjs';

const PORT = 5001;
const CONNECT_ATTEMPTS = 10;
const [role, bytes, seconds, to] = process.argv
  .slice(2)
  .map((word, i) => (i === 1 || i === 2 ? Number(word) : word));

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

function receive() {
  // Written to, so that no page of it is first touched, and fetched from the machine, in the middle of a transfer.
  const got = Buffer.alloc(bytes, 1);
  const server = net.createServer((socket) => {
    server.close();
    const from = performance.now();
    let count = 0;
    let last = from;
    const report = (ended) => {
      say({ bytes: count, seconds: (last - from) / 1000, ended, sha256: sha256(got.subarray(0, count)) });
      process.exit(0);
    };
    socket.on('data', (data) => {
      data.copy(got, count);
      count += data.length;
      last = performance.now();
    });
    socket.on('end', () => report('end'));
    socket.on('error', (error) => report(error.code));
    // What counts is all that came in the time given.
    setTimeout(() => {
      last = performance.now();
      report('time');
    }, seconds * 1000);
  });
  server.listen(PORT, '0.0.0.0', () => say({ ready: true }));
}

/** TcpExt of this namespace. */
function counters() {
  const lines = readFileSync('/proc/net/netstat', 'utf8').split('\n');
  const [names, values] = lines.filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '));
  return Object.fromEntries(names.slice(1).map((name, i) => [name, Number(values[i + 1])]));
}

/**
 * What an earlier transfer left asks for the host's hardware address before the host is there, and a connection that comes upon
 * that fails with it; or the network loses three requests in a row. Neither is what is measured.
 */
async function connect() {
  for (let attempt = 1; ; attempt++) {
    const socket = net.connect(PORT, to);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (error.code !== 'EHOSTUNREACH' || attempt === CONNECT_ATTEMPTS) throw error;
      await sleep(100);
    }
  }
}

async function send() {
  const data = payload(bytes);
  say({ ready: true });
  await once(process.stdin, 'data');
  process.stdin.destroy();
  const before = counters();
  const report = () => {
    const after = counters();
    const moved = Object.entries(after).map(([name, value]) => [name, value - before[name]]);
    say({ counters: Object.fromEntries(moved.filter(([, value]) => value !== 0)) });
    process.exit(0);
  };
  process.on('SIGTERM', report);
  const socket = await connect();
  // The receiver may have had enough before all is sent.
  socket.on('error', () => {});
  socket.on('close', report);
  socket.end(data);
  socket.resume();
}

if (role === 'receive') receive();
else await send();

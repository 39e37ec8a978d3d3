// HTTP/1.1 with keep-alive, a GET of 1 KB, 64 connections, by wrk.

import { inNamespace, place, tapstackServer } from '../contenders.mjs';
import { run } from '../shell.mjs';

const PORT = 8080;

const servers = [
  {
    name: 'tapstack-net-http',
    title: 'Node http on tapstack/net',
    port: 7004,
    path: '/',
    command: tapstackServer('bench-server', '--api', 'net'),
  },
  {
    name: 'tapstack-http',
    title: 'tapstack http',
    port: PORT,
    path: '/bytes/1024',
    command: tapstackServer('http', '--quiet', '--port', `${PORT}`),
    ready: /listening/,
  },
  {
    name: 'node-http',
    title: 'Node http, kernel',
    kernel: true,
    port: PORT,
    path: '/',
    command: inNamespace(process.execPath, new URL('../http-server.mjs', import.meta.url).pathname),
  },
].map((contender, index) => ({ ...contender, ...place(20 + index) }));

const perSecond = (text) => Number(/Requests\/sec:\s*([\d.]+)/.exec(text)?.[1]);

/** wrk's `1.23ms` in microseconds. */
function microseconds(text, percentile) {
  const [, value, unit] = new RegExp(`^\\s+${percentile}%\\s+([\\d.]+)(us|ms|s)`, 'm').exec(text) ?? [];
  return Number(value) * { us: 1, ms: 1e3, s: 1e6 }[unit];
}

export const http = {
  name: 'http',
  title: 'HTTP keep-alive, GET of 1 KB, 64 connections',
  unit: 'per second',
  metric: 'perSecond',
  contenders: servers,
  /** Rounds: wrk knows whole seconds only. */
  most: 3,
  mostWarmUps: 2,
  async measure({ contender }) {
    const url = `http://${contender.server}:${contender.port}${contender.path}`;
    const text = await run('wrk', ['-t1', '-c64', '-d1s', '--latency', url], 20);
    if (/Non-2xx|Socket errors/.test(text)) throw new Error(`wrk saw errors:\n${text}`);
    return { perSecond: perSecond(text), p50: microseconds(text, 50), p99: microseconds(text, 99) };
  },
};

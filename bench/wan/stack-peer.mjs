// The same end of a transfer on tapstack, over a TAP device that stands in the bridge of a network namespace.
//   stack-peer.mjs receive|send BYTES SECONDS TO NETNS ADDRESS NEAR-ADDRESS SYSCTLS
// It says `devices` once they are there for the bridge to take, the second for the warm-up, and goes on when a line comes in; then
// `ready`, and a sender waits for another line.

import { once } from 'node:events';
import * as t from 'tapstack';
import { payload, sha256 } from './payload.mjs';
import { warmUpInLab, warmUpNearby } from './warm-up.mjs';

const PORT = 5001;
/** For the other end to connect. */
const CONNECT_MS = 30_000;
const [role, bytesText, secondsText, to, netns, address, nearAddress, sysctls] = process.argv.slice(2);
const bytes = Number(bytesText);
const seconds = Number(secondsText);

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const must = (result) => {
  if (result < 0) throw new Error(`a system call failed: ${t.errnoName(result)}`);
  return result;
};

await warmUpInLab(JSON.parse(sysctls)['net.ipv4.tcp_congestion_control']);
const link = await t.TapLink.open({ name: 'stack', netns });
// Frames of the size that comes from far away.
const near = await t.TapLink.open({ name: 'near', netns, offload: false });
const stack = await t.Stack.create({ link, address, sysctl: JSON.parse(sysctls) });
const { sys, blocking } = stack;
say({ devices: [link.name, near.name] });
await once(process.stdin, 'data');
await warmUpNearby(stack, address, near, nearAddress);
const before = stack.snmp().TcpExt;

async function receive() {
  const listener = must(sys.socket(t.AF_INET, t.SOCK_STREAM, 0));
  must(sys.bind(listener, { family: t.AF_INET, address: '0.0.0.0', port: PORT }));
  must(sys.listen(listener, 1));
  // Written to, so that no page of it is first touched, and fetched from the machine, in the middle of a transfer.
  const got = new Uint8Array(bytes + 1).fill(1);
  // What was needed to come so far shall not be cleared away in the middle of a transfer.
  globalThis.gc();
  say({ ready: true });
  const fd = must(await blocking.accept(listener, { signal: AbortSignal.timeout(CONNECT_MS) }));
  const from = performance.now();
  let count = 0;
  let last = from;
  const report = (ended) => {
    say({ bytes: count, seconds: (last - from) / 1000, ended, sha256: sha256(got.subarray(0, count)) });
    process.exit(0);
  };
  // What counts is all that came in the time given.
  setTimeout(() => {
    last = performance.now();
    report('time');
  }, seconds * 1000);
  for (;;) {
    const result = await blocking.recv(fd, got.subarray(count), bytes + 1 - count);
    if (result <= 0) report(result < 0 ? t.errnoName(result) : 'end');
    count += result;
    last = performance.now();
  }
}

async function send() {
  const fd = must(sys.socket(t.AF_INET, t.SOCK_STREAM, 0));
  const report = () => {
    const moved = Object.entries(stack.snmp().TcpExt).map(([name, value]) => [name, value - before[name]]);
    const counters = moved.filter(([, value]) => value !== 0);
    const info = { value: undefined };
    sys.getsockopt(fd, t.IPPROTO_TCP, t.TCP_INFO, info);
    say({ counters: Object.fromEntries(counters), info: info.value });
    process.exit(0);
  };
  process.on('SIGTERM', report);
  const data = payload(bytes);
  globalThis.gc();
  say({ ready: true });
  await once(process.stdin, 'data');
  must(await blocking.connect(fd, { family: t.AF_INET, address: to, port: PORT }));
  // The receiver may have had enough before all is sent.
  await blocking.write(fd, data, bytes);
  sys.shutdown(fd, t.SHUT_WR);
  await blocking.read(fd, new Uint8Array(1), 1);
  report();
}

if (role === 'receive') await receive();
else await send();

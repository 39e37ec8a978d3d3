// Workers that are terminated while they are inside the addon, in whichever of its calls: the process lives on, and no device stays.
// Run by tap-lifetime.test.ts in a process of its own; prints for each call what was left of it.

import { createRequire } from 'node:module';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const { Nic, removeNetns } = createRequire(import.meta.url)('../../build/Release/tapstack.node');

const NAME = 'scene1';
const options = { name: NAME, mtu: 1400, hostAddress: '10.78.1.1/24', offload: true, persist: false };
const attempt = (call) => {
  try {
    call();
  } catch {} // what it says is other tests' business
};

/** What is called until the end: `prepare` once, and the function it returns over and over. */
const calls = {
  open: () => () => new Nic(options).close(),
  'open in vain': () => () => attempt(() => new Nic({ ...options, name: '' })),
  'remove in vain': () => () => attempt(() => removeNetns('tapstack-none')),
  start: () => {
    const nic = new Nic(options);
    return () => attempt(() => nic.start(new ArrayBuffer(64), {}, attempt, attempt, attempt));
  },
  stats: () => {
    const nic = new Nic(options);
    return () => nic.stats();
  },
  'switch NAPI': () => {
    const nic = new Nic({ ...options, napi: true });
    let threaded = false;
    return () => {
      threaded = !threaded;
      nic.threadNapi(threaded);
    };
  },
  others: () => {
    const nic = new Nic(options);
    return () => [nic.info, nic.takeIn(), nic.flush(), nic.turn(), nic.ref(), nic.busyPoll(5)];
  },
};

async function terminate(call) {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: call });
  await new Promise((resolve) => worker.once('message', resolve));
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
  return worker.terminate();
}

if (isMainThread) {
  for (const call of Object.keys(calls)) {
    const codes = new Set();
    for (let i = 0; i < 5; i++) codes.add(await terminate(call));
    console.log(`${call}: ${[...codes]}, ${NAME in networkInterfaces()}`);
  }
} else {
  const again = calls[workerData]();
  parentPort.postMessage('ready');
  for (;;) again();
}

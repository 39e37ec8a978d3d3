// Ways for a process or a worker to end or misbehave with a device open. Each runs in a process of its own (see
// tap-lifetime.test.ts): `node --expose-gc tap-scenarios.mjs SCENARIO`, prints what it saw, and leaves an exit status.

import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const { Nic } = createRequire(import.meta.url)('../../build/Release/tapstack.node');

const layout = {
  ctrlOffset: 0,
  rxDescOffset: 1024,
  rxDescCount: 64,
  txDescOffset: 8192,
  txSlots: 64,
  txHeaderOffset: 16384,
  txHeaderSlot: 256,
  rxListOffset: 4096,
  rxBlocks: 16,
  rxBlockSize: 69632,
};
const NAME = 'scene0';
const there = () => NAME in networkInterfaces();
const nothing = () => {};
const open = (more = {}) =>
  new Nic({ name: NAME, mtu: 1500, hostAddress: '10.78.1.1/24', offload: true, persist: false, ...more });

/** Starts a device; every batch of frames goes to `onReceive`. */
function start(onReceive, onError = nothing, onFlush = nothing, nic = open(), more = {}) {
  const memory = new ArrayBuffer(2 << 20);
  const posted = new Int32Array(memory, layout.rxListOffset, layout.rxBlocks);
  for (let i = 0; i < posted.length; i++) posted[i] = 65536 + i * layout.rxBlockSize;
  nic.start(memory, { ...layout, ...more }, onReceive, onFlush, onError);
  return { nic, memory, words: new Int32Array(memory) };
}

/** How often the event loop goes round in so many milliseconds. */
async function turns(ms) {
  const before = performance.nodeTiming.uvMetricsInfo.loopCount;
  await new Promise((resolve) => setTimeout(resolve, ms));
  return performance.nodeTiming.uvMetricsInfo.loopCount - before;
}

/** Puts a frame of 1,060 bytes, with that number in it, into the transmit ring. */
function commit({ words, memory }, number) {
  const slot = words[0] % layout.txSlots;
  const frame = layout.txHeaderOffset + slot * layout.txHeaderSlot + 18;
  new DataView(memory).setUint32(frame + 14, number);
  words.fill(0, layout.txDescOffset / 4 + slot * 12, layout.txDescOffset / 4 + slot * 12 + 12);
  words.set([frame, 60, 65536, 1000], layout.txDescOffset / 4 + slot * 12);
  words[0]++;
}

/** The host sends to an address behind the device: an ARP request arrives, again and again. */
function knock() {
  const socket = createSocket('udp4');
  const timer = setInterval(() => socket.send('knock', 9, '10.78.1.2', nothing), 20);
  return () => {
    clearInterval(timer);
    socket.close();
  };
}

const scenarios = {
  /** Nobody holds the object, yet the device works until it is closed; afterwards the object is garbage. */
  async gc() {
    let batches = 0;
    let enough = nothing;
    const collected = new FinalizationRegistry(() => console.log('collected'));
    (() => {
      const nic = open();
      collected.register(nic, 'nic');
      start(
        () => {
          if (++batches === 3) enough();
        },
        nothing,
        nothing,
        nic,
      );
      scenarios.close = () => nic.close();
    })();
    const stop = knock();
    const timer = setInterval(gc, 5);
    await new Promise((resolve) => {
      enough = resolve;
    });
    console.log(`alive ${there()}`);
    scenarios.close();
    delete scenarios.close;
    console.log(`closed ${!there()}`);
    stop();
    setTimeout(() => clearInterval(timer), 200);
  },

  /** Exceptions out of every callback reach uncaughtException; the device goes on. */
  throws() {
    const seen = [];
    process.on('uncaughtException', (error) => seen.push(error.message));
    const stop = knock();
    const bench = start(
      () => {
        bench.words[2] = 1;
        if (seen.length < 4) throw new Error('receive');
        bench.nic.close();
        stop();
        console.log([...new Set(seen)].sort().join(' '));
      },
      nothing,
      () => {
        throw new Error('flush');
      },
    );
  },

  /** An exception that nobody handles ends the process, and the device and its namespace with it. */
  uncaught() {
    const nic = open({ netns: 'tapstack-scene' });
    start(nothing, nothing, nothing, nic);
    console.log(`netns ${existsSync('/run/netns/tapstack-scene')}`);
    setTimeout(() => {
      throw new Error('nobody handles this');
    }, 20);
  },

  /** Closing, twice, in the middle of a batch. */
  'close-inside'() {
    const stop = knock();
    const bench = start(() => {
      bench.nic.close();
      bench.nic.close();
      bench.nic.flush();
      stop();
      console.log(`closed ${!there()} frames ${bench.nic.stats().rxFrames > 0}`);
    });
  },

  /** Microtasks of a batch have run before deferred work is asked for, and that before the frames go out. */
  order() {
    const said = [];
    const stop = knock();
    const bench = start(
      () => {
        if (said.length > 0) return;
        said.push('receive');
        bench.words[2] = 1;
        process.nextTick(() => said.push('tick'));
        Promise.resolve().then(() => said.push('microtask'));
      },
      nothing,
      () => {
        said.push(`flush ${bench.words[2]}`);
        bench.nic.close();
        stop();
        console.log(said.join(', '));
      },
    );
  },

  /** The memory goes away under the device. */
  detach() {
    const stop = knock();
    const bench = start(nothing, (code, message) => {
      console.log(`${code} ${message}`);
      bench.nic.flush();
      bench.nic.close();
      stop();
    });
    structuredClone(bench.memory, { transfer: [bench.memory] });
  },

  /** The device goes away under us. */
  removed() {
    const bench = start(nothing, (code, message) => {
      console.log(`${code} ${message}`);
      bench.words[0] = 5;
      bench.nic.flush();
      bench.nic.close();
    });
    setTimeout(() => execFileSync('ip', ['link', 'delete', NAME]), 20);
  },

  /** An open device that was unreferenced does not keep the process. */
  unref() {
    const { nic } = start(nothing);
    nic.unref();
    nic.ref();
    nic.unref();
    console.log('free to go');
  },

  /** Opened, never started, never closed. */
  forgotten() {
    open();
    console.log(`open ${there()}`);
  },

  'exit-inside'() {
    knock();
    start(() => process.exit(7));
  },

  /** Workers that end in every way while their device is open: the device is gone, the process well. */
  async worker() {
    for (const ending of [
      'returns',
      'exits',
      'exits-inside',
      'throws',
      'throws-inside',
      'terminated',
      'forgets',
    ]) {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: ending });
      worker.on('error', nothing);
      const opened = new Promise((resolve) => worker.once('message', resolve));
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      const was = await opened;
      if (ending === 'terminated') setTimeout(() => worker.terminate(), 50);
      const code = await ended;
      console.log(`${ending}: ${was} then ${there()}, ${code}`);
    }
  },

  /** Frames come while no block is posted to receive them; later some are. */
  async 'no-blocks'() {
    const stop = knock();
    const bench = start(() => {
      console.log('received');
      bench.nic.close();
      stop();
    });
    const posted = new Int32Array(bench.memory, layout.rxListOffset, layout.rxBlocks);
    const blocks = posted.slice();
    posted.fill(0);
    await turns(100);
    const count = await turns(300);
    console.log(count < 200 ? 'sleeps' : `went round ${count} times`);
    posted.set(blocks);
  },

  /** The descriptor says that it has something, and every read of it fails. */
  async fails() {
    const nic = new Nic({ fd: 3, vnetHdr: false });
    start(nothing, console.log, nothing, nic);
    const count = await turns(300);
    console.log(count < 200 ? 'sleeps' : `went round ${count} times`);
    console.log(`errors ${nic.stats().rxErrors > 5}`);
    nic.close();
  },

  /** Frames that were read ahead of their turn, while the device is full and says nothing. */
  ahead() {
    const nic = new Nic({ fd: 3, vnetHdr: false });
    let received = 0;
    const receive = (count) => {
      received += count;
      if (received === 5) finish();
    };
    const finish = () => {
      clearTimeout(timer);
      console.log(`received ${received}`);
      nic.close();
    };
    const timer = setTimeout(finish, 3000);
    const bench = start(receive, console.error, nothing, nic, { rxDescCount: 1 });
    for (let i = 0; nic.stats().txEagain === 0; i++) {
      commit(bench, i);
      nic.flush();
    }
    console.log('full');
    readSync(0, Buffer.alloc(1)); // until they are there, all of them
  },

  /** The device is removed, and a frame sent finds that out, while others have been read ahead. */
  'removed-ahead'() {
    let full = 0;
    const receive = (count) => {
      // In the second full batch, wherever the frames begin that the host sends of itself.
      if (count < 30 || ++full !== 2) return;
      execFileSync('ip', ['link', 'delete', NAME]);
      commit(bench, 0);
    };
    const gone = (code) => {
      console.log(`${code} ${bench.nic.stats().rxDropped > 0 || bench.nic.info.noIoUring !== null}`);
      bench.nic.close();
    };
    const nic = open({ offload: false, noGro: true });
    const bench = start(receive, gone, nothing, nic, { rxDescCount: 30 });
    execFileSync('ip', ['neigh', 'add', '10.78.1.2', 'lladdr', '02:00:00:00:00:02', 'dev', NAME]);
    const script = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(120): s.sendto(bytes(1400), ("10.78.1.2", 9))`;
    execFileSync('python3', ['-c', script]);
  },

  /** A descriptor handed over as number 3 that is full at times: everything comes out, once and in order. */
  full() {
    const count = Number(process.argv[3]);
    const nic = new Nic({ fd: 3, vnetHdr: false });
    let next = 0;
    const fail = (...said) => {
      console.error(...said);
      process.exit(1); // or it would offer its frames for ever
    };
    const bench = start(nothing, fail, nothing, nic);
    const timer = setInterval(() => {
      while (next < count && bench.words[0] - bench.words[1] < layout.txSlots) commit(bench, next++);
      if (next < count || bench.words[0] !== bench.words[1]) return;
      clearInterval(timer);
      console.log(JSON.stringify(nic.stats()));
      nic.close();
    }, 1);
  },
};

/** The worker's side of the scenario `worker`. */
function workerEnds(ending) {
  if (ending === 'forgets') {
    open();
    postMessage(there());
    return;
  }
  const bench = start(() => {
    if (ending === 'exits-inside') process.exit(3);
    if (ending === 'throws-inside') throw new Error('inside');
  });
  postMessage(there());
  if (ending === 'returns') bench.nic.unref();
  if (ending === 'exits') setTimeout(() => process.exit(2), 20);
  if (ending === 'throws') throw new Error('outside');
  if (ending.endsWith('inside')) knock();
}

if (isMainThread) {
  await scenarios[process.argv[2]]();
} else {
  const { parentPort } = await import('node:worker_threads');
  globalThis.postMessage = (message) => parentPort.postMessage(message);
  workerEnds(workerData);
}

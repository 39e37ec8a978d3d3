// Preloaded: tells, when the program has run, how many full collections 40,000 buffers of 64 KiB start beside 64 MiB that are alive, if
// each is let go of at once.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

let full = 0;
const observer = new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++;
});
const alive = new ArrayBuffer(64 << 20);

process.once('beforeExit', async () => {
  observer.observe({ entryTypes: ['gc'] });
  for (let turn = 0; turn < 40; turn++) {
    for (let i = 0; i < 1000; i++) Buffer.allocUnsafeSlow(64 << 10);
    await sleep(2);
  }
  await sleep(50);
  console.log('full', full, 'beside', alive.byteLength);
});

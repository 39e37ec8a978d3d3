// Where the host's share of what we send is done: inside our writes (NAPI by softirq), or by a thread of the kernel's on another
// processor (threaded NAPI). The thread pays for a busy event loop with many small frames or several bulk streams, costs a wake-up where the
// loop sleeps, and both depend on the machine: so it is tried (trial.ts).

import type { Nic } from './native-nic.js';
import { isBusy, sentSize } from './traffic-window.js';
import { alike, type Knob } from './trial.js';

const FRAMES_PER_MS = 1;
/** What it brings where it brings something is 1.1 to 1.9; traffic itself varies by a few hundredths. */
const GAIN = 1.05;
/** Once it has brought something it is given up where it costs as much: one trial in ten of something that pays finds that it does not. */
const LOSS = 1 / GAIN;
/** No longer worth a thread: the loop sleeps; or frames are of another size, data instead of acknowledgements, say. */
const IDLE = 0.6;
const OTHER_SIZE = 4;

export const napiKnob = (nic: Pick<Nic, 'threadNapi' | 'stats'>): Knob => ({
  turn: (on) => nic.threadNapi(on),
  // Turning it on fails where the device is gone or no thread can be made.
  state() {
    const { napi } = nic.stats();
    return napi === 'threaded' ? 'on' : napi === 'softirq' ? 'off' : 'turning';
  },
  promises: (window) => isBusy(window) && window.txFrames >= window.length * FRAMES_PER_MS,
  bears: (window, before) => alike(sentSize(window), before.size, OTHER_SIZE),
  fits: (window, found) => window.busy >= IDLE && alike(sentSize(window), found.size, OTHER_SIZE),
  pays: (before, now, proven) => now.rate >= before.rate * (proven ? LOSS : GAIN),
});

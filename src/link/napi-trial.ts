// Where the host's share of what we send is done: inside our writes (NAPI by softirq), or by a thread of the kernel's on another
// processor (threaded NAPI). The thread pays for a busy event loop with many small frames, costs a wake-up where the loop sleeps, and both
// depend on the machine: so it is tried (trial.ts).

import type { Nic } from './native-nic.js';
import { isBusy, sendsLarge } from './traffic-window.js';
import type { Knob } from './trial.js';

const FRAMES_PER_MS = 1;
/** What it brings where it brings something is 1.1 to 1.9; traffic itself varies by a few hundredths. */
const GAIN = 1.05;
/** Once it has brought something it is given up where it costs as much: one trial in ten of something that pays finds that it does not. */
const LOSS = 1 / GAIN;
/** No longer worth a thread: the loop sleeps. (Copying large frames stays with us, and the thread only competes for the cache.) */
const IDLE = 0.6;

export const napiKnob = (nic: Pick<Nic, 'threadNapi' | 'stats'>): Knob => ({
  turn: (on) => nic.threadNapi(on),
  // Turning it on fails where the device is gone or no thread can be made.
  state() {
    const { napi } = nic.stats();
    return napi === 'threaded' ? 'on' : napi === 'softirq' ? 'off' : 'turning';
  },
  promises: (window) =>
    isBusy(window) && !sendsLarge(window) && window.txFrames >= window.length * FRAMES_PER_MS,
  bears: (window) => !sendsLarge(window),
  fits: (window) => window.busy >= IDLE && !sendsLarge(window),
  pays: (before, now, proven) => now.rate >= before.rate * (proven ? LOSS : GAIN),
});

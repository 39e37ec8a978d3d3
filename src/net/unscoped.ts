// Calls outside every callback scope of Node's. What tls and http2 are given there, they answer with callbacks at the top, and programs'
// ticks run after each, as upon a native handle. Only the addon can call so; without it ticks run when a piece of data is worked through.

import { type NativeNic, nativeNic } from '../link/native-nic.js';

/** What is called so. */
export interface Unscoped {
  /** True: it wants to be called once more. */
  onUnscoped(): boolean;
}

/** Whose turn is interrupted by such calls. */
export interface Turns {
  /** A call is about to be made, at the end of a batch: what it brings about waits for `endUnscoped`. */
  beginUnscoped(): void;
  endUnscoped(): void;
}

let addon: NativeNic | null | undefined;
const waiting: Unscoped[] = [];
const turns: Turns[] = [];
const unwound: (() => void)[] = [];
let stepping = false;
let current: Turns | null = null;

/** Whether such calls can be made. */
export function canUnscope(): boolean {
  if (addon === undefined) {
    try {
      addon = nativeNic();
      addon.unscoped(step, settle);
    } catch {
      addon = null;
    }
  }
  return addon !== null;
}

/** `each.onUnscoped()` before the batch's answers are sent, or before the event loop looks for events again. */
export function unscope(each: Unscoped, turn: Turns): void {
  waiting.push(each);
  turns.push(turn);
  if (waiting.length === 1) addon?.armUnscoped();
}

/** `work()` when none of these calls is under way: C++ that is on the stack cannot hear of what it has asked for. */
export function whenUnwound(work: () => void): void {
  if (stepping) unwound.push(work);
  else process.nextTick(work);
}

/** Whoever throws keeps its place. True: somebody waits. */
function step(inBatch: boolean): boolean {
  if (waiting.length === 0) return false;
  stepping = true;
  if (inBatch) {
    current = turns[0];
    current.beginUnscoped();
  }
  const again = waiting[0].onUnscoped();
  const each = waiting.shift() as Unscoped;
  const turn = turns.shift() as Turns;
  if (again) {
    waiting.push(each);
    turns.push(turn);
  }
  return waiting.length > 0;
}

/** In a callback again. */
function settle(): void {
  stepping = false;
  const turn = current;
  current = null;
  for (const work of unwound.splice(0)) process.nextTick(work);
  turn?.endUnscoped();
}

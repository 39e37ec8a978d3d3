// A listener of a recorded stack: what a program tells it is an event, and what its `onSyn` says to a SYN an answer that the journal keeps,
// so that a replay does without the program.

import { Listener } from '../kernel/listener-handle.js';
import type { OnSyn, SynVerdict } from '../tcp/listen/steering.js';
import { ANSWER, OUT_ON_SYN, STEER } from './format.js';
import type { Recorder } from './recorder.js';

/** Settings of a Listener that a program may change; `pause` and `resume` beside them. */
export const POLICIES = ['synOverflow', 'acceptOverflow', 'wakeOrder'] as const;
/** What a hook may say, as the journal has it; the last: it threw, or said something else. */
export const ANSWERS: readonly (SynVerdict | 'nothing valid')[] = [
  'accept',
  'drop',
  'reset',
  'cookie',
  'nothing valid',
];

/** Programs get the hooks that they have set, and not those that ask them. */
const programs = new WeakMap<OnSyn, OnSyn>();

/** Writes down from now on how `listener` is steered. `number`: of the handle, by which a replay knows it. */
export function recordListener(listener: Listener, number: number, recorder: Recorder): Listener {
  /** It has been done: a refusal has changed nothing, and is nobody's business. */
  const steered = (name: string, value: unknown): void =>
    recorder.event(
      STEER,
      (to) => {
        to.unsigned(number);
        to.string(name);
        recorder.values.write(to, value);
      },
      nothing,
    );
  const setting = (name: (typeof POLICIES)[number]): PropertyDescriptor => ({
    get: () => Reflect.get(Listener.prototype, name, listener),
    set: (value: unknown) => {
      Reflect.set(Listener.prototype, name, value, listener);
      steered(name, value);
    },
  });
  for (const name of POLICIES) Object.defineProperty(listener, name, setting(name));
  Object.defineProperty(listener, 'onSyn', {
    get: () => {
      const hook = Reflect.get(Listener.prototype, 'onSyn', listener) as OnSyn | null;
      return hook === null ? null : (programs.get(hook) ?? hook);
    },
    set: (hook: OnSyn | null) => {
      const asks = typeof hook === 'function' ? asking(hook, recorder) : hook;
      Reflect.set(Listener.prototype, 'onSyn', asks, listener);
      steered('onSyn', hook !== null);
    },
  });
  const { pause, resume } = Listener.prototype;
  return Object.assign(listener, {
    pause: (options?: { refuse?: boolean }) => {
      pause.call(listener, options);
      steered('pause', listener.paused === 'refusing');
    },
    resume: () => {
      resume.call(listener);
      steered('resume', null);
    },
  });
}

function asking(hook: OnSyn, recorder: Recorder): OnSyn {
  const asks: OnSyn = (syn) => {
    let answer: ReturnType<OnSyn> | null = null;
    let says = ANSWERS.length - 1;
    try {
      answer = recorder.outcall(OUT_ON_SYN, () => hook(syn));
      const known = ANSWERS.indexOf(answer ?? 'accept');
      if (known >= 0) says = known;
    } finally {
      if (recorder.during) recorder.record(ANSWER, (to) => to.byte(says));
    }
    return answer;
  };
  programs.set(asks, hook);
  return asks;
}

function nothing(): void {}

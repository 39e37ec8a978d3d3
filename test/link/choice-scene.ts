// A device that is made up, twenty milliseconds of its traffic at a time, and what it chooses by itself.

import { napiKnob } from '../../src/link/napi-trial.js';
import { pollKnob } from '../../src/link/poll-trial.js';
import { TapChoices } from '../../src/link/tap-choices.js';
import { TrafficMeter } from '../../src/link/traffic-window.js';
import { Trial } from '../../src/link/trial.js';

const BATCHES = 4;

/** In a window: so many frames and bytes each way; and milliseconds asleep, spent looking in vain, run, and waited for a processor. */
export interface Work {
  frames: number;
  bytes: number;
  slept: number;
  spun?: number;
  cpu?: number;
  waited?: number;
}

export const ROUND_TRIPS: Work = { frames: 2000, bytes: 200_000, slept: 0 };

export interface State {
  threaded: boolean;
  polls: boolean;
}

/** Traffic of `windows` times 20 ms, as `work` has it for the state that the device is in; says what was switched, and after which. */
export class Scene {
  readonly said: string[] = [];
  window = 0;
  /** How often the kernel's thread was kept off the processor that the loop ran on. */
  keptOff = 0;
  /** What becomes of a switch of NAPI. */
  switches: 'at once' | 'never' | 'in vain' = 'at once';
  #napi: 'softirq' | 'threaded' | 'switching' = 'softirq';
  #polls = 0;
  #frames = 0;
  #bytes = 0;
  #now = 0;
  #slept = 0;
  #spun = 0;
  #cpu = 0;
  #waited = 0;
  readonly #choices: TapChoices;

  constructor(...about: ('napi' | 'poll')[]) {
    const knobs = {
      napi: napiKnob({ threadNapi: (threaded) => this.#thread(threaded), stats: () => this.#stats() }),
      poll: pollKnob({
        busyPoll: (us) => {
          this.#polls = us;
          this.said.push(`${this.window}: polls ${us}`);
        },
      }),
    };
    const time = {
      now: () => this.#now,
      slept: () => this.#slept,
      processor: () => ({ ran: this.#cpu, waited: this.#waited }),
    };
    const trials = about.map((name) => new Trial(knobs[name]));
    const nic = {
      keepThreadOff: () => {
        this.keptOff++;
      },
    };
    this.#choices = new TapChoices(nic, trials, new TrafficMeter(() => this.#stats(), time));
  }

  #thread(threaded: boolean): void {
    const to = threaded ? 'threaded' : 'softirq';
    this.said.push(`${this.window}: ${to}`);
    if (this.switches === 'at once') this.#napi = to;
    else if (this.switches === 'never') this.#napi = 'switching';
  }

  #stats() {
    const none = {
      rxDropped: 0,
      rxErrors: 0,
      rxBusyPolled: 0,
      rxBatched: 0,
      txDropped: 0,
      txInvalid: 0,
      txEagain: 0,
      txBatched: 0,
    };
    const each = {
      rxFrames: this.#frames,
      rxBytes: this.#bytes,
      txFrames: this.#frames,
      txBytes: this.#bytes,
    };
    return { ...none, ...each, rxSpunNs: this.#spun * 1e6, napi: this.#napi };
  }

  play(windows: number, work: (state: State) => Work): void {
    for (let i = 0; i < windows; i++) {
      this.window++;
      const {
        frames,
        bytes,
        slept,
        spun = 0,
        cpu = 20 - slept,
        waited = 0,
      } = work({
        threaded: this.#napi === 'threaded',
        polls: this.#polls !== 0,
      });
      this.#frames += frames;
      this.#bytes += bytes;
      this.#slept += slept;
      this.#spun += spun;
      this.#cpu += cpu;
      this.#waited += waited;
      this.#now += 20;
      for (let batch = 0; batch < BATCHES; batch++) this.#choices.batch();
    }
  }

  pause(ms: number): void {
    this.#now += ms;
    this.#slept += ms;
    for (let batch = 0; batch < BATCHES; batch++) this.#choices.batch();
  }
}

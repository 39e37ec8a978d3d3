// What BBR remembers of one connection (struct bbr), and its filter for the bandwidth. Bandwidth is in packets per microsecond.

export const BBR_STARTUP = 0;
export const BBR_DRAIN = 1;
export const BBR_PROBE_BW = 2;
export const BBR_PROBE_RTT = 3;

/** The most of the last so many rounds, by the best, second and third best of their parts (lib/minmax.c). */
export class WindowedMax {
  #t0 = 0;
  #v0 = 0;
  #t1 = 0;
  #v1 = 0;
  #t2 = 0;
  #v2 = 0;

  get value(): number {
    return this.#v0;
  }

  reset(t: number, v: number): void {
    this.#t0 = t;
    this.#t1 = t;
    this.#t2 = t;
    this.#v0 = v;
    this.#v1 = v;
    this.#v2 = v;
  }

  /** Takes in `v`, measured in round `t`, for a window of `window` rounds. */
  update(window: number, t: number, v: number): void {
    if (v >= this.#v0 || t - this.#t2 > window) {
      this.reset(t, v);
      return;
    }
    if (v >= this.#v1) {
      this.#t1 = t;
      this.#v1 = v;
      this.#t2 = t;
      this.#v2 = v;
    } else if (v >= this.#v2) {
      this.#t2 = t;
      this.#v2 = v;
    }
    const age = t - this.#t0;
    if (age > window) {
      this.#shift(t, v);
      if (t - this.#t0 > window) this.#shift(t, v);
    } else if (this.#t1 === this.#t0 && age > window / 4) {
      this.#t1 = t;
      this.#v1 = v;
      this.#t2 = t;
      this.#v2 = v;
    } else if (this.#t2 === this.#t1 && age > window / 2) {
      this.#t2 = t;
      this.#v2 = v;
    }
  }

  #shift(t: number, v: number): void {
    this.#t0 = this.#t1;
    this.#v0 = this.#v1;
    this.#t1 = this.#t2;
    this.#v1 = this.#v2;
    this.#t2 = t;
    this.#v2 = v;
  }
}

export class BbrState {
  mode = BBR_STARTUP;
  pacingGain = 1;
  cwndGain = 1;
  /** Microseconds; Infinity: not known. */
  minRttUs = Infinity;
  minRttMs = 0;
  /** PROBE_RTT ends then; `draining`: the time is set. */
  draining = false;
  probeRttDoneMs = 0;
  probeRttRoundDone = false;
  readonly bandwidth = new WindowedMax();
  rounds = 0;
  roundStart = false;
  /** The round ends when what was sent with this much delivered is delivered. */
  nextRoundDelivered = 0;
  cycleUs = 0;
  cycleIndex = 0;
  priorCaState = 0;
  priorCwnd = 0;
  packetConservation = false;
  idleRestart = false;
  hasSeenRtt = false;
  fullBandwidth = 0;
  fullRounds = 0;
  fullReached = false;
  /** Long-term sampling: is a policer at work, and what does it let through? */
  ltSampling = false;
  ltInUse = false;
  ltBandwidth = 0;
  ltRounds = 0;
  ltDelivered = 0;
  ltLost = 0;
  ltUs = 0;
  /** How far ACKs run ahead of the bandwidth when they come in bunches. */
  epochUs = 0;
  epochAcked = 0;
  extraRounds = 0;
  extraNow = 0;
  extraBefore = 0;
}

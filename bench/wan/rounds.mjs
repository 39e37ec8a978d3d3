// Transfers side by side where they are slow, one by one where they are fast: what one needs of the machine is its weight. They go
// in rounds that begin together, because programs that are being started would disturb those that run.

/** Resolves all who wait, once `count` do or have said that they will not. */
class Barrier {
  #left;
  #open;
  #opened;

  constructor(count) {
    this.#left = count;
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  leave() {
    if (--this.#left === 0) this.#open();
  }

  wait() {
    this.leave();
    return this.#opened;
  }
}

/** One job of a round; one that fails before it has begun keeps nobody waiting. */
async function runOne(job, lane, barrier) {
  let begun = false;
  try {
    await job.run(lane, () => {
      begun = true;
      return barrier.wait();
    });
  } finally {
    if (!begun) barrier.leave();
  }
}

/**
 * Runs the jobs ({ weight, run(lane, begin) }) in their order, each round in as many lanes and of as much weight as there is;
 * none begins after so many seconds.
 */
export async function runInRounds(jobs, lanes, capacity, seconds) {
  const until = performance.now() + seconds * 1000;
  for (let next = 0; next < jobs.length && performance.now() < until; ) {
    const round = [];
    let weight = 0;
    while (next < jobs.length && round.length < lanes.length) {
      weight += jobs[next].weight;
      if (round.length > 0 && weight > capacity + 1e-9) break;
      round.push(jobs[next++]);
    }
    const barrier = new Barrier(round.length);
    await Promise.all(round.map((job, i) => runOne(job, lanes[i], barrier)));
  }
}

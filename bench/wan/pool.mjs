// Transfers side by side where they are slow, one by one where they are fast: what a lane needs of the machine is its weight.

export class Pool {
  #free;
  #idle;
  #waiting = [];
  #until;

  /** @param lanes Of which each serves one job at a time. @param capacity Weight that may run at once. @param seconds After which no job begins. */
  constructor(lanes, capacity, seconds) {
    this.#idle = [...lanes];
    this.#free = capacity;
    this.#until = performance.now() + seconds * 1000;
  }

  /** Runs all jobs ({ weight, run(lane) }) in their order as far as there is room; rejects with the first failure. */
  async run(jobs) {
    this.#waiting = [...jobs];
    const running = new Set();
    let failure;
    for (;;) {
      while (failure === undefined && this.#fits()) {
        const job = this.#waiting.shift();
        const lane = this.#idle.pop();
        this.#free -= job.weight;
        const done = job
          .run(lane)
          .catch((error) => {
            failure ??= error;
          })
          .finally(() => {
            this.#free += job.weight;
            this.#idle.push(lane);
            running.delete(done);
          });
        running.add(done);
      }
      if (running.size === 0) break;
      await Promise.race(running);
    }
    if (failure !== undefined) throw failure;
  }

  #fits() {
    return (
      performance.now() < this.#until &&
      this.#waiting.length > 0 &&
      this.#idle.length > 0 &&
      this.#waiting[0].weight <= this.#free + 1e-9
    );
  }
}

// Makes a failing scenario small: fewer faults, fewer hosts, as long as it still fails; and says how to run it again.

/** What a property test draws from its seed. */
export interface Scenario<F = unknown> {
  /** Stays the same. */
  seed: number;
  /** How many; `shrink` tries fewer. */
  hosts: number;
  /** Of any shape that JSON can hold; `shrink` leaves out some. */
  faults: readonly F[];
}

/** The smallest scenario found that still fails. */
export interface Shrunk<F> {
  /** That scenario. */
  scenario: Scenario<F>;
  /** The failure of the small scenario. */
  error: unknown;
  /** How often the scenario was run. */
  runs: number;
  /** What to write into a test to see it again. */
  replay: string;
}

/** When `shrink` is content. */
export interface ShrinkOptions {
  /** Least number of hosts that make sense. Default 2. */
  leastHosts?: number;
  /** Runs after which the best so far will do. Default 500. */
  mostRuns?: number;
}

/**
 * `check` rejects where the property does not hold. Resolves to null if it holds for `scenario`; otherwise to the smallest
 * scenario found that fails (faults are left out in halves, quarters and so on, as delta debugging does).
 */
export async function shrink<F>(
  scenario: Scenario<F>,
  check: (scenario: Scenario<F>) => Promise<void>,
  { leastHosts = 2, mostRuns = 500 }: ShrinkOptions = {},
): Promise<Shrunk<F> | null> {
  let runs = 0;
  let error: unknown;
  const fails = async (candidate: Scenario<F>): Promise<boolean> => {
    if (runs >= mostRuns) return false;
    runs++;
    try {
      await check(candidate);
      return false;
    } catch (thrown) {
      error = thrown;
      return true;
    }
  };
  if (!(await fails(scenario))) return null;
  let best = await withFewerFaults(scenario, fails);
  for (let hosts = best.hosts - 1; hosts >= leastHosts; hosts--) {
    const candidate = { ...best, hosts };
    if (!(await fails(candidate))) break;
    best = candidate;
  }
  best = await withFewerFaults(best, fails);
  return { scenario: best, error, runs, replay: `await check(${JSON.stringify(best)});` };
}

async function withFewerFaults<F>(
  scenario: Scenario<F>,
  fails: (candidate: Scenario<F>) => Promise<boolean>,
): Promise<Scenario<F>> {
  let best = scenario;
  for (let size = Math.ceil(best.faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.faults.length; ) {
      const faults = [...best.faults.slice(0, from), ...best.faults.slice(from + size)];
      if (await fails({ ...best, faults })) best = { ...best, faults };
      else from += size;
    }
  }
  return best;
}

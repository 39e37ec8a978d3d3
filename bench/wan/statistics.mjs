// From transfers to ratios: tapstack's goodput over the kernel's, cell by cell, and how sure that is.

/** Mbit/s of what arrived. */
export const goodput = ({ bytes, seconds }) => (bytes * 8) / seconds / 1e6;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function variance(values) {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(1, values.length - 1);
}

/** The ratio of the means, and its standard error, from pairs that share a seed. */
export function ratio(pairs) {
  const kernel = mean(pairs.map((pair) => pair.kernel));
  const stack = mean(pairs.map((pair) => pair.stack));
  const value = stack / kernel;
  const residues = pairs.map((pair) => pair.stack - value * pair.kernel);
  const error = pairs.length < 2 ? Number.NaN : Math.sqrt(variance(residues) / pairs.length) / kernel;
  return { kernel, stack, value, error, pairs: pairs.length };
}

/** Geometric, because a cell at 2 and one at 0.5 are no gain together. */
export const meanRatio = (rows) => Math.exp(mean(rows.map((row) => Math.log(row.value))));

/** @param results { cell, way, who, seed, bytes, seconds } of all transfers; only whole pairs count. */
export function rowsOf(results) {
  const rows = new Map();
  for (const result of results) {
    const key = `${result.cell.name}|${result.way}`;
    const row = rows.get(key) ?? { cell: result.cell, way: result.way, seeds: new Map() };
    rows.set(key, row);
    row.seeds.set(result.seed, { ...row.seeds.get(result.seed), [result.who]: goodput(result) });
  }
  return [...rows.values()].flatMap(({ cell, way, seeds }) => {
    const pairs = [...seeds.values()].filter((pair) => pair.kernel !== undefined && pair.stack !== undefined);
    return pairs.length === 0 ? [] : [{ cell, way, ...ratio(pairs) }];
  });
}

// Numbers by chance that a seed repeats (xorshift).

export function dice(seed) {
  let state = (Math.imul(seed, 2654435761) + 12345) >>> 0 || 1;
  const next = () => {
    state = (state ^ (state << 13)) >>> 0;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state;
  };
  for (let i = 0; i < 8; i++) next();
  return {
    below: (n) => next() % n,
    pick: (list) => list[next() % list.length],
    chance: (p) => next() / 2 ** 32 < p,
    /** One of `[weight, action]`, by weight. */
    weighted(choices) {
      let at = next() % choices.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, action] of choices) {
        if (at < weight) return action;
        at -= weight;
      }
      throw new RangeError('weights are positive');
    },
  };
}

// What the stack is held to: ratios within one run. Each goal is a value computed from the results, and a bound.

/** The median of a contender at a work; NaN where it was not measured, which makes every ratio NaN too. */
const at = (results, work, contender) => results.measured[work]?.contenders[contender]?.median ?? NaN;
const part = (results, work, contender, name) => results.measured[work]?.contenders[contender]?.[name] ?? NaN;

/** `ceiling`: the limit program on the same device, where the goal is not itself about it. */
const times = (what, work, ours, theirs, least, ceiling = null) => ({
  work: what,
  goal: `≥ ${least.toFixed(least < 1 ? 2 : 1)} × ${theirs.title}`,
  value: (results) => at(results, work, ours) / at(results, work, theirs.name),
  ceiling: ceiling === null ? null : (results) => at(results, work, ceiling) / at(results, work, theirs.name),
  met: (value) => value >= least,
  show: (value) => `${value.toFixed(2)} ×`,
});

const node = { name: 'node-net', title: 'Node `net`' };
const kernel = { name: 'kernel', title: 'the C epoll server on the kernel' };
const limit = { name: 'limit', title: 'the limit' };
const lwip = { name: 'lwip', title: 'lwIP' };
const plainLimit = { name: 'limit-plain', title: 'the limit on plain frames' };

const throughNet = [
  ['bulk in', 'in-1'],
  ['bulk out', 'out-1'],
  ['round trips, 1 connection', 'rr-1'],
  ['round trips, 64 connections', 'rr-64'],
  ['connections, 64 in flight', 'crr-64'],
].map(([what, work]) =>
  times(
    `through \`tapstack/net\`: ${what}`,
    work,
    'tapstack-net',
    { name: 'tapstack', title: 'the epoll API' },
    0.8,
  ),
);

export const goals = [
  times('bulk in, one stream', 'in-1', 'tapstack', node, 2, 'limit'),
  times('bulk in, one stream', 'in-1', 'tapstack', limit, 0.85),
  times('bulk in, one stream, cubic', 'in-1-cubic', 'tapstack', node, 2, 'limit'),
  times('bulk in, one stream, cubic', 'in-1-cubic', 'tapstack', limit, 0.85),
  times('bulk out, one stream', 'out-1', 'tapstack', node, 1.1, 'limit'),
  times('bulk out, one stream', 'out-1', 'tapstack', limit, 0.85),
  times('bulk in, plain frames', 'in-1', 'tapstack-plain', lwip, 1.5, 'limit-plain'),
  times('bulk in, plain frames', 'in-1', 'tapstack-plain', plainLimit, 0.7),
  times('bulk out, plain frames', 'out-1', 'tapstack-plain', lwip, 1.5, 'limit-plain'),
  times('bulk out, plain frames', 'out-1', 'tapstack-plain', plainLimit, 0.7),
  times('round trips, 1 connection', 'rr-1', 'tapstack', node, 1.2, 'limit'),
  times('round trips, 1 connection', 'rr-1', 'tapstack', lwip, 0.95, 'limit'),
  {
    work: 'round trips, 1 connection: p99',
    goal: '≤ Node `net`',
    value: (results) => part(results, 'rr-1', 'tapstack', 'p99') / part(results, 'rr-1', 'node-net', 'p99'),
    ceiling: (results) => part(results, 'rr-1', 'limit', 'p99') / part(results, 'rr-1', 'node-net', 'p99'),
    met: (value) => value <= 1,
    show: (value) => `${value.toFixed(2)} ×`,
  },
  times('round trips, 1 connection, busy-polling', 'rr-1', 'tapstack-busy', lwip, 1.3),
  times('round trips, 64 connections', 'rr-64', 'tapstack', node, 1.7, 'limit'),
  times('round trips, 64 connections', 'rr-64', 'tapstack', kernel, 0.9, 'limit'),
  times('connect, request, response, close; 1 in flight', 'crr-1', 'tapstack', node, 1.6, 'limit'),
  times('connect, request, response, close; 64 in flight', 'crr-64', 'tapstack', node, 2.4, 'limit'),
  times('connect, request, response, close; 64 in flight', 'crr-64', 'tapstack', kernel, 1.1, 'limit'),
  times(
    'HTTP keep-alive through `tapstack/net`',
    'http',
    'tapstack-net-http',
    { name: 'node-http', title: 'Node `http` on the kernel' },
    1,
  ),
  {
    work: 'memory of an idle connection, of 100,000',
    goal: '≤ 1,536 bytes',
    value: (results) => results.idle?.tapstack?.counts[100_000]?.own ?? NaN,
    met: (value) => value <= 1536,
    show: (value) => `${Math.round(value).toLocaleString('en-US')} bytes`,
  },
  {
    work: 'an active connection beside 100,000 idle ones',
    goal: '≥ 0.95 × as fast as alone',
    value: (results) =>
      results.idle?.tapstack?.most === 100_000
        ? results.idle.tapstack.beside / results.idle.tapstack.alone
        : NaN,
    met: (value) => value >= 0.95,
    show: (value) => `${value.toFixed(2)} ×`,
  },
  ...throughNet,
];

/**
 * Each goal with what came of it; `met` is null for what was not measured. `ceiling` is what the limit program has, if the goal
 * compares with somebody else, and `possible` whether that would do.
 */
export function judge(results) {
  return goals.map(({ work, goal, value, met, show, ceiling }) => {
    const found = value(results);
    const known = Number.isFinite(found);
    const most = ceiling?.(results) ?? NaN;
    return {
      work,
      goal,
      measured: known ? show(found) : 'not measured',
      met: known ? met(found) : null,
      ceiling: Number.isFinite(most) ? show(most) : '',
      possible: !Number.isFinite(most) || met(most),
    };
  });
}

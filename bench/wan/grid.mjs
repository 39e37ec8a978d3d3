// The networks that bench-wan measures: every loss beside every round trip, then what reorders and repeats. One bandwidth for all,
// and a queue of one bandwidth-delay product before it, as routers have it.

const RATE_MBIT = 50;
/** An Ethernet frame of 1500 bytes with what it takes on the wire. */
const FRAME_BITS = 1538 * 8;
const QUEUE_MIN = 50;

const LOSSES = [0, 0.1, 1, 2, 5];
const RTTS = [1, 10, 50, 200];
const QUICK_LOSSES = [0, 1, 5];
const QUICK_RTTS = [10, 50];

/** Percent; `by` is milliseconds by which a frame is held back. */
const DISORDERS = [
  { rtt: 1, reorder: 1, by: 1 },
  { rtt: 10, reorder: 2, by: 2 },
  { rtt: 50, reorder: 2, by: 10 },
  { rtt: 200, reorder: 2, by: 20 },
  { rtt: 10, duplicate: 2 },
  { rtt: 50, duplicate: 2 },
  { rtt: 10, loss: 0.5, reorder: 1, by: 3, duplicate: 1 },
  { rtt: 50, loss: 0.5, reorder: 1, by: 15, duplicate: 1 },
  { rtt: 200, loss: 0.5, reorder: 1, by: 20, duplicate: 1 },
];

function cell({ rtt, loss = 0, reorder = 0, by = 0, duplicate = 0 }) {
  const queue = Math.max(QUEUE_MIN, Math.round((RATE_MBIT * 1e6 * rtt) / 1000 / FRAME_BITS));
  const faults = [
    `${loss} % lost`,
    ...(reorder > 0 ? [`${reorder} % held back ${by} ms`] : []),
    ...(duplicate > 0 ? [`${duplicate} % twice`] : []),
  ];
  return {
    name: `${rtt} ms, ${faults.join(', ')}`,
    rtt,
    loss,
    reorder,
    by,
    duplicate,
    rate: RATE_MBIT,
    queue,
  };
}

export function grid(quick) {
  const losses = quick ? QUICK_LOSSES : LOSSES;
  const rtts = quick ? QUICK_RTTS : RTTS;
  const plain = losses.flatMap((loss) => rtts.map((rtt) => cell({ rtt, loss })));
  const disorders = quick ? DISORDERS.slice(6, 7) : DISORDERS;
  return [...plain, ...disorders.map(cell)];
}

/** The soak's networks: a draw for each transfer, from mild to bad, all fast enough for 10 MB in reasonable time. */
export function soakCell(index) {
  const pick = (values, step) => values[Math.floor(index / step) % values.length];
  const rtt = pick([1, 5, 20, 60], 1);
  return cell({
    rtt,
    loss: pick([0, 0.2, 1, 3, 5], 4) / (rtt > 20 ? 4 : 1),
    reorder: pick([0, 0, 1, 3], 2),
    by: Math.max(1, rtt / 4),
    duplicate: pick([0, 1, 0], 3),
  });
}

/** Percent: so few that slow start takes all there is before the first is lost. */
const FEW_LOST = 0.5;

/**
 * Mbit/s, rather too much than too little: what decides how many transfers may share the machine. With losses as much as Reno (Mathis
 * et al., 1997); mere disorder costs a sender that adapts nothing, and BBR, which losses do not slow, takes what there is.
 */
export function expectedRate({ rtt, loss, rate }, congestion) {
  if (loss <= FEW_LOST || congestion === 'bbr') return rate;
  return Math.min(rate, (1.22 * 1448 * 8) / (rtt * 1000 * Math.sqrt(loss / 100)));
}

export function wanArguments(cell, seed) {
  return [
    ...['--delay', `${cell.rtt / 2}`, '--loss', `${cell.loss}`, '--duplicate', `${cell.duplicate}`],
    ...(cell.reorder > 0 ? ['--reorder', `${cell.reorder}`, '--reorder-by', `${cell.by}`] : []),
    ...['--rate', `${cell.rate}`, '--queue', `${cell.queue}`, '--seed', `${seed}`],
  ];
}

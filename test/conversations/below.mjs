// What IP does with what carries the segments: fragments in any order, options, wrong lengths and checksums, hops, padding, and ICMP.

import { mixed } from './themes.mjs';

const SOL_IP = 0;
const IP_MINTTL = 21;
const HEADER = 20;

function settings(c) {
  const { chance, pick } = c.dice;
  c.id = 1;
  if (chance(0.2)) c.options.push([SOL_IP, IP_MINTTL, pick([64, 65, 1])]);
  if (chance(0.1)) c.options.push([SOL_IP, 1, 0x10]); // IP_TOS
  if (chance(0.1)) c.options.push([SOL_IP, 2, 99]); // IP_TTL
  if (chance(0.2)) c.sysctl.ipfrag_time = 1;
}

function move(c) {
  const { pick, chance, weighted } = c.dice;
  const length = pick([0, 1, 100, 1000]);
  const odd = (ip, taken = false) => {
    c.segment('P.', { length, ip });
    if (taken) c.sent += length;
  };
  weighted([
    [30, () => mixed(c)],
    [20, () => fragments(c)],
    [8, () => c.segment('P.', { length: pick([1, 100]), ip: { options: options(c) } })],
    [3, () => odd({ spoilt: pick([1, 0x100]) })],
    [3, () => c.segment('.', { length: pick([0, 1, 10]), spoilt: true })],
    [3, () => odd({ ttl: pick([1, 63, 255]) }, false)],
    [3, () => odd({ longer: pick([1, 100, 2000]) })],
    [2, () => c.segment('P.', { length: pick([1, 10]), ip: { longer: pick([-1, -30]) } })],
    [3, () => odd({ words: pick([4, 6, 15]) })],
    [2, () => odd({ version: pick([0, 6]) })],
    [3, () => odd({ padding: pick([1, 6, 46]) }, true)],
    [3, () => odd({ tos: pick([1, 2, 3, 0x10, 0xb8]) }, true)],
    [2, () => odd({ df: false, id: pick([0, 77]) }, true)],
    [3, () => odd({ protocol: pick([47, 132, 255]) })],
    [3, () => c.segment('.', { length, words: pick([4, 6, 15, 0]) })],
    [4, () => c.segment('.', { length, options: pick(TCP_OPTIONS) })],
    [6, () => echo(c)],
    [3, () => c.icmp({ type: pick([0, 9, 15, 17, 18, 42, 99]), code: 0, length: pick([0, 12, 20]) })],
    [
      3,
      () =>
        c.icmp({
          type: 3,
          code: pick([3, 4, 16]),
          rest: 1000,
          quote: { seq: 0, protocol: pick([6, 47]) },
          spoilt: chance(0.2) ? 1 : 0,
        }),
    ],
    [2, () => c.wait(pick([60, 300, 1300]))],
    [3, () => c.call('counters')],
  ])();
}

/** Two windows of nonsense, and one to be skipped. */
const TCP_OPTIONS = [
  [1, 1, 1, 1],
  [0, 0, 0, 0],
  [2, 4, 5, 180],
  [254, 4, 1, 2],
  [8, 10, 0, 0],
  [253, 1, 0, 0],
  [253, 0, 1, 1],
  [5, 4, 0, 0],
];

function options(c) {
  const { pick } = c.dice;
  return pick(
    [
      [1, 1, 1, 1],
      [1, 1, 1, 0],
      [7, 7, 4, 0, 0, 0, 0, 0], // record route
      [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [7, 2, 0, 0],
      [7, 7, 3, 0, 0, 0, 0, 0],
      [68, 8, 5, 0, 0, 0, 0, 0], // timestamps
      [68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0],
      [68, 4, 5, 0],
      [148, 4, 0, 0], // router alert
      [131, 7, 4, 10, 9, 0, 2, 0], // loose source route
      [137, 7, 4, 10, 9, 0, 2, 0],
      [130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // security
      [134, 6, 0, 0, 0, 1, 0, 0], // CIPSO
      [134, 10, 0, 0, 0, 1, 1, 4, 0, 0, 0, 0],
      [134, 10, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0],
      [200, 4, 0, 0],
      [200, 1, 0, 0],
      [200, 9, 0, 0],
      [9],
    ].filter((each) => each.length % 4 === 0),
  );
}

function echo(c) {
  const { pick, chance } = c.dice;
  c.icmp({
    type: 8,
    code: pick([0, 0, 0, 3]),
    rest: 0x12340001,
    length: pick([0, 56, 1000]),
    spoilt: chance(0.1) ? 1 : 0,
    ip: { tos: pick([0, 0x10]), ttl: pick([64, 1]), df: chance(0.5), padding: pick([0, 6]) },
  });
}

/** A segment in pieces: whole, or with one missing, twice, overlapping, or longer than the others allow. */
function fragments(c) {
  const { pick, chance, below } = c.dice;
  const length = pick([100, 500, 1000]);
  const all = HEADER + (c.stamps ? 12 : 0) + length;
  const first = 8 * (4 + below(6));
  const second = first + 8 * (1 + below(4));
  let cuts = pick([
    [
      [0, first, true],
      [first, all, false],
    ],
    [
      [0, first, true],
      [first, second, true],
      [second, all, false],
    ],
  ]);
  let whole = true;
  if (chance(0.5)) cuts = cuts.toReversed();
  if (chance(0.3)) {
    const odd = pick([
      () => cuts.slice(1),
      () => [...cuts, cuts[0]],
      () => [cuts[0], ...cuts],
      () => [[0, first + 8, true], ...cuts],
      () => [cuts[0], [first - 8, all, false]],
      () => cuts.map(([from, to]) => [from, to, true]),
      () => [[0, first - 3, true], ...cuts.slice(1)],
      () => [[8, 16, true]],
    ]);
    cuts = odd();
    whole = false;
  }
  c.segment('P.', { length, ip: { id: c.id++, cuts, ttl: pick([64, 64, 1]), tos: pick([0, 0, 1, 2, 3]) } });
  if (whole) c.sent += length;
}

export const below = { settings, move };

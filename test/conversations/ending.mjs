// Ends, and what comes after them: lingering, TIME_WAIT and who may reuse it, orphans, FINs that nobody acknowledges.

import { closing } from './themes.mjs';

const IPPROTO_TCP = 6;
const TCP_LINGER2 = 8;

function settings(c) {
  const { chance, pick } = c.dice;
  if (chance(0.3)) c.options.push([IPPROTO_TCP, TCP_LINGER2, pick([1, 2, -1])]);
  if (chance(0.2)) c.sysctl.tcp_fin_timeout = pick([1, 3]);
  if (chance(0.2)) c.sysctl.tcp_rfc1337 = 1;
  if (chance(0.2)) c.sysctl.tcp_orphan_retries = pick([1, 2]);
  if (chance(0.2)) c.sysctl.tcp_retries2 = pick([2, 3]);
}

function move(c) {
  const { pick, chance, weighted } = c.dice;
  weighted([
    [50, () => closing(c)],
    [6, () => c.wait(pick([60, 300, 700, 1300, 2600]))],
    [8, () => anew(c)],
    [5, () => orderly(c)],
    [3, () => c.segment('F.', { seq: Math.max(0, c.sent - 1) })],
    [3, () => c.segment('F.', { seq: Math.max(0, c.sent - 1), ack: c.written })],
    [3, () => c.segment('.', { stamp: c.clock - pick([1, 5000]), length: pick([0, 1]) })],
    [
      3,
      () =>
        c.segment(pick(['R', 'R.']), {
          seq: c.sent + pick([0, 0, 1, 100_000]),
          stamp: chance(0.5) ? null : undefined,
        }),
    ],
    [2, () => c.call('set', IPPROTO_TCP, TCP_LINGER2, pick([1, -1, 0]))],
    [2, () => c.call('write', pick([1, 100]), 0)],
    [3, () => c.call('accept')],
  ])();
}

/** Both ends close, one first. */
function orderly(c) {
  const ours = () => {
    c.call(c.dice.pick(['shutdown', 'close']), 1);
    if (!c.finished) c.written++;
    c.finished = true;
  };
  const theirs = () => {
    c.segment('F.');
    c.sent++;
  };
  const first = c.dice.chance(0.6);
  if (first) ours();
  c.ackAll();
  theirs();
  if (!first) {
    ours();
    c.ackAll();
  }
}

/** The same ports again, as a peer that has rebooted or is quick, with numbers after the last or before. */
function anew(c) {
  const { pick, chance } = c.dice;
  const rebase = pick([c.sent + 2, c.sent + 1, c.sent, 10, 1_000_000, -100_000, 0x7fff0000]);
  const stamp = c.stamps ? { stamp: c.clock + pick([0, 1, 10, -1, -10_000, 100_000]) } : {};
  c.segment('S', { ...c.syn, seq: 0, rebase, ...stamp });
  if (!chance(0.7)) return;
  c.sent = 0;
  c.acked = 0;
  c.written = 0;
  c.finished = false;
  c.segment('.');
  c.call('accept');
}

export const ending = { settings, move };

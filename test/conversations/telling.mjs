// What a socket is told aside from its data: ICMP errors (IP_RECVERR), timestamps of what it sent, completions of MSG_ZEROCOPY. With
// losses, so that segments go out again, are cut and are joined between the stamps; but without MSG_ZEROCOPY then (differences.md).

import { complaint } from './opening.mjs';
import { mixed, sending } from './themes.mjs';

const SOL_IP = 0;
const IP_RECVERR = 11;
const SOL_SOCKET = 1;
const SO_TIMESTAMPING = 37;
const SO_ZEROCOPY = 60;
const MSG_ZEROCOPY = 0x4000000;
const MSG_MORE = 0x8000;
const [TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, OPT_ID, TX_SCHED, TX_ACK, TSONLY] = [
  2, 8, 16, 128, 256, 512, 2048,
];

function settings(c) {
  const { chance } = c.dice;
  if (chance(0.6)) c.options.push([SOL_IP, IP_RECVERR, 1]);
  c.zerocopy = chance(0.4);
  if (c.zerocopy) c.options.push([SOL_SOCKET, SO_ZEROCOPY, 1]);
  if (chance(0.2)) c.sysctl.tcp_retries2 = 3;
}

function stamps(c) {
  const { pick, chance } = c.dice;
  const flags = [TX_SOFTWARE, TX_SCHED, TX_ACK, OPT_ID, TSONLY, SOFTWARE, RX_SOFTWARE].filter(() =>
    chance(0.6),
  );
  c.call(
    'set',
    SOL_SOCKET,
    SO_TIMESTAMPING,
    pick([0, flags.reduce((all, flag) => all | flag, 0), 0xfff & ~4]),
  );
}

function move(c) {
  const { pick, weighted } = c.dice;
  const { full } = c;
  const write = (flags) => {
    const bytes = pick([1, 100, full, full * 2 + 5, full * 6]);
    c.call('write', bytes, flags);
    c.written += bytes;
  };
  weighted([
    [10, () => stamps(c)],
    [12, () => write(0)],
    [14, () => write(c.zerocopy ? pick([MSG_ZEROCOPY, MSG_ZEROCOPY, MSG_ZEROCOPY | MSG_MORE]) : 0)],
    [20, () => (c.zerocopy ? mixed(c) : sending(c))],
    [12, () => c.ackAll()],
    [30, () => c.call('errors', pick([0, 10, 2000]))],
    [12, () => complaint(c, [c.acked, c.acked, 0, c.written])],
    [4, () => c.call('error')],
    [4, () => c.data('P.', pick([1, 100]))],
    [3, () => c.call('read', 1000, 0)],
    [4, () => c.call('set', SOL_IP, IP_RECVERR, pick([0, 1]))],
    [2, () => c.zerocopy && c.call('set', SOL_SOCKET, SO_ZEROCOPY, pick([0, 1]))],
    [4, () => c.wait(pick([60, 300, 700]))],
    [1, () => c.segment('R')],
    [1, () => c.call('shutdown', 1)],
  ])();
}

export const telling = { settings, move };

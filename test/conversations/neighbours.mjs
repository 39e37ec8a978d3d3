// ARP beneath a connection: who answers late, never, or with another address, asks us, announces himself, and whether we ask again.
// hw is the last byte of a station's Ethernet address: the peer's is 1; own: it stands in the place of the target's, too.

import { mixed } from './themes.mjs';

const US = '10.9.0.1';
const PEER = '10.9.1.1';
const OTHER = '10.9.1.77';
const [REQUEST, REPLY] = [1, 2];

function settings(c) {
  const { chance, pick } = c.dice;
  c.arp = true;
  c.sysctl['neigh/default/retrans_time_ms'] = pick([330, 540]);
  c.sysctl['neigh/default/delay_first_probe_time'] = 1;
  if (chance(0.3)) c.sysctl['neigh/default/mcast_solicit'] = pick([1, 2]);
  if (chance(0.3)) c.sysctl['neigh/default/ucast_solicit'] = pick([0, 1]);
  if (chance(0.15)) c.options.push([0, 11, 1]); // IP_RECVERR
}

const hear = (c, arp) => c.steps.push({ arp: { sender: PEER, target: US, hw: 1, ...arp }, ms: 25 });

/** What makes us know the peer: an answer, late or at once, or a question of his. */
function greet(c) {
  const { pick } = c.dice;
  pick([
    () => hear(c, { op: REPLY }),
    () => hear(c, { op: REPLY }),
    () => c.wait(pick([60, 300])) ?? hear(c, { op: REPLY }),
    () => hear(c, { op: REQUEST, all: true }),
    () => {},
  ])();
}

function open(c) {
  if (c.dice.chance(0.3)) greet(c);
  if (c.role === 'server') {
    c.segment('S', c.syn);
    greet(c);
    c.window = scaled(c);
    c.segment('.');
    c.call('accept');
  } else {
    c.call('connect');
    greet(c);
    c.segment('S.', { ...c.syn, ack: 0 });
    c.window = scaled(c);
  }
}

const scaled = (c) => (c.scale === null ? c.opening : Math.max(1, c.opening >> c.scale));

function move(c) {
  const { pick, chance, weighted } = c.dice;
  const hw = pick([1, 1, 2, 3]);
  weighted([
    [36, () => mixed(c)],
    [8, () => hear(c, { op: REPLY, hw })],
    [3, () => hear(c, { op: REPLY, hw, all: true })],
    [7, () => hear(c, { op: REQUEST, hw, all: chance(0.6) })],
    [4, () => hear(c, { op: pick([REQUEST, REPLY]), hw, target: PEER, all: true, own: chance(0.6) })],
    [3, () => hear(c, { op: pick([REQUEST, REPLY]), hw, target: OTHER, all: true })],
    [2, () => hear(c, { op: REQUEST, sender: '0.0.0.0', all: true })],
    [2, () => hear(c, { op: pick([REQUEST, REPLY]), hw, sender: OTHER })],
    [3, () => hear(c, { op: pick([REQUEST, REPLY]), hw, ...odd(c) })],
    [14, () => c.wait(pick([60, 300, 700, 1300, 2600]))],
    [3, () => c.call('connect')],
    [2, () => c.call('error')],
    [2, () => c.call('errors', 100)],
    [1, () => c.call('close')],
  ])();
}

function odd(c) {
  return c.dice.pick([
    { sender: US },
    { sender: '127.0.0.1' },
    { sender: '224.0.0.1' },
    { sender: '10.9.255.255' },
    { sender: '192.0.2.1' },
    { target: '224.0.0.1' },
    { target: '127.0.0.1' },
    { target: '10.9.255.255' },
    { target: '0.0.0.0' },
    { op: 3 },
    { hardware: 6 },
    { hardware: 2 },
    { protocol: 0x86dd },
    { short: 4 },
  ]);
}

export const neighbours = { settings, open, move };

// A listener and several peers: full queues, cookies, resets before accept, and what becomes of children that nobody took.

import { drawPeer } from './peers.mjs';

const IPPROTO_TCP = 6;
const PEERS = 5;

function settings(c) {
  const { chance, pick } = c.dice;
  c.backlog = pick([0, 1, 2, 3]);
  c.watched = 'L';
  c.sysctl.tcp_syncookies = pick([0, 1, 1, 2]);
  c.sysctl.tcp_synack_retries = pick([1, 2]);
  if (chance(0.3)) c.sysctl.tcp_abort_on_overflow = 1;
  if (chance(0.3)) c.sysctl.tcp_max_syn_backlog = pick([2, 4, 8]);
  if (chance(0.15)) c.sysctl.tcp_ecn = pick([0, 1]);
  if (chance(0.2)) c.options.push([IPPROTO_TCP, 9, pick([1, 3])]); // TCP_DEFER_ACCEPT
}

function open(c) {
  c.peers = Array.from({ length: PEERS }, () => ({ sent: 0, knocked: false, greeted: false }));
  c.next = 0;
}

function move(c) {
  const { pick, chance, below, weighted } = c.dice;
  const { who, from } = drawPeer(c);
  const slot = c.next > 0 ? below(c.next) : 0;
  weighted([
    [24, () => knock(c, from, who)],
    [24, () => greet(c, from, who)],
    [6, () => say(c, from, who)],
    [3, () => from('F.', {})],
    [4, () => from('R', { seq: pick([who.sent, who.sent + 10]) })],
    [2, () => from('R.', {})],
    [2, () => from('.', { ack: pick([1, 100]) })],
    [2, () => from('S', { ...c.syn, seq: 1000 })],
    [2, () => from('.', { length: pick([1, 100]), seq: who.sent + 10 })],
    [12, () => c.callOn(c.next++, 'accept')],
    [5, () => c.callOn(slot, 'write', pick([1, 100]), 0)],
    [4, () => c.callOn(slot, 'read', 1000, 0)],
    [3, () => c.callOn(slot, 'close')],
    [2, () => c.callOn(slot, 'info')],
    [6, () => c.callOn('L', 'info')],
    [5, () => c.callOn('L', 'poll')],
    [3, () => c.callOn('L', 'listen', pick([0, 1, 4]))],
    [7, () => c.wait(pick([60, 300, 1100, 2200]))],
    [1, () => c.callOn('L', chance(0.7) ? 'close' : 'shutdown', 2)],
    [1, () => c.call('counters')],
  ])();
}

function knock(c, from, who) {
  if (who.knocked && c.dice.chance(0.6)) return;
  who.knocked = true;
  // At its own place: numbers one to three beside a cookie's are another difference (differences.md).
  who.sent = 0;
  from('S', c.syn);
}

function greet(c, from, who) {
  if (!who.knocked && c.dice.chance(0.9)) return;
  if (c.dice.chance(0.3)) say(c, from, who);
  else from('.');
}

function say(c, from, who) {
  const length = c.dice.pick([1, 10, 100]);
  from('P.', { length });
  if (c.dice.chance(0.8)) who.sent += length;
}

export const listening = { role: 'server', settings, open, move };

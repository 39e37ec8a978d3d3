// Data on the SYN: a program that asks for a cookie, has one or does without, and a listener whose peers do.

import { crossing } from './opening.mjs';
import { drawPeer, scaled } from './peers.mjs';
import { mixed } from './themes.mjs';

const IPPROTO_TCP = 6;
const TCP_FASTOPEN = 23;
const TCP_FASTOPEN_CONNECT = 30;
const TCP_FASTOPEN_NO_COOKIE = 34;
const MSG_FASTOPEN = 0x20000000;
/** Kinds of the option: RFC 7413's, and the experimental one. */
const KINDS = [34, 34, 34, 254];
const COOKIE = [1, 2, 3, 4, 5, 6, 7, 8];
const PEERS = 4;

function settings(c) {
  const { chance, pick } = c.dice;
  const set = (name, value) => c.options.push([IPPROTO_TCP, name, value]);
  if (c.role === 'client') {
    c.sysctl.tcp_fastopen = pick([1, 1, 1, 5, 0]);
    c.sysctl.tcp_syn_retries = pick([1, 2]);
    c.sysctl.tcp_fastopen_blackhole_timeout_sec = pick([0, 0, 1, 2]);
    c.deferred = chance(0.4);
    if (c.deferred) set(TCP_FASTOPEN_CONNECT, 1);
    if (chance(0.1)) set(TCP_FASTOPEN_NO_COOKIE, 1);
    return;
  }
  c.watched = 'L';
  c.backlog = pick([1, 2, 8]);
  c.sysctl.tcp_fastopen = pick([2, 3, 3, 0x202, 0x402, 0x603, 1]);
  c.sysctl.tcp_fastopen_key = '00000001-00000002-00000003-00000004';
  c.sysctl.tcp_synack_retries = pick([1, 2]);
  if (chance(0.3)) c.sysctl.tcp_syncookies = pick([0, 2]);
  if (chance(0.8)) set(TCP_FASTOPEN, pick([1, 2, 8]));
  if (chance(0.1)) set(TCP_FASTOPEN_NO_COOKIE, 1);
}

function open(c) {
  c.opened = false;
  c.peers = Array.from({ length: PEERS }, () => ({ sent: 0, knocked: false }));
  c.next = 0;
  if (c.role === 'client') ask(c);
}

/** The program begins, by one call or by two. */
function ask(c) {
  const { pick, chance } = c.dice;
  c.said = pick([1, 1, 100, c.mss - 100, c.mss * 3]);
  if (chance(0.7)) c.call('sendto', c.said, MSG_FASTOPEN);
  else {
    c.call('connect');
    if (chance(0.8)) c.call('write', c.said, 0);
  }
}

function answer(c) {
  const { pick, chance } = c.dice;
  if (c.opened) return;
  const cookie = chance(0.5)
    ? { cookie: { kind: pick(KINDS), value: pick([COOKIE, COOKIE, [], [9, 9, 9, 9], [1, 2]]) } }
    : {};
  const ack = pick([0, c.said, c.said, c.said >> 1, c.said + 1]);
  const length = pick([0, 0, 0, 10]);
  c.segment('S.', { ...c.syn, ...cookie, ack, length, options: chance(0.1) ? [34, 2, 1, 1] : [] });
  c.window = scaled(c);
  c.opened = true;
  c.acked = ack;
  c.written = c.said;
  c.sent = length;
}

/** Another connection from the same port, which may have a cookie now. */
function again(c) {
  c.call('reopen');
  c.opened = false;
  Object.assign(c, { sent: 0, acked: 0, written: 0, finished: false, window: c.opening });
  ask(c);
}

function asClient(c) {
  const { pick, chance, weighted } = c.dice;
  if (c.opened && chance(0.5)) {
    mixed(c);
    return;
  }
  weighted([
    [24, () => answer(c)],
    [14, () => again(c)],
    [3, () => c.call('sendto', pick([1, 100]), MSG_FASTOPEN)],
    [3, () => c.call('connect')],
    [3, () => c.write(pick([1, 100, c.mss]))],
    [4, () => c.segment('R.', { seq: 0, ack: pick([0, c.said, 5]) })],
    [2, () => c.segment('R', { seq: c.sent })],
    [3, () => c.segment('F.', { seq: c.sent + pick([0, 10]) })],
    // Nobody's SYN crosses one that was not sent yet.
    [3, () => !c.deferred && crossing(c)],
    [10, () => c.wait(pick([60, 300, 1100, 1100, 2200, 3300]))],
    [2, () => c.call('read', 1000, 0)],
    [2, () => c.call('error')],
    [1, () => c.call('shutdown', pick([0, 1, 2]))],
    [1, () => c.call('counters')],
  ])();
}

function asServer(c) {
  const { pick, chance, below, weighted } = c.dice;
  const { who, from } = drawPeer(c);
  const knock = () => {
    if (who.knocked && chance(0.6)) return;
    who.knocked = true;
    // One byte is too near to what a SYN cookie takes for the place of the SYN (differences.md).
    const length = pick([0, 0, 10, 100, 1000]);
    const kind = pick(KINDS);
    const cookie = pick([[], 'got', 'got', 'got', 'bad', COOKIE, [1, 2, 3]]);
    who.sent = 0;
    from(chance(0.05) ? 'SF' : 'S', {
      ...c.syn,
      length,
      ...(chance(0.9) ? { cookie: { kind, value: cookie } } : {}),
    });
    if (chance(0.7)) who.sent = length;
  };
  const say = () => {
    const length = pick([1, 100]);
    from('P.', { length });
    who.sent += length;
  };
  const slot = c.next > 0 ? below(c.next) : 0;
  weighted([
    [26, knock],
    [14, () => from('.', { seq: who.sent })],
    [8, say],
    [3, () => from('F.')],
    [4, () => from('R', { seq: who.sent })],
    [2, () => from('R.')],
    [3, () => from('.', { ack: pick([1, 100]) })],
    [14, () => c.callOn(c.next++, 'accept')],
    [8, () => c.callOn(slot, 'write', pick([1, 100, 5000]), 0)],
    [6, () => c.callOn(slot, 'read', 2000, 0)],
    [3, () => c.callOn(slot, pick(['close', 'info', 'poll', 'error']))],
    [1, () => c.callOn(slot, 'shutdown', pick([0, 1, 2]))],
    [3, () => c.callOn('L', pick(['info', 'poll']))],
    [2, () => c.callOn('L', 'set', IPPROTO_TCP, TCP_FASTOPEN, pick([0, 1, 4]))],
    [7, () => c.wait(pick([60, 300, 1100, 2200]))],
    [1, () => c.call('counters')],
    [1, () => c.callOn('L', 'close')],
  ])();
}

const move = (c) => (c.role === 'client' ? asClient(c) : asServer(c));

export const fastopen = { settings, open, move };

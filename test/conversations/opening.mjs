// Active opens: the program connects, and the peer answers with anything, or crosses our SYN with its own.

import { mixed } from './themes.mjs';

const SOL_IP = 0;
const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;

function settings(c) {
  const { chance, pick } = c.dice;
  const set = (level, name, value) => c.options.push([level, name, value]);
  c.sysctl.tcp_syn_retries = pick([1, 2]);
  c.sysctl.tcp_syn_linear_timeouts = pick([0, 1, 4]);
  for (const name of ['timestamps', 'sack', 'window_scaling']) if (chance(0.1)) c.sysctl[`tcp_${name}`] = 0;
  if (chance(0.2)) c.sysctl.tcp_ecn = 1;
  if (chance(0.15)) set(IPPROTO_TCP, 7, pick([1, 2])); // TCP_SYNCNT
  if (chance(0.15)) set(IPPROTO_TCP, 2, pick([200, 536, 1400])); // TCP_MAXSEG
  if (chance(0.1)) set(IPPROTO_TCP, 10, pick([1000, 5000, 70_000])); // TCP_WINDOW_CLAMP
  if (chance(0.1)) set(SOL_IP, 2, pick([1, 33])); // IP_TTL
  if (chance(0.1)) set(SOL_IP, 1, pick([8, 0x10])); // IP_TOS
  if (chance(0.15)) set(SOL_IP, 10, pick([0, 1, 2, 3])); // IP_MTU_DISCOVER
  if (chance(0.15)) set(SOL_IP, 11, 1); // IP_RECVERR
  if (chance(0.05)) set(SOL_IP, 21, 65); // IP_MINTTL
  if (chance(0.1)) set(SOL_SOCKET, 9, 1); // SO_KEEPALIVE
}

function open(c) {
  c.opened = false;
  c.call('connect');
}

/** An error about a segment of ours that starts at one of `seqs`. */
export function complaint(c, seqs) {
  const { pick } = c.dice;
  const [type, code, rest] = pick([
    [3, 0],
    [3, 1],
    [3, 2],
    [3, 3],
    [3, 4, pick([1400, 1000, 600, 552, 300, 68, 0, 1500])],
    [3, 4, pick([1400, 1000, 600])],
    [3, 13],
    [11, 0],
    [12, 0],
    [4, 0],
  ]);
  c.icmp({ type, code, rest: rest ?? 0, quote: { seq: pick(seqs) } });
}

function move(c) {
  const { pick, chance, weighted } = c.dice;
  if (c.opened && chance(0.6)) {
    mixed(c);
    return;
  }
  weighted([
    [12, () => synAck(c, {})],
    [5, () => c.segment('S.', { ...c.syn, ack: pick([-1, 1, 5, 1000]) })],
    [3, () => synAck(c, { length: 10 })],
    [6, () => crossing(c)],
    [3, () => c.segment('R.', { seq: 0, ack: pick([0, 0, 0, 5, -1]) })],
    [2, () => c.segment('R', { seq: pick([0, 100]) })],
    [4, () => c.segment(pick(['.', 'F.', 'P.', '']), { ack: pick([0, 0, -1, 1]), length: pick([0, 0, 10]) })],
    [1, () => c.segment('SF.', { ...c.syn, ack: 0 })],
    [10, () => complaint(c, [-1, -1, -1, 0, 5, -100])],
    [8, () => c.wait(pick([60, 300, 1100, 2200, 4200]))],
    [3, () => c.call('connect')],
    [3, () => c.call('error')],
    [3, () => c.write(pick([1, 100, c.mss * 2]))],
    [2, () => c.call('read', 1000, 0)],
    [1, () => c.call('shutdown', pick([0, 1, 2]))],
    [1, () => c.call('close')],
    [2, () => c.call('get', SOL_IP, 14)], // IP_MTU
    [2, () => c.call('get', IPPROTO_TCP, 2)],
  ])();
}

function synAck(c, more) {
  if (c.opened) return;
  c.segment('S.', { ...c.syn, ack: 0, ...more });
  c.window = c.scale === null ? c.opening : Math.max(1, c.opening >> c.scale);
  c.opened = true;
}

/** A SYN of the peer's without ours in mind; with the options that differences.md tells of, it has them all. */
export function crossing(c) {
  if (c.opened || !c.stamps || !c.sackOk || c.scale === null) return;
  c.segment('S', c.syn);
  if (c.dice.chance(0.5)) c.segment(c.dice.pick(['S.', '.']), { ...c.syn, ack: 0 });
}

export const opening = { role: 'client', settings, open, move };

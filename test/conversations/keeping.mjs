// What a connection is kept by, and what the program asks for meanwhile: shut windows and their probes, keepalive, user timeouts,
// urgent data, and the options that decide when a segment leaves.

import { complaint } from './opening.mjs';

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const MSG_OOB = 1;
const MSG_PEEK = 2;
const MSG_WAITALL = 0x100;
const MSG_MORE = 0x8000;
const SIOCATMARK = 0x8905;
const SIOCINQ = 0x541b;
const SIOCOUTQ = 0x5411;
const SIOCOUTQNSD = 0x894b;

function settings(c) {
  const { chance, pick } = c.dice;
  if (chance(0.2)) c.sysctl.tcp_retries2 = pick([2, 3, 4]);
  if (chance(0.35)) keepAlive(c, (...option) => c.options.push(option));
}

/** The idle time, pauses and probes; seconds. */
function keepAlive(c, set) {
  const { pick } = c.dice;
  set(SOL_SOCKET, 9, 1);
  set(IPPROTO_TCP, 4, pick([1, 2]));
  set(IPPROTO_TCP, 5, 1);
  set(IPPROTO_TCP, 6, pick([1, 2, 3]));
}

function move(c) {
  const { pick, weighted } = c.dice;
  const { mss, full } = c;
  weighted([
    [18, () => c.write(pick([1, 100, full, full * 3, full * 20]))],
    [4, () => c.call('write', pick([1, 100]), pick([MSG_OOB, MSG_MORE, MSG_MORE | MSG_OOB])) ?? c.written++],
    [14, () => c.ackAll()],
    [9, () => shutWindow(c)],
    [5, () => openWindow(c)],
    [8, () => c.data(pick(['.', 'P.']), pick([1, 10, 500, mss]))],
    [5, () => c.data('P.U', pick([1, 20]), { urgent: pick([0, 1, 5, 20, 100]) })],
    [2, () => c.segment('.U', { urgent: pick([0, 1, 10]) })],
    [
      10,
      () =>
        c.call(
          'read',
          pick([1, 10, 100, 65536]),
          pick([0, 0, 0, MSG_PEEK, MSG_OOB, MSG_OOB | MSG_PEEK, MSG_WAITALL]),
        ),
    ],
    [4, () => c.call('ioctl', pick([SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD]))],
    [10, () => option(c)],
    [2, () => keepAlive(c, (...option) => c.call('set', ...option))],
    [10, () => c.wait(pick([60, 300, 700, 1300, 2600, 3300]))],
    [3, () => c.segment('.', { seq: c.sent - 1 })],
    [2, () => c.segment('.')],
    [3, () => complaint(c, [c.acked, c.acked, 0, c.written])],
    [1, () => c.call('error')],
  ])();
}

function option(c) {
  const { pick } = c.dice;
  const [level, name, value] = pick([
    [IPPROTO_TCP, 1, pick([0, 1])], // TCP_NODELAY
    [IPPROTO_TCP, 3, pick([0, 1])], // TCP_CORK
    [IPPROTO_TCP, 12, pick([0, 1])], // TCP_QUICKACK
    [IPPROTO_TCP, 25, pick([1, 1000, 20_000])], // TCP_NOTSENT_LOWAT
    [SOL_SOCKET, 18, pick([1, 5, 100, 5000])], // SO_RCVLOWAT
    [IPPROTO_TCP, 10, pick([0, 1000, 10_000])], // TCP_WINDOW_CLAMP
    [SOL_SOCKET, 8, pick([4096, 16_384, 65_536])], // SO_RCVBUF
    [SOL_SOCKET, 7, pick([4096, 16_384, 65_536])], // SO_SNDBUF
    [IPPROTO_TCP, 18, pick([0, 500, 2000])], // TCP_USER_TIMEOUT
    [SOL_SOCKET, 10, pick([0, 1])], // SO_OOBINLINE
    [SOL_SOCKET, 42, pick([0, 5, -1])], // SO_PEEK_OFF
    [SOL_SOCKET, 9, pick([0, 1])], // SO_KEEPALIVE
    [IPPROTO_TCP, 2, pick([200, 1000])], // TCP_MAXSEG
  ]);
  c.call('set', level, name, value);
}

function shutWindow(c) {
  c.window = 0;
  if (c.dice.chance(0.6)) c.acked = c.written;
  c.segment('.');
}

function openWindow(c) {
  c.window = c.dice.pick([1, Math.max(1, c.mss >> (c.scale ?? 0)), Math.max(1, c.opening >> (c.scale ?? 0))]);
  c.segment('.');
}

export const keeping = { settings, move };

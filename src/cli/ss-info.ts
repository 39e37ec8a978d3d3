// What `ss -o`, `-p`, `-e`, `-m` and `-i` add to a line, in ss(8)'s own words and order, so that what reads ss reads this.

import type { SocketDetail, TimerDetail } from '../control/protocol.js';
import {
  TCPI_OPT_ECN,
  TCPI_OPT_ECN_SEEN,
  TCPI_OPT_SACK,
  TCPI_OPT_SYN_DATA,
  TCPI_OPT_TIMESTAMPS,
  TCPI_OPT_WSCALE,
  type TcpInfo,
} from '../index.js';

/** ss says nothing of what is as always: this threshold, this much reordering. */
const INFINITE_SSTHRESH = 0x7fffffff;
const USUAL_REORDERING = 3;

/** `users:(("node",pid=1,fd=5))` */
export function usersText({ users }: SocketDetail, program: string, pid: number): string {
  if (users.length === 0) return '';
  return `users:(${users.map(({ fd }) => `("${program}",pid=${pid},fd=${fd})`).join(',')})`;
}

export function timerText({ timer }: SocketDetail): string {
  return timer === null ? '' : `timer:(${timer.name},${duration(timer)},${timer.count})`;
}

/** As ss rounds it: the larger the unit, the less is said below it. */
function duration({ ms }: TimerDetail): string {
  const minutes = Math.floor(ms / 60_000);
  const seconds = minutes > 9 ? 0 : Math.floor((ms % 60_000) / 1000);
  const rest = minutes > 0 || seconds > 9 ? 0 : ms % 1000;
  const secondsText = seconds === 0 ? '' : `${seconds}${rest > 0 ? '.' : 'sec'}`;
  return `${minutes === 0 ? '' : `${minutes}min`}${secondsText}${rest === 0 && ms > 0 ? '' : `${String(rest).padStart(3, '0')}ms`}`;
}

/** Owner and numbers; and, which the real one has not, that a listener pauses. */
export function extendedText({ uid, inode, cookie, paused }: SocketDetail): string {
  const uidText = uid === 0 ? '' : `uid:${uid} `;
  const cookieText = cookie === 0 ? '' : ` sk:${cookie.toString(16)}`;
  return `${uidText}ino:${inode}${cookieText}${paused === undefined ? '' : ` paused:${paused}`}`;
}

export function memoryText({ memory }: SocketDetail): string {
  if (memory === null) return '';
  const { rmem_alloc, rcvbuf, wmem_alloc, sndbuf, fwd_alloc, wmem_queued, optmem, backlog, drops } = memory;
  return (
    `skmem:(r${rmem_alloc},rb${rcvbuf},t${wmem_alloc},tb${sndbuf},f${fwd_alloc},w${wmem_queued},` +
    `o${optmem},bl${backlog},d${drops})`
  );
}

/** TCP_INFO. `numeric`: rates in whole bits per second. */
export function infoText(socket: SocketDetail, numeric: boolean): string {
  const { info, congestion } = socket;
  if (info === null) return '';
  const words: string[] = [];
  /** Adds `name:value`, unless there is nothing to say. */
  const some = (name: string, value: number, text = String(value)): void => {
    if (value > 0) words.push(`${name}:${text}`);
  };
  if (socket.state === 'LISTEN') return [congestion, `cwnd:${info.snd_cwnd}`].join(' ');
  words.push(...optionWords(info));
  if (congestion !== null) words.push(congestion);
  if ((info.options & TCPI_OPT_WSCALE) !== 0) words.push(`wscale:${info.snd_wscale},${info.rcv_wscale}`);
  some('rto', info.rto, general(info.rto / 1000));
  some('backoff', info.backoff);
  if (info.rtt > 0) words.push(`rtt:${general(info.rtt / 1000)}/${general(info.rttvar / 1000)}`);
  some('ato', info.ato, general(info.ato / 1000));
  some('mss', info.snd_mss);
  some('pmtu', info.pmtu);
  some('rcvmss', info.rcv_mss);
  some('advmss', info.advmss);
  some('cwnd', info.snd_cwnd);
  if (info.snd_ssthresh < INFINITE_SSTHRESH) some('ssthresh', info.snd_ssthresh);
  some('bytes_sent', info.bytes_sent);
  some('bytes_retrans', info.bytes_retrans);
  some('bytes_acked', info.bytes_acked);
  some('bytes_received', info.bytes_received);
  some('segs_out', info.segs_out);
  some('segs_in', info.segs_in);
  some('data_segs_out', info.data_segs_out);
  some('data_segs_in', info.data_segs_in);
  words.push(...congestionWords(socket));
  words.push(...rateWords(info, numeric));
  some('delivered', info.delivered);
  some('delivered_ce', info.delivered_ce);
  if (info.delivery_rate_app_limited !== 0) words.push('app_limited');
  words.push(...limitWords(info));
  some('unacked', info.unacked);
  if (info.retrans > 0 || info.total_retrans > 0) words.push(`retrans:${info.retrans}/${info.total_retrans}`);
  some('lost', info.lost);
  some('sacked', info.sacked);
  some('dsack_dups', info.dsack_dups);
  if (info.reordering !== USUAL_REORDERING) some('reordering', info.reordering);
  some('reord_seen', info.reord_seen);
  some('rcv_rtt', info.rcv_rtt, general(info.rcv_rtt / 1000));
  some('rcv_space', info.rcv_space);
  some('rcv_ssthresh', info.rcv_ssthresh);
  some('notsent', info.notsent_bytes);
  some('minrtt', info.min_rtt, general(info.min_rtt / 1000));
  some('rcv_ooopack', info.rcv_ooopack);
  some('snd_wnd', info.snd_wnd);
  some('rcv_wnd', info.rcv_wnd);
  return words.join(' ');
}

function optionWords({ options }: TcpInfo): string[] {
  const names: [number, string][] = [
    [TCPI_OPT_TIMESTAMPS, 'ts'],
    [TCPI_OPT_SACK, 'sack'],
    [TCPI_OPT_ECN, 'ecn'],
    [TCPI_OPT_ECN_SEEN, 'ecnseen'],
    [TCPI_OPT_SYN_DATA, 'fastopen'],
  ];
  return names.filter(([bit]) => (options & bit) !== 0).map(([, name]) => name);
}

function congestionWords({ congestion, congestionInfo }: SocketDetail): string[] {
  if (congestionInfo === null || Object.keys(congestionInfo).length === 0) return [];
  return [
    `${congestion}:(${Object.entries(congestionInfo)
      .map(([name, value]) => `${name}:${value}`)
      .join(',')})`,
  ];
}

function rateWords(info: TcpInfo, numeric: boolean): string[] {
  const words: string[] = [];
  const rate = (name: string, bytesPerSecond: number): void => {
    if (bytesPerSecond > 0) words.push(`${name} ${bitrate(bytesPerSecond * 8, numeric)}`);
  };
  if (info.rtt > 0) rate('send', (info.snd_mss * info.snd_cwnd * 1e6) / info.rtt);
  for (const [name, ms] of [
    ['lastsnd', info.last_data_sent],
    ['lastrcv', info.last_data_recv],
    ['lastack', info.last_ack_recv],
  ] as const)
    if (ms > 0) words.push(`${name}:${ms}`);
  // A bound is only told where there is one.
  const bound = info.max_pacing_rate > 0 ? `/${bitrate(info.max_pacing_rate * 8, numeric)}` : '';
  if (info.pacing_rate > 0) words.push(`pacing_rate ${bitrate(info.pacing_rate * 8, numeric)}${bound}`);
  rate('delivery_rate', info.delivery_rate);
  return words;
}

function limitWords({ busy_time, rwnd_limited, sndbuf_limited }: TcpInfo): string[] {
  if (busy_time === 0) return [];
  const part = (name: string, us: number) =>
    us === 0 ? [] : [`${name}:${Math.floor(us / 1000)}ms(${((us * 100) / busy_time).toFixed(1)}%)`];
  return [
    `busy:${Math.floor(busy_time / 1000)}ms`,
    ...part('rwnd_limited', rwnd_limited),
    ...part('sndbuf_limited', sndbuf_limited),
  ];
}

function bitrate(bits: number, numeric: boolean): string {
  if (numeric || bits <= 1000) return `${numeric ? Math.floor(bits) : general(bits)}bps`;
  return bits > 1e6 ? `${(bits / 1e6).toFixed(1)}Mbps` : `${(bits / 1e3).toFixed(1)}Kbps`;
}

/** printf's %g. */
function general(value: number): string {
  return String(Number(value.toPrecision(6)));
}

// The page at `/`: what TCP_INFO and the socket's options say about the very connection that asks.

import {
  IPPROTO_TCP,
  SO_RCVBUF,
  SO_SNDBUF,
  SOL_SOCKET,
  type Syscalls,
  TCP_CONGESTION,
  TCP_INFO,
  TCP_NODELAY,
  TCP_STATE_NAMES,
  TCPI_OPT_ECN,
  TCPI_OPT_SACK,
  TCPI_OPT_TIMESTAMPS,
  TCPI_OPT_WSCALE,
  type TcpInfo,
} from '../index.js';

const OPTIONS: readonly (readonly [string, number])[] = [
  ['timestamps', TCPI_OPT_TIMESTAMPS],
  ['SACK', TCPI_OPT_SACK],
  ['window scaling', TCPI_OPT_WSCALE],
  ['ECN', TCPI_OPT_ECN],
];

/** Units of struct tcp_info's fields; a field that is not here is a plain number. */
const UNITS: Readonly<Record<string, string>> = {
  rto: 'µs',
  ato: 'µs',
  rtt: 'µs',
  rttvar: 'µs',
  min_rtt: 'µs',
  rcv_rtt: 'µs',
  last_data_sent: 'ms',
  last_data_recv: 'ms',
  last_ack_recv: 'ms',
  snd_mss: 'bytes',
  rcv_mss: 'bytes',
  advmss: 'bytes',
  pmtu: 'bytes',
  rcv_ssthresh: 'bytes',
  rcv_space: 'bytes',
  rcv_wnd: 'bytes',
  snd_wnd: 'bytes',
  bytes_acked: 'bytes',
  bytes_received: 'bytes',
  bytes_sent: 'bytes',
  bytes_retrans: 'bytes',
  notsent_bytes: 'bytes',
  snd_cwnd: 'segments',
  snd_ssthresh: 'segments',
};
/** TCP_INFINITE_SSTHRESH: the connection has never lost anything. */
const INFINITE_SSTHRESH = 0x7fffffff;

type Row = readonly [name: string, value: string];

export function connectionPage(sys: Syscalls, fd: number, requests: number): string {
  const info = option(sys, fd, IPPROTO_TCP, TCP_INFO) as TcpInfo;
  const local = { family: 0, address: '', port: 0 };
  const peer = { family: 0, address: '', port: 0 };
  sys.getsockname(fd, local);
  sys.getpeername(fd, peer);
  const negotiated = OPTIONS.filter(([, bit]) => (info.options & bit) !== 0).map(([name]) => name);
  const connection: Row[] = [
    ['local', `${local.address}:${local.port}`],
    ['peer', `${peer.address}:${peer.port}`],
    ['state', TCP_STATE_NAMES[info.state] ?? String(info.state)],
    ['options agreed', negotiated.join(', ') || 'none'],
    ['requests on this connection', String(requests)],
    ['congestion control', String(option(sys, fd, IPPROTO_TCP, TCP_CONGESTION))],
    ['TCP_NODELAY', String(option(sys, fd, IPPROTO_TCP, TCP_NODELAY))],
    ['SO_RCVBUF', `${option(sys, fd, SOL_SOCKET, SO_RCVBUF)} bytes`],
    ['SO_SNDBUF', `${option(sys, fd, SOL_SOCKET, SO_SNDBUF)} bytes`],
  ];
  const fields = Object.entries(info).map(([name, value]): Row => [name, fieldText(name, value as number)]);
  return page(connection, fields);
}

function option(sys: Syscalls, fd: number, level: number, name: number): unknown {
  const out: { value: unknown } = { value: '' };
  const result = sys.getsockopt(fd, level, name, out as Parameters<Syscalls['getsockopt']>[3]);
  return result < 0 ? 'unknown' : out.value;
}

function fieldText(name: string, value: number): string {
  if (name === 'snd_ssthresh' && value === INFINITE_SSTHRESH) return 'infinite';
  const unit = UNITS[name];
  return unit === undefined ? String(value) : `${value} ${unit}`;
}

function page(connection: readonly Row[], info: readonly Row[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>tapstack: this connection</title>
<style>
:root { color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif; }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { padding: 0.15rem 0.5rem; border-bottom: 1px solid #8884; text-align: left; font-weight: normal; }
td { text-align: right; font-family: ui-monospace, monospace; }
</style>
</head>
<body>
<h1>This connection</h1>
<p>The page came over it, through a TCP/IP stack written in TypeScript. Reload to see the numbers move.</p>
${table(connection)}
<h2>TCP_INFO</h2>
${table(info)}
<p>More bytes: <a href="/bytes/1000">/bytes/1000</a>, or any other number.</p>
</body>
</html>
`;
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ([name, value]) => `<tr><th scope="row">${htmlText(name)}</th><td>${htmlText(value)}</td></tr>`,
  );
  return `<table>\n${lines.join('\n')}\n</table>`;
}

function htmlText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

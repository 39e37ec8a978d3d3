// What is known of an iperf3 test as the JSON that `iperf3 --json` prints: the same names, so that the same scripts read both.

import os from 'node:os';
import { COOKIE_SIZE, IPERF_VERSION } from './iperf3-protocol.js';
import type { IperfStream, StreamInterval } from './iperf3-stream.js';
import type { IperfTest } from './iperf3-test.js';

/** What is known before the test begins. */
export interface TestStart {
  readonly cookie: string;
  /** The other end of the control connection. */
  readonly peer: { address: string; port: number };
  /** Milliseconds since 1970. */
  readonly wallClock: number;
  readonly mss: number;
  readonly sndbuf: number;
  readonly rcvbuf: number;
}

/** The whole report; of a test that was not finished, what there is, and why. */
export function jsonReport(start: TestStart | null, test: IperfTest | null, error: string | null): object {
  return {
    start: { ...(start === null ? {} : startObject(start, test)) },
    intervals: test === null ? [] : intervals(test),
    end: test === null || test.endedAt === 0 ? {} : end(test),
    ...(test?.remote?.serverOutput ?? {}),
    ...(error === null ? {} : { error }),
  };
}

function startObject(start: TestStart, test: IperfTest | null): object {
  const { peer, wallClock, cookie, mss, sndbuf, rcvbuf } = start;
  const other = { host: peer.address, port: peer.port };
  const parameters = test?.parameters;
  return {
    connected: (test?.streams ?? []).map((stream) => ({
      socket: stream.socket,
      local_host: stream.local.address,
      local_port: stream.local.port,
      remote_host: stream.peer.address,
      remote_port: stream.peer.port,
    })),
    version: IPERF_VERSION,
    system_info: `${os.type()} ${os.hostname()} ${os.release()} ${os.machine()}, Node.js ${process.version}`,
    timestamp: { time: new Date(wallClock).toUTCString(), timesecs: Math.floor(wallClock / 1000) },
    ...(test?.role === 'client' ? { connecting_to: other } : { accepted_connection: other }),
    cookie: cookie.slice(0, COOKIE_SIZE - 1),
    ...(parameters?.mss ? { tcp_mss: parameters.mss } : { tcp_mss_default: mss }),
    ...(parameters === undefined
      ? {}
      : {
          ...(parameters.title === null ? {} : { title: parameters.title }),
          ...(parameters.extraData === null ? {} : { extra_data: parameters.extraData }),
          target_bitrate: parameters.rate,
          sock_bufsize: parameters.window,
          sndbuf_actual: sndbuf,
          rcvbuf_actual: rcvbuf,
          test_start: {
            protocol: 'TCP',
            num_streams: parameters.parallel,
            blksize: parameters.blockSize,
            omit: parameters.omit,
            duration: parameters.seconds,
            bytes: parameters.bytes,
            blocks: parameters.blocks,
            reverse: Number(parameters.reverse),
            bidir: Number(parameters.bidirectional),
            tos: parameters.tos,
            target_bitrate: parameters.rate,
          },
        }),
  };
}

/** The streams of a direction, by the name that its sums have; a client names what it sends first, a server what it receives. */
export function directions(test: IperfTest): { suffix: '' | '_bidir_reverse'; streams: IperfStream[] }[] {
  const senders = test.streams.filter(({ sender }) => sender);
  const receivers = test.streams.filter(({ sender }) => !sender);
  const [first, second] = test.role === 'client' ? [senders, receivers] : [receivers, senders];
  if (second.length === 0) return [{ suffix: '', streams: first }];
  if (first.length === 0) return [{ suffix: '', streams: second }];
  return [
    { suffix: '', streams: first },
    { suffix: '_bidir_reverse', streams: second },
  ];
}

function intervals(test: IperfTest): object[] {
  const count = test.streams[0]?.intervals.length ?? 0;
  return Array.from({ length: count }, (_, at) => {
    const sums = directions(test).map(({ suffix, streams }) => [
      `sum${suffix}`,
      sumInterval(
        streams.map((stream) => stream.intervals[at]),
        streams[0].sender,
      ),
    ]);
    return {
      streams: directions(test).flatMap(({ streams }) =>
        streams.map((stream) => streamInterval(stream, stream.intervals[at])),
      ),
      ...Object.fromEntries(sums),
    };
  });
}

function streamInterval({ socket, sender }: IperfStream, interval: StreamInterval): object {
  const { start, end, bytes, omitted } = interval;
  return {
    socket,
    ...transfer(start, end, bytes),
    ...(sender
      ? {
          retransmits: interval.retransmits,
          snd_cwnd: interval.cwnd,
          snd_wnd: interval.wnd,
          rtt: interval.rtt,
          rttvar: interval.rttvar,
          pmtu: interval.pmtu,
        }
      : {}),
    omitted,
    sender,
  };
}

export function sumInterval(all: readonly StreamInterval[], sender: boolean) {
  const [{ start, end, omitted }] = all;
  const bytes = all.reduce((sum, interval) => sum + interval.bytes, 0);
  const retransmits = all.reduce((sum, interval) => sum + interval.retransmits, 0);
  return { ...transfer(start, end, bytes), ...(sender ? { retransmits } : {}), omitted, sender };
}

/** One stream's ends: what its sender wrote and what its receiver read, the other side's part from its results. */
export function streamEnds(test: IperfTest, stream: IperfStream) {
  const remote = test.remote?.streams.find(({ id }) => id === stream.id);
  const own = { bytes: stream.bytes, seconds: test.seconds };
  const other = { bytes: remote?.bytes ?? 0, seconds: remote?.seconds ?? test.seconds };
  const [sent, received] = stream.sender ? [own, other] : [other, own];
  const retransmits = stream.sender ? stream.retransmits : Math.max(0, remote?.retransmits ?? 0);
  return { sent, received, retransmits };
}

export function sumEnds(test: IperfTest, streams: readonly IperfStream[]) {
  const all = streams.map((stream) => streamEnds(test, stream));
  const sum = (value: (each: (typeof all)[number]) => number) =>
    all.reduce((total, each) => total + value(each), 0);
  return {
    sent: { bytes: sum(({ sent }) => sent.bytes), seconds: Math.max(...all.map(({ sent }) => sent.seconds)) },
    received: {
      bytes: sum(({ received }) => received.bytes),
      seconds: Math.max(...all.map(({ received }) => received.seconds)),
    },
    retransmits: sum(({ retransmits }) => retransmits),
  };
}

function end(test: IperfTest): object {
  const sums = directions(test).flatMap(({ suffix, streams }) => {
    const { sent, received, retransmits } = sumEnds(test, streams);
    const { sender } = streams[0];
    return [
      [`sum_sent${suffix}`, { ...transfer(0, sent.seconds, sent.bytes), retransmits, sender }],
      [`sum_received${suffix}`, { ...transfer(0, received.seconds, received.bytes), sender }],
    ];
  });
  const [total, user, system] = test.cpu;
  const remote = test.remote?.cpu ?? [0, 0, 0];
  const theirs = test.remote?.congestion ?? undefined;
  const ours = test.congestion ?? undefined;
  return {
    streams: directions(test).flatMap(({ streams }) => streams.map((stream) => streamEnd(test, stream))),
    ...Object.fromEntries(sums),
    cpu_utilization_percent: {
      host_total: total,
      host_user: user,
      host_system: system,
      remote_total: remote[0],
      remote_user: remote[1],
      remote_system: remote[2],
    },
    sender_tcp_congestion: test.sending > 0 ? ours : theirs,
    receiver_tcp_congestion: test.receiving > 0 ? ours : theirs,
  };
}

function streamEnd(test: IperfTest, stream: IperfStream): object {
  const { sent, received, retransmits } = streamEnds(test, stream);
  const { socket, sender } = stream;
  const measured = sender
    ? {
        max_snd_cwnd: stream.maxCwnd,
        max_snd_wnd: stream.maxWnd,
        max_rtt: stream.maxRtt,
        min_rtt: stream.minRtt,
        mean_rtt: stream.countRtt === 0 ? 0 : Math.round(stream.sumRtt / stream.countRtt),
      }
    : {};
  return {
    sender: { socket, ...transfer(0, sent.seconds, sent.bytes), retransmits, ...measured, sender },
    receiver: { socket, ...transfer(0, received.seconds, received.bytes), sender },
  };
}

function transfer(start: number, end: number, bytes: number) {
  const seconds = end - start;
  return { start, end, seconds, bytes, bits_per_second: seconds > 0 ? (bytes * 8) / seconds : 0 };
}

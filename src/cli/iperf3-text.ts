// An iperf3 test in lines for people, as iperf3 prints them: one per stream and interval, sums below, and both ends' sums at last.

import { directions, streamEnds, sumEnds, sumInterval, type TestStart } from './iperf3-report.js';
import type { IperfTest } from './iperf3-test.js';

const RULE = '- - - - - - - - - - - - - - - - - - - - - - - - -';

export class TextReport {
  readonly #write: (line: string) => void;
  #intervals = 0;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  begin(test: IperfTest, { peer }: TestStart): void {
    this.#write(
      test.role === 'server'
        ? `Accepted connection from ${peer.address}, port ${peer.port}`
        : `Connecting to host ${peer.address}, port ${peer.port}`,
    );
    for (const { socket, local, peer: other } of test.streams)
      this.#write(
        `[${number(socket)}] local ${local.address} port ${local.port} connected to ${other.address} port ${other.port}`,
      );
  }

  interval(test: IperfTest): void {
    if (this.#intervals++ === 0) this.#write(header(test, test.sending > 0 ? 'Retr  Cwnd' : ''));
    else if (test.streams.length > 1) this.#write(RULE);
    for (const { streams } of directions(test)) {
      const [{ sender }] = streams;
      const last = streams.map(({ intervals }) => intervals[intervals.length - 1]);
      streams.forEach((stream, i) => {
        const { start, end, bytes, retransmits, cwnd, omitted } = last[i];
        const more = sender ? `${retr(retransmits)}  ${size(cwnd)}` : '';
        this.#write(`${line(test, number(stream.socket), sender, start, end, bytes)}${more}${note(omitted)}`);
      });
      if (streams.length === 1) continue;
      const sum = sumInterval(last, sender);
      const more = sender ? retr(sum.retransmits ?? 0) : '';
      this.#write(`${line(test, 'SUM', sender, sum.start, sum.end, sum.bytes)}${more}${note(sum.omitted)}`);
    }
  }

  end(test: IperfTest): void {
    this.#write(RULE);
    this.#write(header(test, 'Retr'));
    for (const { streams } of directions(test)) {
      for (const stream of streams)
        this.#ends(test, number(stream.socket), stream.sender, streamEnds(test, stream));
      if (streams.length > 1) this.#ends(test, 'SUM', streams[0].sender, sumEnds(test, streams));
    }
  }

  #ends(test: IperfTest, name: string, sender: boolean, ends: ReturnType<typeof sumEnds>): void {
    const { sent, received, retransmits } = ends;
    this.#write(
      `${line(test, name, sender, 0, sent.seconds, sent.bytes)}${retr(retransmits)}             sender`,
    );
    this.#write(`${line(test, name, sender, 0, received.seconds, received.bytes)}                receiver`);
  }
}

function header(test: IperfTest, more: string): string {
  const role = test.parameters.bidirectional ? '[Role]' : '';
  return `[ ID]${role} Interval           Transfer     Bitrate         ${more}`.trimEnd();
}

function line(
  test: IperfTest,
  name: string,
  sender: boolean,
  start: number,
  end: number,
  bytes: number,
): string {
  const role = test.parameters.bidirectional
    ? `[${sender ? 'TX' : 'RX'}-${test.role === 'client' ? 'C' : 'S'}]`
    : '';
  const span = `${start.toFixed(2).padStart(6)}-${end.toFixed(2).padEnd(6)} sec`;
  const bits = end > start ? (bytes * 8) / (end - start) : 0;
  return `[${name}]${role} ${span}  ${size(bytes)}  ${scaled(bits, 1000, ['bits', 'Kbits', 'Mbits', 'Gbits', 'Tbits'])}/sec  `;
}

const number = (socket: number) => String(socket).padStart(3);
const retr = (count: number) => String(count).padStart(3);
const note = (omitted: boolean) => (omitted ? '  (omitted)' : '');

function size(bytes: number): string {
  return scaled(bytes, 1024, ['Bytes', 'KBytes', 'MBytes', 'GBytes', 'TBytes']);
}

/** Three digits and a unit: `9.44 Gbits`. */
export function scaled(value: number, step: number, units: readonly string[]): string {
  let [rest, unit] = [value, 0];
  while (rest >= step && unit < units.length - 1) {
    rest /= step;
    unit++;
  }
  return `${rest.toFixed(rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0).padStart(4)} ${units[unit]}`;
}

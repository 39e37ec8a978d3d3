// The stock iperf3 client measures our server: in every direction, by all its options. Its own report must be complete, and ours
// must say the same.

import { execFileSync, spawn } from 'node:child_process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { place, type Server, shellAsync, start, tshark, until } from './server.js';

const ROOM = 61;
const KiB = 1024;
/** `-w`: each end's buffer; Linux and we double it. */
const WINDOW = 128 * KiB;

interface Ends {
  bytes: number;
  seconds: number;
  bits_per_second: number;
  retransmits?: number;
}

interface Report {
  start: Record<string, unknown> & {
    connected: { local_port: number; remote_port: number }[];
    test_start: Record<string, unknown>;
  };
  intervals: Record<string, Ends & { omitted: boolean }>[];
  end: Record<string, Ends> & {
    streams: { sender: Ends; receiver: Ends }[];
    cpu_utilization_percent: Record<string, number>;
    sender_tcp_congestion: string;
    receiver_tcp_congestion: string;
  };
  server_output_text?: string;
  error?: string;
}

/** Runs the stock client; its report. */
async function iperf3(stack: string, ...args: string[]): Promise<{ code: number | null; report: Report }> {
  const { code, out } = await shellAsync(`timeout 50 iperf3 -c "$1" --json "\${@:2}"`, stack, ...args);
  return { code, report: JSON.parse(out) as Report };
}

/** Our reports so far. */
function reports(server: Server): Report[] {
  return server.out
    .split(/^(?=\{)/m)
    .filter((text) => text.endsWith('}\n'))
    .map((text) => JSON.parse(text) as Report);
}

async function ourReport(server: Server, count = 1): Promise<Report> {
  await until(() => reports(server).length >= count, `${count} reports`);
  return reports(server)[count - 1];
}

const json = (net: number, ...more: string[]) =>
  start('iperf3', place(ROOM, net), { options: ['--json', ...more] });

const sums = (suffix: string) => [`sum_sent${suffix}`, `sum_received${suffix}`] as const;

describe.each([
  { mode: 'to us', args: ['-P', '4'], streams: 4, directions: [''], net: 1 },
  { mode: 'from us', args: ['-P', '4', '--reverse'], streams: 4, directions: [''], net: 2 },
  {
    mode: 'both ways',
    args: ['-P', '2', '--bidir'],
    streams: 4,
    directions: ['', '_bidir_reverse'],
    net: 3,
  },
])('$mode', ({ args, streams, directions, net }) => {
  test('both reports are complete, and agree', async () => {
    const server = await json(net, '-i', '0.25');
    const window = ['-w', `${WINDOW}`];
    const { code, report } = await iperf3(server.at.stack, '-t', '1', ...window, ...args);
    expect({ code, error: report.error }).toEqual({ code: 0, error: undefined });
    const ours = await ourReport(server);

    expect(ours.start.cookie).toBe(report.start.cookie);
    const ports = (r: Report, end: 'local_port' | 'remote_port') => r.start.connected.map((c) => c[end]);
    expect(ports(ours, 'remote_port').sort()).toEqual(ports(report, 'local_port').sort());

    for (const suffix of directions) {
      // What we receive bears no suffix in our report, nor what it sends in the client's; alone in the test, neither does.
      const [sent, received] = sums(suffix).map((name) => report.end[name]);
      const [ourSent, ourReceived] = sums(suffix).map((name) => ours.end[name]);
      expect(ourSent.bytes).toBe(sent.bytes);
      expect(ourReceived.bytes).toBe(received.bytes);
      expect(ourSent.retransmits).toBe(sent.retransmits);
      // On its way is what lies in the two buffers of each stream, and no more.
      const onTheWay = sent.bytes - received.bytes;
      expect(onTheWay).toBeGreaterThanOrEqual(0);
      expect(onTheWay).toBeLessThanOrEqual(streams * 2 * 2 * WINDOW);
      expect(received.bytes).toBeGreaterThan(1024 * KiB);
      // Reports of intervals add up to the whole of what this end itself did.
      const own = ours.intervals.reduce((sum, interval) => sum + interval[`sum${suffix}`].bytes, 0);
      expect([sent.bytes, received.bytes]).toContain(own);
      expect(ours.intervals.length).toBeGreaterThanOrEqual(4);
    }
    expect(report.end.streams).toHaveLength(streams);
    expect(ours.end.streams).toHaveLength(streams);
    for (const { sender, receiver } of ours.end.streams) {
      expect(sender.bytes).toBeGreaterThanOrEqual(receiver.bytes);
      expect(receiver.bytes).toBeGreaterThan(0);
      expect(receiver.bits_per_second).toBeCloseTo((receiver.bytes * 8) / receiver.seconds, 0);
    }
    const ourCpu = ours.end.cpu_utilization_percent;
    const theirCpu = report.end.cpu_utilization_percent;
    expect(theirCpu.remote_total).toBeCloseTo(ourCpu.host_total, 3);
    expect(ourCpu.remote_total).toBeCloseTo(theirCpu.host_total, 3);
    expect(ourCpu.host_total).toBeGreaterThan(1);
    // "sender" is whoever sends; of a test both ways, each names its own.
    if (directions.length === 1) {
      expect(ours.end.sender_tcp_congestion).toBe(report.end.sender_tcp_congestion);
      expect(ours.end.receiver_tcp_congestion).toBe(report.end.receiver_tcp_congestion);
    }
    await server.stop();
    expect(server.err.replace(/^(.|\n)*Ctrl-C.*\n/, '')).toBe('');
  }, 60_000);
});

test('ends by bytes and by blocks, both ways', async () => {
  const server = await json(4);
  const bytes = 5 * KiB * KiB;
  const forth = await iperf3(server.at.stack, '-n', `${bytes}`, '-P', '2');
  expect(forth.report.end.sum_sent.bytes).toBeGreaterThanOrEqual(bytes);
  const back = await iperf3(server.at.stack, '-n', `${bytes}`, '-R');
  expect(back.report.end.sum_received.bytes).toBeGreaterThanOrEqual(bytes);
  expect(back.report.end.sum_sent.bytes).toBeLessThan(2 * bytes);
  const blocks = await iperf3(server.at.stack, '-k', '50', '-l', '1000', '-R');
  expect(blocks.report.end.sum_sent.bytes).toBeGreaterThanOrEqual(50_000);
  expect(blocks.report.start.test_start.blksize).toBe(1000);
  expect((await ourReport(server, 3)).start.test_start).toMatchObject({
    blksize: 1000,
    blocks: 50,
    reverse: 1,
  });
}, 120_000);

test('does as the options say: congestion control, MSS, no delay, type of service, what is omitted', async () => {
  const server = await start('iperf3', place(ROOM, 5), { options: ['--json'], capture: true });
  const options = ['-C', 'reno', '-M', '700', '-N', '-S', '0x10', '-l', '2000', '-b', '20M', '-O', '1'];
  const { report } = await iperf3(server.at.stack, '-R', '-t', '1', ...options);
  const ours = await ourReport(server);
  expect(report.end.sender_tcp_congestion).toBe('reno');
  expect(ours.start).toMatchObject({ tcp_mss: 700, test_start: { omit: 1, tos: 16, target_bitrate: 20e6 } });
  expect(ours.intervals.map(({ sum }) => sum.omitted)).toEqual(expect.arrayContaining([true, false]));
  // Nothing of the first second is in the sums: 2.5 MB a second at most, of which one is counted.
  expect(report.end.sum_received.bytes).toBeGreaterThan(100_000);
  expect(report.end.sum_received.bytes).toBeLessThan(3_750_000);
  expect(report.end.sum_sent.bytes).toBe(ours.end.sum_sent.bytes);
  await server.stop();
  const data = `ip.src == ${server.at.stack} && tcp.len > 100`;
  const fields = ['-T', 'fields', '-e', 'ip.dsfield', '-e', 'tcp.len'];
  const segments = tshark(server.pcap ?? '', '-Y', data, ...fields).map((line) =>
    line.split('\t').map(Number),
  );
  // (Results are data, too, but of the control connection, which knows neither.)
  const marked = segments.filter(([tos]) => tos === 0x10);
  expect(marked.length).toBeGreaterThan(1000);
  const synAck = `ip.src == ${server.at.stack} && tcp.flags.syn == 1`;
  const mss = tshark(server.pcap ?? '', '-Y', synAck, '-T', 'fields', '-e', 'tcp.options.mss_val').map(
    Number,
  );
  expect(mss).toEqual([1460, 700]);
}, 120_000);

test('tells the client why it will not: UDP', async () => {
  const server = await json(6);
  const { report } = await iperf3(server.at.stack, '-u', '-t', '1');
  expect(report.error).toBe('protocol does not exist');
  expect((await ourReport(server)).error).toContain('UDP');
  // It is there for the next.
  expect((await iperf3(server.at.stack, '-n', '1M')).code).toBe(0);
});

test('one test at a time: others hear that it is busy, and the one is not disturbed', async () => {
  const server = await json(7);
  const first = iperf3(server.at.stack, '-t', '2');
  await until(() => shellStreams(server) >= 2, 'the first test to run');
  const second = await iperf3(server.at.stack, '-t', '1');
  expect(second.report.error).toBe('the server is busy running a test. try again later');
  const { code, report } = await first;
  expect(code).toBe(0);
  expect((await ourReport(server)).end.sum_received.bytes).toBe(report.end.sum_received.bytes);
}, 120_000);

/** Connections of the host to the server. */
function shellStreams(server: Server): number {
  const out = execFileSync('ss', ['-tnH', 'state', 'established', 'dst', server.at.stack], {
    encoding: 'utf8',
  });
  return out.split('\n').filter((line) => line !== '').length;
}

test('survives clients that leave in the middle, and strangers; a server that leaves says so', async () => {
  const server = await start('iperf3', place(ROOM, 8));
  const client = spawn('iperf3', ['-c', server.at.stack, '-t', '20'], { stdio: 'ignore' });
  onTestFinished(() => void client.kill('SIGKILL'));
  await until(() => server.out.includes('connected to'), 'the test to run');
  client.kill('SIGINT');
  await until(() => server.out.includes('the client has terminated'), 'the server to notice');

  const stranger = await shellAsync(
    `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 3 nc -N "$1" 5201 | od -c`,
    server.at.stack,
  );
  expect(stranger.out).not.toContain('\\t');
  const liar = `(head -c 36 /dev/zero | tr '\\0' a; printf '\\0\\0\\0\\0\\005[1,2]') | timeout 3 nc -N "$1" 5201 | od -An -tx1`;
  // PARAM_EXCHANGE, then SERVER_ERROR with IERECVPARAMS and no errno.
  expect((await shellAsync(liar, server.at.stack)).out.trim()).toBe('09 fe 00 00 00 72 00 00 00 00');

  expect((await iperf3(server.at.stack, '-n', '1M')).code).toBe(0);
  const last = iperf3(server.at.stack, '-t', '20');
  await until(() => server.out.split('connected to').length >= 4, 'the last test to run');
  await server.stop('SIGTERM');
  expect((await last).report.error).toContain('the server has terminated');
}, 120_000);

test('in words: what the client asked to see of our output', async () => {
  const server = await start('iperf3', place(ROOM, 9), { options: ['--one-off'] });
  const { report } = await iperf3(server.at.stack, '-t', '1', '-P', '2', '--get-server-output');
  expect(report.server_output_text).toMatch(
    /Accepted connection from 10\.61\.9\.1(.|\n)*\[SUM\].* receiver\n$/,
  );
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  expect(server.out).toContain(report.server_output_text as string);
}, 120_000);

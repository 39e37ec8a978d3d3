// The commands that look into a running stack, as their users run them: beside the real ss on the other end of the same
// connection, with tshark reading the live capture.

import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { SocketDetail, TraceLine } from '../../src/control/protocol.js';
import { privateDirectory } from '../control/private-directory.js';
import {
  main,
  place,
  shell,
  shellAsync,
  start,
  temporaryDirectory,
  tshark,
  until,
  wrongFrames,
} from './server.js';

const ROOM = 62;

function tapstack(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 });
}

/** A command that goes on until it is told to end. */
function launch(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.err += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, said, ended };
}

/** The words of an ss line by name: `mss:1448` and `pacing_rate 5bps` alike. */
function words(line: string): Record<string, string> {
  const named = [...line.matchAll(/(\w+):(\([^)]*\)|\S+)/g)].map(([, name, value]) => [name, value]);
  const spaced = [...line.matchAll(/\b(send|pacing_rate|delivery_rate) (\S+)/g)].map(([, name, value]) => [
    name,
    value,
  ]);
  return Object.fromEntries([...named, ...spaced]);
}

test('ss says of our end what the real ss says of the other, where they are about the same thing', async () => {
  privateDirectory();
  const server = await start('http', place(ROOM, 1));
  const { stack, host } = server.at;
  // A connection that has carried something and stays: half a second request keeps it open.
  const fetch = `exec 5<>/dev/tcp/$1/80; printf 'GET /bytes/200000 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&5
    head -c 200000 <&5 >/dev/null; printf 'GET' >&5; exec cat <&5 >/dev/null`;
  void shellAsync(fetch, stack);
  const theirs = () => shell('ss -tnHOiemo state established dst "$1"', stack).stdout.trim();
  await until(() => Number(words(theirs()).bytes_received ?? 0) > 200_000, 'the answer to arrive');
  await until(() => !/ timer:\(on/.test(theirs()), 'everything to be acknowledged');

  const run = tapstack('ss', '-tnOiemo', '-p', 'state', 'established');
  expect(run).toMatchObject({ status: 0, stderr: '' });
  const [heading, line, ...rest] = run.stdout.trimEnd().split('\n');
  expect(rest).toEqual([]);
  expect(heading).toMatch(/^State +Recv-Q Send-Q Local Address:Port +Peer Address:Port +Process$/);
  expect(line).toMatch(
    new RegExp(
      `^ESTAB +0 +0 +${stack}:80 +${host}:\\d+ +users:\\(\\("node",pid=${server.child.pid},fd=\\d+\\)\\) ino:\\d+`,
    ),
  );

  const [our, their] = [words(line), words(theirs())];
  // What was sent twice (a tail loss probe, while an acknowledgement was put off) arrived once.
  expect(Number(our.bytes_sent) - Number(our.bytes_retrans ?? 0)).toBe(Number(their.bytes_received));
  expect(our).toMatchObject({
    bytes_received: `${Number(their.bytes_acked) - 1}`,
    bytes_acked: `${Number(their.bytes_received)}`,
    data_segs_in: their.data_segs_out,
    mss: their.mss,
    pmtu: their.pmtu,
    advmss: their.advmss,
    wscale: their.wscale.split(',').reverse().join(','),
    snd_wnd: expect.stringMatching(/^\d+$/),
  });
  // The words that both have for a connection that has sent, in the same order.
  const order = (text: string) => [...text.matchAll(/(?<= )(\w+)(?::| \d+bps)/g)].map(([, name]) => name);
  const shared = order(line).filter((name) => order(theirs()).includes(name));
  expect(shared).toEqual(order(theirs()).filter((name) => shared.includes(name)));
  expect(shared).toEqual(
    expect.arrayContaining(['skmem', 'wscale', 'rto', 'rtt', 'mss', 'cwnd', 'segs_out', 'send', 'lastsnd']),
  );
  for (const name of [
    'skmem',
    'rto',
    'rtt',
    'cwnd',
    'send',
    'pacing_rate',
    'segs_out',
    'segs_in',
    'lastsnd',
    'lastrcv',
  ])
    expect(our).toHaveProperty(name);
  expect(line).toMatch(/ ts sack cubic /);

  const json = JSON.parse(tapstack('ss', '-a', '--json', 'sport', '=', ':80').stdout) as SocketDetail[];
  expect(json.map(({ state }) => state)).toEqual(['LISTEN', 'ESTABLISHED']);
  const listening = tapstack('ss', '-tln').stdout.trimEnd().split('\n');
  expect(listening[1]).toMatch(/^LISTEN +0 +4096 +0\.0\.0\.0:80 +0\.0\.0\.0:\*$/);
}, 120_000);

test('tshark reads a live capture, and ends it by going; another is written to a file, cut', async () => {
  privateDirectory();
  const server = await start('http', place(ROOM, 2));
  const { stack, tap } = server.at;
  const file = join(temporaryDirectory(), 'seen.pcapng');
  const toFile = launch('capture', '-i', tap, '-s', '80', file);
  const fields = '-T fields -e frame.interface_name -e tcp.flags.str -e http.request.uri';
  const live = shellAsync(
    `"$1" "$2" capture - | tshark -n -l -r - -c 12 -o ip.check_checksum:TRUE -Y 'http || tcp.flags.syn == 1' ${fields}`,
    process.execPath,
    main,
  );
  // Requests until the reader has had its fill: it may begin to read late.
  let done = false;
  const ended = live.then((result) => {
    done = true;
    return result;
  });
  for (let i = 0; i < 60 && !done; i++)
    await shellAsync('curl -s -m 2 -o /dev/null "http://$1/bytes/1000"; sleep 0.1', stack);
  const { out } = await ended;
  expect(out).toContain(`${tap}\t`);
  expect(out).toContain('/bytes/1000');

  toFile.child.kill('SIGINT');
  expect(await toFile.ended).toBe(0);
  const frames = Number(/^(\d+) frames captured, 0 dropped$/m.exec(toFile.said.err)?.[1]);
  const lengths = tshark(file, '-T', 'fields', '-e', 'frame.cap_len', '-e', 'frame.len').map((line) =>
    line.split('\t').map(Number),
  );
  expect(lengths).toHaveLength(frames);
  expect(Math.max(...lengths.map(([captured]) => captured))).toBe(80);
  expect(Math.max(...lengths.map(([, whole]) => whole))).toBeGreaterThan(1000);

  const counted = join(temporaryDirectory(), 'ten.pcapng');
  const ten = launch('capture', '-c', '10', counted);
  await until(() => tapstack('netstat', '-i').status === 0, 'the server to answer');
  const hurry = setInterval(() => void shellAsync('curl -s -m 2 -o /dev/null "http://$1/"', stack), 200);
  expect(await ten.ended).toBe(0);
  clearInterval(hurry);
  expect(tshark(counted)).toHaveLength(10);
  expect(wrongFrames(counted)).toEqual([]);

  expect(tapstack('capture', '/nowhere/x.pcapng')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('Cannot capture to /nowhere/x.pcapng'),
  });
}, 120_000);

test('a capture says so when its stack ends', async () => {
  privateDirectory();
  const server = await start('echo', place(ROOM, 3));
  const file = join(temporaryDirectory(), 'cut-short.pcapng');
  const capture = launch('capture', file);
  const trace = launch('trace', 'tcp_set_state');
  await until(() => spawnSync('test', ['-s', file]).status === 0, 'the capture to begin');
  const hello = setInterval(
    () => void shellAsync('nc -N -w 2 "$1" 7 <<< hello > /dev/null', server.at.stack),
    200,
  );
  await until(() => trace.said.out !== '', 'the trace to begin');
  clearInterval(hello);
  await server.stop();
  expect(await capture.ended).toBe(0);
  expect(capture.said.err).toContain('frames captured');
  expect(await trace.ended).toBe(0);
}, 120_000);

test('whose stack is killed, a trace and a capture say so; one that is stopped is said to be', async () => {
  privateDirectory();
  const server = await start('echo', place(ROOM, 8));
  const { pid } = server.child;
  server.child.kill('SIGSTOP');
  const silent = tapstack('ss');
  server.child.kill('SIGCONT');
  expect(silent).toMatchObject({ status: 1, stdout: '' });
  expect(silent.stderr).toBe(
    `tapstack: No stack of yours answers; process ${pid} has one, but is stopped, or busy with something else.\n` +
      `  - if it is stopped: kill -CONT ${pid}\n`,
  );

  const trace = launch('trace', '--json');
  const capture = launch('capture', '-');
  await until(() => capture.said.out !== '', 'the capture to begin');
  const hello = setInterval(
    () => void shellAsync('nc -N -w 2 "$1" 7 <<< hello > /dev/null', server.at.stack),
    200,
  );
  await until(() => trace.said.out !== '', 'the trace to begin');
  clearInterval(hello);
  await server.stop('SIGKILL');
  expect([await trace.ended, await capture.ended]).toEqual([1, 1]);
  expect(trace.said.err).toBe(`tapstack: The stack of process ${pid} (echo) has ended; so does its trace.\n`);
  expect(capture.said.err).toContain('so does its capture');
}, 120_000);

test('what cannot be written is said; none of something is refused', async () => {
  privateDirectory();
  const server = await start('http', place(ROOM, 9));
  const full = launch('capture', '/dev/full');
  const hurry = setInterval(
    () => void shellAsync('curl -s -m 2 -o /dev/null "http://$1/"', server.at.stack),
    200,
  );
  expect(await full.ended).toBe(1);
  clearInterval(hurry);
  expect(full.said.err).toMatch(
    /^tapstack: The capture is cut short: \/dev\/full cannot be written \(ENOSPC: .*\)\.\n$/,
  );
  const command = `"$1" "$2" ss -ta > /dev/full`;
  expect(shell(command, process.execPath, main)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^tapstack: Standard output cannot be written: ENOSPC: .*\.\n$/),
  });
  for (const what of [
    ['capture', '-', '-c', '0'],
    ['capture', '-', '-s', '0'],
    ['trace', '-c', '0'],
  ])
    expect(tapstack(...what)).toMatchObject({ status: 2, stderr: expect.stringContaining('1 or more') });
}, 120_000);

test('trace: by points and by port, in words and as JSON; netstat beside it', async () => {
  privateDirectory();
  const server = await start('http', place(ROOM, 4), { options: ['--napi', 'threaded'] });
  const { stack } = server.at;
  const inWords = launch('trace', 'tcp_set_state', 'inet_csk_accept', '--port', '80');
  const inJson = launch('trace', 'inet_csk_accept', '-c', '2', '--json');
  const requests = setInterval(() => void shellAsync('curl -s -m 2 -o /dev/null "http://$1/"', stack), 200);
  expect(await inJson.ended).toBe(0);
  await until(() => inWords.said.out.split('inet_csk_accept').length > 2, 'the trace');
  clearInterval(requests);
  inWords.child.kill('SIGINT');
  expect(await inWords.ended).toBe(0);
  const lines = inJson.said.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TraceLine);
  expect(lines).toMatchObject([
    { point: 'inet_csk_accept', local: `${stack}:80` },
    { point: 'inet_csk_accept', local: `${stack}:80` },
  ]);
  expect(inWords.said.out).toMatch(/^ *\d+\.\d{6} +tcp_set_state +ESTABLISHED -> CLOSE_WAIT +\[/m);
  expect(inWords.said.out).not.toContain('tcp_sendmsg');

  const counters = JSON.parse(tapstack('netstat', '--json').stdout) as Record<string, Record<string, number>>;
  expect(counters.Tcp.PassiveOpens).toBeGreaterThanOrEqual(2);
  expect(tapstack('netstat', 'TcpPassive*').stdout).toMatch(/^#tapstack\nTcpPassiveOpens +\d+\n$/);
  expect(tapstack('netstat', '-s').stdout).toMatch(/^Tcp:\n( {4}\w+: \d+\n)+/m);
  expect(tapstack('netstat', '-r').stdout).toMatch(
    new RegExp(`10\\.62\\.4\\.0/24 +0\\.0\\.0\\.0 +${server.at.tap} +${stack}`),
  );
  const there = tapstack('netstat', '-i').stdout;
  expect(there).toMatch(
    /^ {4}RX [1-9]\d* frames \d+ bytes 0 dropped 0 errors 0 busy-polled \d+ batched\n {4}TX [1-9]\d* frames /m,
  );
  expect(there).toMatch(/ \d+ batched, NAPI threaded$/m);
  expect(there.match(/ RX /g)).toHaveLength(1); // The loopback has no device to count.
  expect(tapstack('trace', '--list').stdout.split('\n')).toContain('ep_poll_callback');
  expect(tapstack('trace', 'tcp_nothing')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('no such trace point'),
  });
}, 120_000);

test('a program that tapstack run has put on the stack is seen by its name', async () => {
  const directory = privateDirectory();
  const program = join(temporaryDirectory(), 'my-app.cjs');
  writeFileSync(
    program,
    "require('http').createServer((_, res) => res.end('hello')).listen(8080, () => console.log('up'));",
  );
  const app = launch('run', ...place(ROOM, 7).options, program);
  await until(() => app.said.out.includes('up'), 'the program to listen');
  await until(() => tapstack('ss', '--name', 'my-app.cjs').status === 0, 'it to be seen');
  expect(tapstack('ss', '-tlpn').stdout).toMatch(
    new RegExp(
      `LISTEN +0 +511 +0\\.0\\.0\\.0:8080 +0\\.0\\.0\\.0:\\* +users:\\(\\("node",pid=${app.child.pid},`,
    ),
  );
  const socket = () => readdirSync(join(directory, 'tapstack'));
  expect(socket()).toEqual([`${app.child.pid}-my-app.cjs.sock`]);
  app.child.kill('SIGTERM');
  await app.ended;
  expect(app.child.signalCode).toBe('SIGTERM');
  expect(socket()).toEqual([]);
}, 120_000);

test('none is running, several are, another is: what to do about it', async () => {
  privateDirectory();
  expect(tapstack('ss')).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^tapstack: No stack of yours is running\.\n {2}- start one: /),
  });
  const echo = await start('echo', place(ROOM, 5));
  const http = await start('http', place(ROOM, 6));
  const several = tapstack('netstat');
  expect(several.status).toBe(1);
  expect(several.stderr).toContain('Several stacks are running. Say which one is meant:');
  expect(several.stderr).toContain(`--pid ${echo.child.pid} --name echo`);
  expect(tapstack('ss', '-tl', '--name', 'http').stdout).toContain('0.0.0.0:80');
  expect(tapstack('ss', '-tl', '--pid', `${echo.child.pid}`).stdout).toContain('0.0.0.0:7 ');
  expect(tapstack('ss', '--name', 'nobody').stderr).toContain(
    'No running stack has name nobody. These are there:',
  );
  // In a PID namespace of its own, as in a lab, the one beside us is meant.
  const beside = `"$1" "$2" echo ${place(ROOM, 8).options.join(' ')} > /dev/null & one=$!
    for try in {1..50}; do "$1" "$2" ss -tl --name echo > "$3" 2>&1 && grep -q ':7 ' "$3" && break; sleep 0.1; done
    "$1" "$2" ss -tlp; "$1" "$2" netstat --name http; kill $one; wait`;
  const inside = [
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'bash',
    '-c',
    beside,
    'bash',
    process.execPath,
    main,
  ];
  const listed = join(temporaryDirectory(), 'ss');
  const nearest = spawnSync('unshare', [...inside, listed], { encoding: 'utf8', timeout: 20_000 });
  expect(nearest.stdout).toMatch(/0\.0\.0\.0:7 .*pid=\d{1,3},/);
  expect(nearest.stderr).toBe('');
  // One that is killed leaves its socket; the next to look sweeps it.
  await http.stop('SIGKILL');
  expect(tapstack('ss', '-tl')).toMatchObject({ status: 0, stdout: expect.stringContaining('0.0.0.0:7 ') });
}, 120_000);

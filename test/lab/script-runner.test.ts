// The runner tells right from wrong: each way in which a script can fail does fail, with what was expected and what came; what
// cannot be run is skipped by name.

import { describe, expect, it } from 'vitest';
import type { ScriptResult } from '../../src/lab/script/outcome.js';
import { reportText } from '../../src/lab/script/report.js';
import { runScript } from '../../src/lab/script/runner.js';

const LISTENING = `    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
`;
const ACCEPTED = `${LISTENING}   +0 < S 0:0(0) win 65535 <mss 1000>
   +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 65535
   +0 accept(3, ..., ...) = 4
`;

const run = (source: string, defines: Record<string, string> = {}): Promise<ScriptResult> =>
  runScript(source, 'x.pkt', new Map(Object.entries(defines)));

async function failure(source: string): Promise<Partial<ScriptResult>> {
  const { result, reason, place, expected, got } = await run(source);
  return { result, reason, place, expected, got };
}

describe('what fails', () => {
  it('a packet that differs', async () => {
    expect(await failure(`${ACCEPTED} +0 write(4, ..., 100) = 100\n +0 > P. 1:101(100) ack 2`)).toEqual({
      result: 'failed',
      reason: 'ack 1 instead of 2',
      place: { line: 9, column: 2 },
      expected: 'P. 1:101(100) ack 2',
      got: 'P. 1:101(100) ack 1 win 64240',
    });
  });

  it('a packet that never leaves, and one that leaves too early', async () => {
    expect(await failure(`${ACCEPTED} +0 > P. 1:101(100) ack 1`)).toMatchObject({
      reason: expect.stringContaining('no such packet left the stack'),
      got: 'nothing',
    });
    expect(
      await failure(`${ACCEPTED} +0 write(4, ..., 100) = 100\n +.3 > P. 1:101(100) ack 1`),
    ).toMatchObject({ reason: 'the packet left at the wrong time', got: 'at 0.100 s, which is +0.000 s' });
  });

  it('segments that are not one row, where strict ones are wanted and where they are not', async () => {
    const write = `${ACCEPTED} +0 write(4, ..., 2000) = 2000\n +0 > P. 1:2001(2000) ack 1`;
    expect(await run(write)).toMatchObject({ result: 'passed' });
    expect(await failure(`--strict_segments\n${write}`)).toMatchObject({
      reason: expect.stringMatching(/flags|1000 bytes of payload instead of 2000/),
    });
  });

  it('a result, an errno, a value by reference', async () => {
    expect(await failure(`${ACCEPTED} +0 write(4, ..., 10) = 9`)).toMatchObject({ expected: '9', got: '10' });
    expect(await failure(`${LISTENING} +0 close(9) = -1 EINVAL (no)`)).toMatchObject({
      expected: '-1 EINVAL',
      got: '-1 EBADF',
    });
    expect(await failure(`${ACCEPTED} +0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0`)).toMatchObject({
      expected: '[1]',
      got: '[0]',
    });
    expect(
      await failure(`${ACCEPTED} +0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1`),
    ).toMatchObject({ expected: 'POLLIN', got: 'POLLOUT' });
  });

  it('a call that returns too early, too late or never', async () => {
    const data = ' +.1 < P. 1:11(10) ack 1 win 65535';
    expect(await run(`${ACCEPTED} +0...0.1 read(4, ..., 10) = 10\n${data}`)).toMatchObject({
      result: 'passed',
    });
    expect(await failure(`${ACCEPTED} +0...0.3 read(4, ..., 10) = 10\n${data}`)).toMatchObject({
      reason: 'read() returned at the wrong time',
      place: { line: 8, column: 2 },
    });
    expect(await failure(`${ACCEPTED} +0 read(4, ..., 10) = 10`)).toMatchObject({
      reason: expect.stringContaining('still asleep'),
    });
  });

  it('an assertion, told when the script is over', async () => {
    const source = `${ACCEPTED} +0 %{ assert tcpi_snd_cwnd == 11, 'cwnd=%d' % tcpi_snd_cwnd }%\n +0 close(4) = 0`;
    const result = await run(source);
    expect(result).toMatchObject({ reason: 'the assertion is false: tcpi_snd_cwnd == 11: cwnd=10' });
    expect(result.place).toEqual({ line: 8, column: 2 });
    expect(result.ladder.at(-2)?.text).toBe('close(4) = 0');
  });

  it('an echoed timestamp that never left, a command that fails, a script that cannot be read', async () => {
    const stamped = `${LISTENING} +0 < S 0:0(0) win 9 <mss 1000,sackOK,TS val 1 ecr 0>
      +0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 5 ecr 1>
      +0 < . 1:1(0) ack 1 win 9 <nop,nop,TS val 2 ecr 6>`;
    expect(await failure(stamped)).toMatchObject({ reason: expect.stringContaining('timestamp 6') });
    expect(await failure(stamped.replace('val 5 ecr 1', 'val 5 ecr 2'))).toMatchObject({
      reason: 'timestamp 2 is not echoed, but 1',
    });
    expect(
      await failure(`${LISTENING} +0 \`nstat > /dev/null; nstat | grep TcpExtTCPTimeouts\``),
    ).toMatchObject({
      result: 'failed',
    });
    expect(await failure('0 socket(')).toMatchObject({ result: 'failed', place: { line: 1, column: 10 } });
  });
});

describe('what is skipped, by name', () => {
  it.each([
    [`\`sysctl -q net.ipv4.no_such=1\`\n${LISTENING}`, 'sysctl net.ipv4.no_such=1'],
    [`\`iptables -A INPUT\`\n${LISTENING}`, "the command 'iptables -A INPUT'"],
    [`${LISTENING} +0 splice(3, NULL, 4, NULL, 1, 0) = 1`, 'the call splice()'],
    [`${LISTENING} +0 setsockopt(3, SOL_TCP, TCP_NO_SUCH, [1], 4) = 0`, 'the constant TCP_NO_SUCH'],
    [`${LISTENING} +0 %{ assert tcpi_no_such == 1 }%`, 'tcpi_no_such in TCP_INFO'],
    [`--ip_version=ipv6\n${LISTENING}`, 'IPv6'],
    [`${LISTENING} +0 < gre: . 1:1(0) ack 1 win 9`, 'gre encapsulation'],
  ])('%s', async (source, reason) => {
    expect(await run(source)).toMatchObject({ result: 'skipped', reason });
  });
});

describe('the report', () => {
  it('shows line, expectation, what came, and the exchange', async () => {
    const text = reportText(await run(`${ACCEPTED} +0 write(4, ..., 10) = 10\n +0 > P. 1:11(10) ack 7`));
    expect(text).toContain('FAIL x.pkt:9:2: ack 1 instead of 7');
    expect(text).toContain('     line      > P. 1:11(10) ack 7');
    expect(text).toMatch(/ 0\.000000 {5}4 {5}◀─+ {3}S 0:0\(0\) win 65535 <mss 1000>/);
    expect(text).toMatch(/ 0\.100000 {5}9 {5}─+▶ {3}P\. 1:11\(10\) ack 1 win 64240/);
  });
});

describe('the world of a script', () => {
  it('is its own: scripts that run at once do not meet', async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => run(ACCEPTED)));
    expect(results.every(({ result }) => result === 'passed')).toBe(true);
  });

  it('knows words defined from outside', async () => {
    const source = `${LISTENING} +0 < S 0:0(0) win 65535 <mss MSS>\n +0 > S. 0:0(0) ack 1 <mss 1460>`;
    expect(await run(source, { MSS: '1000' })).toMatchObject({ result: 'passed' });
  });
});

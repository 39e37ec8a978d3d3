// The language of packet scripts: what is read as what, and that what is wrong is refused where it is wrong.

import { describe, expect, it } from 'vitest';
import { ScriptSyntaxError, type TcpPacket } from '../../src/lab/script/ast.js';
import { AssertionFailed, CodeRunner } from '../../src/lab/script/code.js';
import { tokenize } from '../../src/lab/script/lexer.js';
import { parseScript } from '../../src/lab/script/parser.js';
import { splitShell } from '../../src/lab/script/shell-words.js';

const kinds = (text: string): string[] =>
  tokenize(text).map(({ kind, text: written }) => `${kind} ${written}`);

function refused(source: string): { line: number; column: number; message: string } {
  try {
    parseScript(source, 'x.pkt');
  } catch (error) {
    if (error instanceof ScriptSyntaxError) return { ...error.place, message: error.message };
    throw error;
  }
  throw new Error('it was read without complaint');
}

function packet(line: string): TcpPacket {
  const event = parseScript(`0 ${line}`, 'x.pkt').events[0];
  if (event.kind !== 'packet' || event.packet.kind !== 'tcp') throw new Error('no TCP packet');
  return event.packet;
}

describe('lexer', () => {
  it('takes the longest match', () => {
    expect(kinds('3021b9d8 30 0x1F .5 0.25 1:1001')).toEqual([
      'word 3021b9d8',
      'integer 30',
      'hex 0x1F',
      'float .5',
      'float 0.25',
      'integer 1',
      'punctuation :',
      'integer 1001',
      'end the end of the script',
    ]);
    expect(kinds('192.0.2.1 fe80::1 +0...0.2')).toEqual([
      'ipv4 192.0.2.1',
      'ipv6 fe80::1',
      'punctuation +',
      'integer 0',
      'ellipsis ...',
      'float 0.2',
      'end the end of the script',
    ]);
  });

  it('knows both comments, strings with escapes, commands and code', () => {
    expect(kinds('// a\n/* b\n */ "x\\n\\x41" `ls\n-l` %{ a == 1 }%')).toEqual([
      'string x\nA',
      'shell ls\n-l',
      'code a == 1',
      'end the end of the script',
    ]);
  });

  it('counts lines and columns from 1', () => {
    const [, second] = tokenize('one\n  two');
    expect(second.place).toEqual({ line: 2, column: 3 });
  });
});

describe('parser', () => {
  it('reads times of all forms', () => {
    const script = parseScript(
      '0 a() = 0\n+.5 a() = 0\n+0...2 a() = 0\n* > . 1:1(0)\n1~1.5 > . 1:1(0)\n+1~+2 > . 1:1(0)',
      'x.pkt',
    );
    expect(script.events.map(({ time }) => [time.kind, time.from, time.to])).toEqual([
      ['absolute', 0, 0],
      ['relative', 500_000, 500_000],
      ['relative', 0, 0],
      ['any', 0, 0],
      ['absolute-range', 1_000_000, 1_500_000],
      ['relative-range', 1_000_000, 2_000_000],
    ]);
    expect(script.events[2]).toMatchObject({ until: 2_000_000 });
  });

  it('reads every part of a segment', () => {
    const segment = packet('< [ect0] 1000 > 80 SEWA. 5:10(5) ack 7 win 9 urg 3 <mss 1460,nop,wscale 7>');
    expect(segment).toMatchObject({
      direction: 'in',
      ip: { ecn: 'ect0' },
      ports: { src: 1000, dst: 80 },
      seq: 5,
      length: 5,
      ack: 7,
      window: 9,
      urgent: 3,
      options: [{ kind: 'mss', value: 1460 }, { kind: 'nop' }, { kind: 'wscale', value: 7 }],
    });
    expect(segment.flags).toBe(0x02 | 0x40 | 0x80 | 0x100 | 0x10);
    expect(packet('> .5 1:1(0) ack 1')).toMatchObject({ ace: 5 });
    expect(packet('> - 1:1(0)')).toMatchObject({ flags: 0 });
    expect(packet('> . 1:1(0) <...>').options).toBeNull();
  });

  it('reads options, init command, cleanup command and definitions', () => {
    const script = parseScript(
      '--tolerance_usecs=7000\n--define=FD=3\n`sysctl a=1`\n0 close(FD) = OK\n`done`',
      'x.pkt',
      new Map([['OK', '0']]),
    );
    expect(script.options.map(({ name, value }) => [name, value])).toEqual([
      ['tolerance_usecs', '7000'],
      ['define', 'FD=3'],
    ]);
    expect([script.init?.text, script.cleanup?.text]).toEqual(['sysctl a=1', 'done']);
    expect(script.events[0]).toMatchObject({
      args: [{ kind: 'integer', value: 3 }],
      result: { kind: 'integer', value: 0 },
    });
  });

  it('says where a script is wrong, and how', () => {
    expect(refused('0 > . 1:5(3)')).toEqual({
      line: 1,
      column: 7,
      message: '1:5(3) does not add up: the end would be 4',
    });
    expect(refused('0 < . 1:1(0) ack 1')).toMatchObject({
      line: 1,
      message: expect.stringContaining("'win N'"),
    });
    expect(refused('0 a() = 0\n  +1 > S 0:0(0) <mss 1460,wscale 7>')).toMatchObject({
      line: 2,
      column: 17,
      message: expect.stringContaining('no multiple of 4'),
    });
    expect(refused('1 a() = 0')).toMatchObject({ message: 'the first event must be at time 0' });
    expect(refused('0 a() = 0\n2 a() = 0\n1 a() = 0')).toMatchObject({ line: 3, column: 1 });
    expect(refused('0 a() = 0\n* a() = 0')).toMatchObject({ line: 2, message: expect.stringContaining('*') });
    expect(refused('0 a(')).toMatchObject({ line: 1, column: 5 });
    expect(refused('0 > X 1:1(0)')).toMatchObject({ message: expect.stringContaining("'X'") });
  });
});

describe('code', () => {
  const run = (code: string, sample: Record<string, number> = {}): string[] => {
    const runner = new CodeRunner((name) => (name === 'SEVEN' ? 7 : undefined));
    runner.run(code, new Map(Object.entries(sample)));
    return runner.output;
  };

  it('evaluates what assertions are written in', () => {
    expect(
      run('n = 2; n += 3\nprint(n, 7 // 2, -7 % 3, 1 << 4, 2 ** 3)\nassert 1 <= n <= 5, "n=%d" % n', {}),
    ).toEqual(['5 3 2 16 8']);
    run('assert (tcpi_options & 32) != 0 and not tcpi_x == SEVEN', { tcpi_options: 33, tcpi_x: 1 });
    expect(run("print('%d of %s: %x%%' % (3, 'b', 255))")).toEqual(['3 of b: ff%']);
    run('assert tcpi_a == 1; \\\n assert tcpi_b == 2  # both', { tcpi_a: 1, tcpi_b: 2 });
  });

  it('fails with the text and the message', () => {
    expect(() => run('assert tcpi_a == 2, tcpi_a', { tcpi_a: 1 })).toThrow(
      new AssertionFailed('tcpi_a == 2: 1'),
    );
  });

  it('reaches nothing but numbers', () => {
    for (const code of ['open("x")', 'process.exit()', '__import__("os")', 'constructor', 'x[0]'])
      expect(() => run(code)).toThrow(SyntaxError);
  });
});

describe('shell words', () => {
  it('splits commands, quotes, redirections and arithmetic', () => {
    const commands = splitShell(
      'a "b c" d\\\n e > /dev/null 2>&1 # note\nnstat | grep X && f \'g h\' $((2*3+1)) $P || i',
      () => 'v',
    );
    expect(commands).toEqual([
      { words: ['a', 'b c', 'd', 'e'], output: '/dev/null', joint: ';' },
      { words: ['nstat'], output: null, joint: ';' },
      { words: ['grep', 'X'], output: null, joint: '|' },
      { words: ['f', 'g h', '7', 'v'], output: null, joint: '&&' },
      { words: ['i'], output: null, joint: '||' },
    ]);
  });
});

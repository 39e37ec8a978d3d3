// What `ss` lists and how it puts it: filters as ss(8) takes them, lines as it prints them.

import { describe, expect, test } from 'vitest';
import { Refusal } from '../../src/cli/refusal.js';
import { listing } from '../../src/cli/ss.js';
import { parseFilter } from '../../src/cli/ss-filter.js';
import { memoryText, timerText } from '../../src/cli/ss-info.js';
import type { SocketDetail } from '../../src/control/protocol.js';

function socket(more: Partial<SocketDetail> = {}): SocketDetail {
  return {
    protocol: 'tcp',
    state: 'ESTABLISHED',
    local: { address: '10.0.0.2', port: 80 },
    peer: { address: '10.0.0.1', port: 40_000 },
    device: null,
    recvq: 0,
    sendq: 0,
    users: [],
    uid: 0,
    inode: 0,
    cookie: 0,
    timer: null,
    memory: null,
    congestion: 'cubic',
    congestionInfo: null,
    info: null,
    ...more,
  };
}

const plain = {
  tcp: true,
  udp: false,
  listening: false,
  all: false,
  numeric: true,
  processes: false,
  extended: false,
  info: false,
  memory: false,
  options: false,
  oneline: false,
  header: true,
};

describe('filters', () => {
  const listener = socket({ state: 'LISTEN', peer: { address: null, port: 0 } });
  const waiting = socket({ state: 'TIME_WAIT' });
  const other = socket({
    local: { address: '10.0.0.2', port: 22 },
    peer: { address: '192.0.2.7', port: 5000 },
  });

  test.each([
    [[], 'talk, and no more', [true, false, false, true]],
    [['state', 'listening'], 'listeners', [false, true, false, false]],
    [['state', 'time-wait', 'state', 'established'], 'both', [true, false, true, true]],
    [['exclude', 'listening'], 'the rest', [true, false, true, true]],
    [['state', 'all', 'sport', '=', ':80'], 'port 80', [true, true, true, false]],
    [['state', 'all', 'sport = :80 and dport > :30000'], 'one word or several', [true, false, true, false]],
    [['( sport = :22 or sport eq 80 )'], 'parentheses', [true, false, false, true]],
    [['not', 'dst', '10.0.0.0/8'], 'a network', [false, false, false, true]],
    [['dst', '192.0.2.7:5000'], 'address and port', [false, false, false, true]],
    [['src', ':22'], 'a port alone', [false, false, false, true]],
    [['sport', '!=', ':80', 'dst', '192.0.2.7'], 'and, unsaid', [false, false, false, true]],
  ])('%j', (words, _why, expected) => {
    const fits = parseFilter(words, false, false);
    expect([socket(), listener, waiting, other].map(fits)).toEqual(expected);
  });

  test('-a and -l', () => {
    expect([socket(), listener, waiting].map(parseFilter([], true, false))).toEqual([true, true, true]);
    expect([socket(), listener, waiting].map(parseFilter([], false, true))).toEqual([false, true, false]);
  });

  test.each([
    [['state', 'asleep'], 'asleep is no state'],
    [['sport', 'is', '80'], 'sport is compared with a port'],
    [['( sport = 80'], 'a ) is missing'],
    [['colour', 'red'], 'colour is nothing that can be asked'],
    [['state', 'constructor'], 'constructor is no state'],
    [['sport', 'constructor', ':80'], 'sport is compared with a port'],
    [['src', '10.0.0.300'], 'no filter'],
    [['dst', '10.0.0.0/40'], 'a prefix of at most 32 bits, not 40'],
    [['sport = 80 or'], 'something is missing at the end'],
  ])('%j is none', (words, why) => {
    expect(() => parseFilter(words, false, false)([socket()][0])).toThrow(Refusal);
    expect(() => parseFilter(words, false, false)([socket()][0])).toThrow(why);
  });
});

test.each([
  [{ name: 'on', ms: 204, count: 1 }, 'timer:(on,204ms,1)'],
  [{ name: 'persist', ms: 1500, count: 0 }, 'timer:(persist,1.500ms,0)'],
  [{ name: 'timewait', ms: 56_999, count: 0 }, 'timer:(timewait,56sec,0)'],
  [{ name: 'keepalive', ms: 7_199_000, count: 0 }, 'timer:(keepalive,119min,0)'],
  [{ name: 'keepalive', ms: 65_300, count: 0 }, 'timer:(keepalive,1min5sec,0)'],
] as const)('a timer: %j', (timer, text) => {
  expect(timerText(socket({ timer }))).toBe(text);
});

test('columns', () => {
  const rows = [
    socket({
      state: 'LISTEN',
      sendq: 128,
      local: { address: null, port: 80 },
      peer: { address: null, port: 0 },
      paused: 'dropping',
    }),
    socket({ recvq: 7, device: 'tap0', users: [{ process: 1, fd: 5 }], uid: 1000, inode: 3 }),
  ];
  expect(listing(rows, false, { ...plain, processes: true, extended: true }, 42)).toBe(
    [
      'State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process',
      'LISTEN 0      128    0.0.0.0:80         0.0.0.0:*         ino:0 paused:dropping',
      'ESTAB  7      0      10.0.0.2%tap0:80   10.0.0.1:40000    users:(("node",pid=42,fd=5)) uid:1000 ino:3',
      '',
    ].join('\n'),
  );
  const udp = socket({ protocol: 'udp', state: 'UNCONN' });
  expect(listing([udp], true, { ...plain, header: false }, 42)).toBe(
    'udp UNCONN 0 0 10.0.0.2:80 10.0.0.1:40000\n',
  );
});

test('memory', () => {
  const memory = {
    rmem_alloc: 1,
    rcvbuf: 2,
    wmem_alloc: 3,
    sndbuf: 4,
    fwd_alloc: 5,
    wmem_queued: 6,
    optmem: 7,
    backlog: 8,
    drops: 9,
  };
  expect(memoryText(socket({ memory }))).toBe('skmem:(r1,rb2,t3,tb4,f5,w6,o7,bl8,d9)');
});

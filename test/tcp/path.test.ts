// What the path tells a connection: ICMP errors, DF, routes that change, and what one connection leaves to the next.

import { describe, expect, it } from 'vitest';
import { Icmp } from '../../src/icmp/icmp.js';
import { DEFAULT_METRICS, RouteMetrics } from '../../src/ip/route-metrics.js';
import { IpAddress } from '../../src/packet/address.js';
import { Reno } from '../../src/tcp/congestion/reno.js';
import { NAGLE_OFF } from '../../src/tcp/constants.js';
import { updateMetrics } from '../../src/tcp/path/save-metrics.js';
import { TcpMetricsTable } from '../../src/tcp/path/tcp-metrics.js';
import { errnoName } from '../../src/uapi/errno.js';
import {
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_INTERFACE,
  IP_PMTUDISC_OMIT,
  IP_PMTUDISC_PROBE,
  IP_PMTUDISC_WANT,
} from '../../src/uapi/socket.js';
import { address, fromPeer, OUR_ADDRESS, PEER_ADDRESS } from '../ip/stack.js';
import { icmp, ipv4 } from '../packet/build.js';
import { type Conversation, type ConversationOptions, conversation, fill } from './conversation.js';
import type { Program } from './program.js';

const ANYWHERE = { network: address('0.0.0.0'), prefix: 0 };
const ENONET = 64;

function talk(options: ConversationOptions = {}): Conversation {
  const t = conversation(options);
  new Icmp(t.stack.ip);
  return t;
}

/** The frame of `length` bytes that the program writes next. */
function frameOf(t: Conversation, program: Program, length: number): Uint8Array {
  program.sk.nonagle = NAGLE_OFF;
  expect(t.tcp.send(program.sk, fill(length), length, 0)).toBe(length);
  return t.stack.link.take()[0].bytes;
}

/** A router's complaint about `frame`. */
function complain(t: Conversation, frame: Uint8Array, type: number, code: number, rest = 0): void {
  const quoted = frame.subarray(14, 14 + 28);
  t.deliver([fromPeer(ipv4(PEER_ADDRESS, OUR_ADDRESS, 1, icmp(type, code, rest, quoted)))]);
}

const hasDf = (frame: Uint8Array): boolean => (frame[20] & 0x40) !== 0;

/** Errors of icmp_err_convert by code; what is missing is "fragmentation needed". */
const UNREACHABLE: readonly [number, string][] = [
  [0, 'ENETUNREACH'],
  [1, 'EHOSTUNREACH'],
  [2, 'ENOPROTOOPT'],
  [3, 'ECONNREFUSED'],
  [5, 'EOPNOTSUPP'],
  [6, 'ENETUNREACH'],
  [7, 'EHOSTDOWN'],
  [8, 'ENONET'],
  [9, 'ENETUNREACH'],
  [10, 'EHOSTUNREACH'],
  [11, 'ENETUNREACH'],
  [12, 'EHOSTUNREACH'],
  [13, 'EHOSTUNREACH'],
  [14, 'EHOSTUNREACH'],
  [15, 'EHOSTUNREACH'],
];
const nameOf = (errno: number): string => (errno === ENONET ? 'ENONET' : errnoName(errno));

// covers: soft ICMP errors | RFC 1122 section 4.2.3.9 | src/tcp/path/icmp-error.ts
describe('"unreachable"', () => {
  for (const [code, errno] of UNREACHABLE) {
    it(`code ${code} ends a handshake with ${errno}, and tells a connection only why it failed`, () => {
      const t = talk();
      const connecting = t.program();
      expect(t.tcp.connect(connecting.sk, address(PEER_ADDRESS), 7)).toBe(0);
      complain(t, t.stack.link.take()[0].bytes, 3, code);
      expect([connecting.state, nameOf(connecting.sk.err)]).toEqual(['CLOSE', errno]);

      const { program } = t.established();
      program.sk.ownTuning().userTimeoutMs = 1000;
      const frame = frameOf(t, program, 10);
      complain(t, frame, 3, code);
      expect([program.state, program.sk.err]).toEqual(['ESTABLISHED', 0]);
      t.after(3000);
      expect([program.state, nameOf(program.sk.err)]).toEqual(['CLOSE', errno]);
    });
  }

  it('of another type is judged alike: time exceeded, parameter problem; and some say nothing', () => {
    const t = talk();
    const ends = (type: number, code: number): string => {
      const { sk } = t.program();
      t.tcp.connect(sk, address(PEER_ADDRESS), 7);
      complain(t, t.stack.link.take()[0].bytes, type, code);
      const name = nameOf(sk.err);
      if (sk.err === 0) t.tcp.close(sk);
      return sk.err === 0 ? 'nothing' : name;
    };
    expect(ends(11, 0)).toBe('EHOSTUNREACH');
    expect(ends(11, 1)).toBe('nothing');
    expect(ends(12, 0)).toBe('EPROTO');
    expect(ends(4, 0)).toBe('nothing');
    expect(ends(3, 16)).toBe('nothing');
  });

  it('about nothing of ours is counted, about a remnant in TIME_WAIT not even that', () => {
    const t = talk();
    const { peer, program } = t.established();
    const frame = frameOf(t, program, 1);
    peer.heardTo = 2;
    peer.sends({ ack: 2 });
    program.close();
    peer.heard();
    peer.sends({ flags: 'FA' });
    complain(t, frame, 3, 1);
    expect(t.counter('Icmp', 'InErrors')).toBe(0);
    t.after(61_000);
    complain(t, frame, 3, 1);
    expect(t.counter('Icmp', 'InErrors')).toBe(1);
  });

  it('with IP_RECVERR is told at once, and the connection goes on', () => {
    const t = talk();
    const { peer, program } = t.established();
    const frame = frameOf(t, program, 10);
    program.sk.ownExtras().recvErr = true;
    program.wakes();
    complain(t, frame, 3, 1);
    expect([program.state, errnoName(program.sk.err), program.sk.errSoft]).toEqual([
      'ESTABLISHED',
      'EHOSTUNREACH',
      0,
    ]);
    expect(program.wakes()).toHaveLength(1);
    expect(program.sk.takeError()).toBe(-113);
    peer.sends({ ack: 11 });
    expect(program.sk.tx.packetsOut).toBe(0);
  });

  it('about a packet that had come further than IP_MINTTL allows is not believed', () => {
    const t = talk();
    const { program } = t.established();
    const frame = frameOf(t, program, 10);
    program.sk.ownExtras().minTtl = 64;
    complain(t, frame, 3, 1);
    expect([errnoName(program.sk.errSoft), t.counter('TcpExt', 'TCPMinTTLDrop')]).toEqual([
      'EHOSTUNREACH',
      0,
    ]);
    program.sk.errSoft = 0;
    program.sk.ownExtras().minTtl = 65;
    complain(t, frame, 3, 1);
    expect([program.sk.errSoft, t.counter('TcpExt', 'TCPMinTTLDrop')]).toEqual([0, 1]);
  });

  it('for a sock that a call is inside of is counted, and remembered', () => {
    const t = talk();
    const { program } = t.established();
    const frame = frameOf(t, program, 10);
    t.tcp.lock(program.sk);
    complain(t, frame, 3, 1);
    t.tcp.release(program.sk);
    expect(t.counter('TcpExt', 'LockDroppedIcmps')).toBe(1);
    expect(errnoName(program.sk.errSoft)).toBe('EHOSTUNREACH');
  });
});

// covers: path MTU from ICMP | RFC 1191 section 6 | src/ip/routes.ts
describe('DF', () => {
  it('is set by IP_MTU_DISCOVER, and where the MTU is locked only by who insists', () => {
    const t = talk();
    const { routes } = t.stack.ip;
    const modes = [
      IP_PMTUDISC_DONT,
      IP_PMTUDISC_WANT,
      IP_PMTUDISC_DO,
      IP_PMTUDISC_PROBE,
      IP_PMTUDISC_INTERFACE,
      IP_PMTUDISC_OMIT,
    ];
    const bits = (): boolean[] =>
      modes.map((mode) => {
        const { program, peer } = t.established();
        program.sk.mtuDiscover = mode;
        const df = hasDf(frameOf(t, program, 10));
        peer.sends({ flags: 'R' });
        return df;
      });
    expect(bits()).toEqual([false, true, true, false, false, false]);
    const locked = new RouteMetrics({ mtu: 1000, lock: ['mtu'] });
    routes.edit('change', address('10.0.0.0'), 24, null, routes.devices[1], locked);
    expect(bits()).toEqual([false, false, true, false, false, false]);
  });

  it('goes when a router asks for less than any path should carry', () => {
    const t = talk();
    const { program } = t.established();
    const frame = frameOf(t, program, 1000);
    expect(hasDf(frame)).toBe(true);
    complain(t, frame, 3, 4, 100);
    expect([program.sk.mss, program.sk.errSoft]).toEqual([512, 0]);
    expect(hasDf(frameOf(t, program, 10))).toBe(false);
  });

  it('ip_no_pmtu_disc: 1 believes only that something was too large, 2 nothing, and no new socket sets DF', () => {
    const mssAt = (ipNoPmtuDisc: number, mtu: number): [boolean, number] => {
      const t = talk({ sysctl: { ipNoPmtuDisc } });
      const { program } = t.established();
      program.sk.mtuDiscover = IP_PMTUDISC_WANT;
      const frame = frameOf(t, program, 1000);
      complain(t, frame, 3, 4, mtu);
      return [t.program().sk.mtuDiscover === IP_PMTUDISC_DONT, program.sk.mss];
    };
    expect(mssAt(0, 900)).toEqual([false, 860]);
    expect(mssAt(1, 900)).toEqual([true, 512]);
    expect(mssAt(2, 900)).toEqual([true, 1460]);
    expect(mssAt(3, 900)).toEqual([true, 860]);
  });
});

describe('routes', () => {
  it('that change are followed; while none leads there the segment is lost and sent again', () => {
    const t = talk();
    const { routes } = t.stack.ip;
    const { peer, program } = t.established();
    expect(routes.delete(address('10.0.0.0'), 24)).toBe(0);
    program.send(10);
    peer.hearsNothing();
    expect(t.counter('Ip', 'OutNoRoutes')).toBeGreaterThan(0);
    routes.edit('add', ANYWHERE.network, 0, null, routes.devices[1], DEFAULT_METRICS);
    t.after(3000);
    expect(peer.heard()[0]).toBe('PA 1:11 ack 1');
  });

  it('keep what was learnt of them when others change', () => {
    const t = talk();
    const { routes } = t.stack.ip;
    const { program } = t.established();
    complain(t, frameOf(t, program, 1000), 3, 4, 900);
    routes.edit('add', address('10.9.0.0'), 16, address(PEER_ADDRESS), null, DEFAULT_METRICS);
    expect(routes.output(address(PEER_ADDRESS))?.mtu).toBe(900);
    const metrics = new RouteMetrics({ mtu: 1200 });
    routes.edit('replace', address('10.0.0.0'), 24, null, routes.devices[1], metrics);
    expect(routes.output(address(PEER_ADDRESS))?.mtu).toBe(1200);
  });

  it('are edited by ip route’s rules', () => {
    const { routes } = talk().stack.ip;
    const edit = (how: 'add' | 'change' | 'replace' | 'prepend'): string => {
      const result = routes.edit(how, address('10.9.0.0'), 16, address(PEER_ADDRESS), null, DEFAULT_METRICS);
      return result === 0 ? 'done' : errnoName(-result);
    };
    expect([edit('change'), edit('add'), edit('add'), edit('replace')]).toEqual([
      'ENOENT',
      'done',
      'EEXIST',
      'done',
    ]);
    expect(errnoName(-routes.delete(address('10.8.0.0'), 16))).toBe('ESRCH');
    expect(() => new RouteMetrics({ mtu: 67 })).toThrow(/at least 68/);
    expect(() => new RouteMetrics({ initcwnd: -1 })).toThrow(/initcwnd/);
    expect(() => new RouteMetrics({ lock: ['window' as 'mtu'] })).toThrow(/cannot be locked/);
  });

  // covers: congestion control by name (TCP_CONGESTION, sysctl) | Linux tcp_set_congestion_control | src/tcp/path/route-hints.ts
  it('name the congestion control of both kinds of connection', () => {
    const t = talk();
    const { routes } = t.stack.ip;
    const control = new (class extends Reno {
      override readonly name = 'other';
    })();
    t.tcp.congestionControl = (name) => (name === 'other' ? control : null);
    const cc = (congctl: string): string[] => {
      const metrics = new RouteMetrics({ congctl });
      routes.edit('change', address('10.0.0.0'), 24, null, routes.devices[1], metrics);
      return [t.established().program, t.connected().program].map(({ sk }) => sk.cc.name);
    };
    expect(cc('other')).toEqual(['other', 'other']);
    expect(cc('gone')).toEqual(['cubic', 'cubic']);
    expect(cc('')).toEqual(['cubic', 'cubic']);
  });

  it('bound the congestion window by a locked cwnd, once a connection has left its metrics', () => {
    const t = talk();
    const { routes } = t.stack.ip;
    const metrics = new RouteMetrics({ cwnd: 4, lock: ['cwnd'] });
    routes.edit('change', address('10.0.0.0'), 24, null, routes.devices[1], metrics);
    const cwnds = [0, 1].map(() => {
      const { peer, program } = t.established();
      const cwnd = program.sk.sndCwnd;
      program.close();
      peer.heard();
      peer.sends({ flags: 'FA' });
      return cwnd;
    });
    expect(cwnds).toEqual([10, 4]);
  });
});

// covers: metrics of routes and peers | RFC 9040 section 4 | src/tcp/path/tcp-metrics.ts
describe('the metrics of peers', () => {
  it('are bounded: a chain that is full gives up its oldest', () => {
    const t = talk();
    const table = new TcpMetricsTable(t.host, t.tcp.tableKey);
    const us = address(OUR_ADDRESS);
    for (let i = 0; i < 20_000; i++) table.lookupOrCreate(us, IpAddress.v4(0x0a000000 + i), DEFAULT_METRICS);
    expect(table.count).toBe([...table].length);
    expect(table.count).toBeLessThanOrEqual(6 * 1024);
    expect(table.count).toBeGreaterThan(5 * 1024);
    expect(table.lookup(us, IpAddress.v4(0x0a000000 + 19_999), DEFAULT_METRICS)).not.toBeNull();
    expect(table.flush(IpAddress.v4(0x0a000000 + 19_999))).toBe(1);
    table.flush();
    expect([table.count, [...table].length]).toEqual([0, 0]);
  });

  it('begin with the route’s and go back to them after an hour', () => {
    const t = talk();
    const table = new TcpMetricsTable(t.host, t.tcp.tableKey);
    const [us, them] = [address(OUR_ADDRESS), address(PEER_ADDRESS)];
    const route = new RouteMetrics({ rtt: 200, reordering: 7 });
    const entry = table.lookupOrCreate(us, them, route);
    expect([entry.rttUs, entry.reordering]).toEqual([200 * 8000, 7]);
    entry.rttUs = 8;
    t.after(3_600_000);
    expect(table.lookup(us, them, route)?.rttUs).toBe(8);
    t.after(1000);
    expect(table.lookup(us, them, route)?.rttUs).toBe(200 * 8000);
  });

  it('are left by who ends well, unless tcp_no_metrics_save or a lock forbids; ssthresh only if asked for', () => {
    const left = (sysctl: ConversationOptions['sysctl'], metrics = DEFAULT_METRICS) => {
      const t = talk({ sysctl });
      const { routes } = t.stack.ip;
      routes.edit('change', address('10.0.0.0'), 24, null, routes.devices[1], metrics);
      const { peer, program } = t.established();
      t.after(100);
      program.send(10);
      t.after(100);
      peer.sends({});
      program.sk.sndSsthresh = 6;
      program.sk.reordering = 9;
      program.close();
      peer.heard();
      peer.sends({ flags: 'FA' });
      const [entry] = t.tcp.metrics;
      return entry === undefined ? null : [entry.rttUs > 0, entry.cwnd, entry.ssthresh, entry.reordering];
    };
    expect(left({})).toEqual([true, 5, 0, 0]);
    expect(left({ tcpNoSsthreshMetricsSave: 0 })).toEqual([true, 5, 6, 0]);
    expect(left({ tcpNoMetricsSave: 1 })).toBeNull();
    expect(left({}, new RouteMetrics({ cwnd: 99, lock: ['cwnd', 'rtt'] }))).toEqual([false, 99, 0, 0]);
  });

  it('follow a longer round trip at once and a shorter one by an eighth; one that failed puts them in doubt', () => {
    const t = talk();
    const { sk } = t.established().program;
    const left = (srttUs: number): number[] => {
      sk.srttUs = srttUs;
      sk.mdevUs = 0;
      updateMetrics(sk);
      const [entry] = t.tcp.metrics;
      return [entry.rttUs, entry.rttvarUs];
    };
    expect(left(800_000)).toEqual([800_000, 400_000]);
    expect(left(400_000)).toEqual([750_000, 350_000]);
    expect(left(1_600_000)).toEqual([1_600_000, 425_000]);
    sk.ownTx().backoff = 1;
    expect(left(8)).toEqual([0, 425_000]);
    t.tcp.metrics.flush();
    updateMetrics(sk);
    expect(t.tcp.metrics.count).toBe(0);
  });

  it('tell the next connection how much packets overtake each other, learnt in recovery', () => {
    const t = talk();
    const { sk } = t.established().program;
    sk.srttUs = 8000;
    sk.sndSsthresh = 100;
    sk.sndCwnd = 5;
    sk.reordering = 9;
    updateMetrics(sk);
    const [entry] = t.tcp.metrics;
    expect([entry.reordering, entry.cwnd]).toEqual([9, 50]);
    expect(t.established().program.sk.reordering).toBe(9);
  });

  it('prove a peer: without cookies the last quarter of the backlog is for those who were here before', () => {
    const t = talk({ sysctl: { tcpSyncookies: 0, tcpMaxSynBacklog: 8 } });
    t.listen(64);
    const opens = (): number => {
      const peer = t.peer();
      peer.sends({ flags: 'S', seq: 0, mss: 1460 });
      return peer.heard().length;
    };
    expect(Array.from({ length: 9 }, opens)).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 0]);
    const known = t.tcp.metrics.lookupOrCreate(address(OUR_ADDRESS), address(PEER_ADDRESS), DEFAULT_METRICS);
    known.rttUs = 8000;
    expect(opens()).toBe(1);
  });
});

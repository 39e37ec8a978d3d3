// SYN cookies: a full SYN queue drops no honest client (RFC 4987).

import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/core/random.js';
import { RequestSock } from '../../src/tcp/listen/request-sock.js';
import { cookieTimestamp, SynCookies } from '../../src/tcp/listen/syncookies.js';
import { address } from '../ip/stack.js';
import { type Conversation, conversation, type Opening, type Peer } from './conversation.js';

/** A listener whose SYN queue is full: backlog 0 holds one request. */
function flooded(options = {}) {
  const t = conversation(options);
  const listener = t.listen(0);
  t.peer().sends({ flags: 'S', seq: 0, mss: 1460 }).hears({ flags: 'SA' });
  t.mark();
  return { t, listener };
}

function opens(t: Conversation, opening: Opening = {}): Peer {
  const peer = t.peer();
  return peer.sends(t.syn(peer, opening));
}

describe('a full SYN queue', () => {
  // covers: counters of cookies and full queues | Linux TCPReqQFullDoCookies, TCPReqQFullDrop | src/tcp/listen/listener.ts
  it('answers by a cookie, remembers nothing and repeats nothing', () => {
    const { t } = flooded();
    const peers = [opens(t), opens(t), opens(t)];
    for (const peer of peers) peer.hears({ flags: 'SA', ack: 1, mss: 1460 });
    expect([t.tcp.counts.requests, t.host.wheel.size]).toEqual([1, 1]);
    t.after(500);
    for (const peer of peers) peer.hearsNothing();
    expect([t.counter('TcpExt', 'SyncookiesSent'), t.counter('TcpExt', 'TCPReqQFullDoCookies')]).toEqual([
      3, 3,
    ]);
  });

  // covers: SYN cookies (tcp_syncookies 0, 1, 2) | RFC 4987 section 3.6; Linux cookie_v4_check | src/tcp/listen/syncookies.ts
  it('the cookie that comes back makes the connection', () => {
    const { t, listener } = flooded();
    const peer = opens(t);
    peer.hears({ flags: 'SA' });
    t.after(90);
    peer.sends({});
    expect(listener.wakes()).toEqual(['DATA']);
    const program = listener.accept();
    peer.sends({ data: 'hello' }).hears({ flags: 'A', ack: 6 });
    program.send('world');
    peer.hears({ flags: 'PA', seq: 1, data: 'world' });
    expect(program.recv()).toBe('hello');
    // Nothing is known of the round trip, so the first timeout is careful.
    expect([program.sk.iss, t.counter('TcpExt', 'SyncookiesRecv')]).toEqual([peer.theirIsn, 1]);
  });

  it.each(['A', 'PA', 'FA'])('%s with data completes it', (flags) => {
    const { t, listener } = flooded();
    const peer = opens(t);
    peer.hears({ flags: 'SA' });
    peer.sends({ flags, data: 'hello' });
    expect(listener.accept().recv()).toBe('hello');
  });

  it.each(['R', 'RA', 'SA'])('%s does not', (flags) => {
    const { t, listener } = flooded();
    const peer = opens(t);
    peer.hears({ flags: 'SA' });
    peer.sends({ flags });
    expect(listener.waiting).toBe(0);
  });

  it('without timestamps there are no options', () => {
    const { t, listener } = flooded();
    const peer = opens(t, { sackOk: true, wscale: 7 });
    const heard = peer.hears({ flags: 'SA' });
    expect([heard.sackOk, heard.wscale, heard.ts]).toEqual([undefined, undefined, undefined]);
    peer.sends({ win: 1000 });
    const { sk } = listener.accept();
    expect([sk.sackOk, sk.wscaleOk, sk.sndWnd, sk.rcvWscale]).toEqual([false, false, 1000, 0]);
  });

  // covers: what a cookie carries: MSS, SACK, window scale, timestamps | Linux cookie_init_timestamp | src/tcp/listen/syncookies.ts
  it('with timestamps SACK and window scaling come back in them', () => {
    for (const sackOk of [true, false]) {
      for (const wscale of [0, 7, 14, null]) {
        for (const tcpTimestamps of [1, 2]) {
          const { t, listener } = flooded({ sysctl: { tcpTimestamps } });
          t.after(17);
          const peer = opens(t, { ts: true, sackOk, wscale });
          const heard = peer.hears({ flags: 'SA' });
          expect([heard.sackOk ?? false, heard.wscale !== undefined]).toEqual([sackOk, wscale !== null]);
          peer.sends({ win: 100 });
          const { sk } = listener.accept();
          expect([sk.sackOk, sk.wscaleOk, sk.sndWscale, sk.tstampOk]).toEqual([
            sackOk,
            wscale !== null,
            wscale ?? 0,
            true,
          ]);
          expect([sk.sndWnd, sk.rcvWscale, sk.tsRecent]).toEqual([
            100 << (wscale ?? 0),
            heard.wscale ?? 0,
            5000,
          ]);
        }
      }
    }
  });

  it('a timestamp that never was ours makes no timeout out of nothing', () => {
    const { t, listener } = flooded({ sysctl: { tcpTimestamps: 1 } });
    t.after(17);
    const peer = opens(t, { ts: true });
    const { ts } = peer.hears({ flags: 'SA' });
    // As if the round trip had taken a thousand seconds.
    peer.sends({ ts: [peer.tsClock, ((ts?.[0] ?? 0) - 1_000_000) | 0] });
    const program = listener.accept();
    expect(program.sk.rto).toBe(120_000);
    program.send('x');
    peer.heard();
    t.after(60_000);
    peer.hearsNothing();
  });

  // covers: what a cookie carries: MSS, SACK, window scale, timestamps | Linux cookie_init_timestamp | src/tcp/listen/syncookies.ts
  it('the MSS is remembered as the next lower of four', () => {
    for (const [mss, remembered] of [
      [9000, 1460],
      [1459, 1440],
      [1300, 1300],
      [1000, 536],
      [100, 536],
    ]) {
      const { t, listener } = flooded({ mtu: 9000 });
      const peer = opens(t, { mss });
      peer.sends({});
      expect(listener.accept().sk.mss).toBe(remembered);
    }
  });

  it('a cookie is good for a minute at least, and for two at most', () => {
    for (const [minutes, good] of [
      [1, true],
      [2.1, false],
    ] as const) {
      const { t, listener } = flooded();
      const peer = opens(t);
      peer.hears({ flags: 'SA' });
      t.after(minutes * 60_000);
      peer.sends({});
      expect(listener.waiting).toBe(good ? 1 : 0);
      if (!good) peer.hears({ flags: 'R', seq: 1 });
    }
  });

  it('a wrong one is reset, and counted', () => {
    const { t } = flooded();
    const peer = opens(t);
    peer.hears({ flags: 'SA' });
    peer.sends({ ack: 2 }).hears({ flags: 'R', seq: 2 });
    peer.sends({ seq: 1000 }).hears({ flags: 'R', seq: 1 });
    expect(t.counter('TcpExt', 'SyncookiesFailed')).toBe(2);
  });

  it('one byte on it is wrong: what went before would be missing from the stream', () => {
    for (const seq of [2, 3, 4]) {
      const { t, listener } = flooded();
      const peer = opens(t);
      peer.hears({ flags: 'SA' });
      // The first bytes are late, and the end of the stream overtakes them.
      peer.sends({ flags: 'FA', seq }).hears({ flags: 'R', seq: 1 });
      expect([listener.waiting, t.counter('TcpExt', 'SyncookiesFailed')]).toEqual([0, 1]);
    }
  });

  it('a full accept queue drops it, without a reset', () => {
    const { t, listener } = flooded();
    const peers = [opens(t), opens(t)];
    for (const peer of peers) peer.sends({});
    expect(listener.waiting).toBe(1);
    peers[1].hears({ flags: 'SA' });
    peers[1].hearsNothing();
    listener.accept();
    peers[1].sends({ data: 'again' });
    expect(listener.accept().recv()).toBe('again');
  });

  it('none is believed where none was sent', () => {
    const { t, listener } = flooded();
    const peer = opens(t);
    peer.hears({ flags: 'SA' });
    listener.sk.listener!.lastCookieMs = null;
    peer.sends({}).hears({ flags: 'R' });
    expect(t.counter('TcpExt', 'SyncookiesFailed')).toBe(0);
  });
});

// covers: SYN cookies (tcp_syncookies 0, 1, 2) | RFC 4987 section 3.6; Linux cookie_v4_check | src/tcp/listen/syncookies.ts
describe('tcp_syncookies', () => {
  it('0: no cookies', () => {
    const { t } = flooded({ sysctl: { tcpSyncookies: 0 } });
    expect(opens(t).heard()).toEqual([]);
  });

  it('2: nothing but cookies', () => {
    const t = conversation({ sysctl: { tcpSyncookies: 2 } });
    t.listen();
    const peer = opens(t);
    expect(t.tcp.counts.requests).toBe(0);
    peer.sends({});
    expect(t.tcp.counts.established).toBe(1);
  });
});

describe('the cookie', () => {
  it('is of this secret, this four-tuple and this SYN only', () => {
    const t = conversation();
    const sk = t.listen().sk;
    const route = t.stack.ip.route(address('10.0.0.1'))!;
    const cookies = new SynCookies(t.host);
    const make = (port: number, irs: number): RequestSock => {
      const request = new RequestSock(sk, route, address('10.0.0.2'), 80, address('10.0.0.1'), port);
      request.irs = irs;
      request.mss = 1460;
      return request;
    };
    let forged = 0;
    const random = new SeededRandom(7);
    for (let i = 0; i < 3000; i++) {
      const port = 1024 + (i % 60000);
      const irs = random.int32();
      const request = make(port, irs);
      cookies.issue(request);
      expect(cookies.check(request)).toBe(1460);
      const others = [make(port + 1, irs), make(port, irs + 1000), make(port, irs)];
      others[2].iss = random.int32();
      for (const other of others) {
        if (other !== others[2]) other.iss = request.iss;
        if (cookies.check(other) !== 0) forged++;
      }
    }
    // Two minutes of 256 and four MSS values of 2^24: one guess in half a million.
    expect(forged).toBeLessThanOrEqual(1);
    expect(new SynCookies(t.host).check(make(5000, 1))).toBe(0);
  });

  it('never tells a time that has not come', () => {
    const t = conversation();
    const request = new RequestSock(
      t.listen().sk,
      t.stack.ip.route(address('10.0.0.1'))!,
      address('10.0.0.2'),
      80,
      address('10.0.0.1'),
      1,
    );
    for (const now of [0, 1, 63, 64, 65, 0x7fffffff, -0x80000000, -1]) {
      const behind = (now - cookieTimestamp(request, now)) | 0;
      expect(behind).toBeGreaterThanOrEqual(0);
      expect(behind).toBeLessThan(64);
    }
  });
});

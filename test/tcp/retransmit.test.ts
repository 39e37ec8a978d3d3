// Loss: timeouts and their backoff (RFC 6298), fast retransmit with and without SACK (RFC 5681, 6582, 6675), the window
// meanwhile (RFC 6937), and when a connection is given up.

import { describe, expect, it } from 'vitest';
import { TCP_CA_Disorder, TCP_CA_Loss, TCP_CA_Open, TCP_CA_Recovery } from '../../src/uapi/tcp.js';
import {
  type ConversationOptions,
  conversation,
  LINK_F_CSUM,
  LINK_F_TSO4,
  type Opening,
} from './conversation.js';
import { expectSound } from './invariants.js';

const MSS = 1460;

/** Probes and F-RTO have packet scripts of their own; here is what happens without them. */
const PLAIN = { tcpEarlyRetrans: 0, tcpFrto: 0, tcpCongestionControl: 'reno' };

/** `segments` full segments are in flight; the round trip is 10 ms. */
function inFlight(segments: number, opening: Opening = {}, options: ConversationOptions = {}) {
  const t = conversation({ ...options, sysctl: { ...PLAIN, ...options.sysctl } });
  const both = t.established({ win: 65535, ...opening });
  const { peer, program } = both;
  program.send(1);
  t.after(10);
  peer.sends({});
  peer.heard();
  const mss = program.sk.mss;
  program.sk.minRttUs = 10_000;
  program.send(segments * mss);
  peer.heard();
  t.mark();
  const at = (n: number): number => 2 + n * mss;
  return { t, ...both, mss, at };
}

describe('the timeout', () => {
  it('sends nothing that counts among OutSegs (RFC 4022)', () => {
    const { t, peer } = inFlight(2);
    const sent = t.counter('Tcp', 'OutSegs');
    t.after(1000);
    expect(peer.heard().length).toBeGreaterThan(1);
    expect(t.counter('Tcp', 'OutSegs')).toBe(sent);
    expect(t.counter('Tcp', 'RetransSegs')).toBeGreaterThan(1);
  });

  it('is never below 200 ms, doubles each time, and sends the first segment', () => {
    const { t, peer, program } = inFlight(2);
    const rto = program.sk.rto;
    expect(rto).toBeGreaterThanOrEqual(200);
    t.after(rto * 15 + 5);
    expect(peer.inbox.map((heard) => [heard.seq, heard.at])).toEqual([
      [2, rto],
      [2, 3 * rto],
      [2, 7 * rto],
      [2, 15 * rto],
    ]);
    expect([program.sk.caState, program.sk.sndCwnd, program.sk.tx.retransmits]).toEqual([TCP_CA_Loss, 1, 4]);
    expectSound(program.sk);
  });

  it('gives up after about 15 minutes: ETIMEDOUT', () => {
    const { t, program } = inFlight(1);
    t.after(900_000);
    expect(program.state).toBe('ESTABLISHED');
    t.after(200_000);
    expect([program.wakes(), program.poll(), program.recv()]).toEqual([['STATE', 'ERR'], 'IORHE', -110]);
    expect(t.counter('TcpExt', 'TCPAbortOnTimeout')).toBe(1);
    program.close();
    t.listener.close();
    t.expectNothingLeft();
  });

  it('tcp_retries2 says when', () => {
    const { t, program } = inFlight(1, {}, { sysctl: { tcpRetries2: 3 } });
    // Not before (2^4 - 1) * 200 ms have passed since the first repetition; the timer looks at 31 times the first timeout.
    t.after(31 * program.sk.rto - 1);
    expect(program.state).toBe('ESTABLISHED');
    t.after(1);
    expect(program.state).toBe('CLOSE');
  });

  it('TCP_USER_TIMEOUT says so to the millisecond', () => {
    const { t, program } = inFlight(1);
    program.sk.ownTuning().userTimeoutMs = 1500;
    const first = program.sk.rto;
    t.after(first + 1499);
    expect(program.state).toBe('ESTABLISHED');
    t.after(1);
    expect([program.state, program.sk.err]).toEqual(['CLOSE', 110]);
  });

  it('is not measured by a segment sent twice (Karn), unless timestamps tell', () => {
    for (const ts of [false, true]) {
      const { t, peer, program } = inFlight(1, { ts });
      const before = program.sk.srttUs;
      t.after(program.sk.rto + 40);
      peer.hears({ seq: 2 });
      peer.sends({});
      expect(program.sk.srttUs !== before).toBe(ts);
      expect(program.sk.tx.backoff).toBe(ts ? 0 : 1);
    }
  });

  it('afterwards slow start repeats what was lost before anything new', () => {
    const { t, peer, program, at, mss } = inFlight(4, { sackOk: true });
    t.after(program.sk.rto);
    peer.hears({ seq: at(0), data: mss });
    program.send(10 * mss);
    peer.hearsNothing();
    peer.sends({ ack: at(1) });
    expect(peer.heard().map((line) => line.split(' ')[1])).toEqual([
      `${at(1)}:${at(2)}`,
      `${at(2)}:${at(3)}`,
    ]);
    peer.sends({ ack: at(4) });
    expect(program.sk.caState).toBe(TCP_CA_Open);
    expectSound(program.sk);
  });

  // covers: reneging | RFC 2018 section 8 | src/tcp/recovery/recovery.ts
  it('a peer that took back what it had selected gets it all again', () => {
    const { t, peer, program, at } = inFlight(3, { sackOk: true });
    peer.sends({ ack: at(0), sack: [[at(1), at(3)]] });
    peer.sends({ ack: at(1) });
    t.after(program.sk.rto);
    peer.heard();
    expect([program.sk.tx.sackedOut, t.counter('TcpExt', 'TCPSACKReneging')]).toEqual([0, 1]);
    peer.sends({ ack: at(2) });
    expect(peer.heard()).toContain(`PA ${at(2)}:${at(3)} ack 1`);
  });
});

describe('fast retransmit', () => {
  for (const sackOk of [true, false]) {
    it(`the third duplicate repeats the first segment (tcp_sack=${sackOk ? 1 : 0})`, () => {
      const { t, peer, program, at, mss } = inFlight(8, { sackOk });
      t.after(10);
      const dup = (n: number) =>
        peer.sends(sackOk ? { ack: at(0), sack: [[at(1), at(n + 1)]] } : { ack: at(0) });
      dup(1);
      dup(2);
      peer.hearsNothing();
      expect(program.sk.caState).toBe(TCP_CA_Disorder);
      dup(3);
      peer.hears({ seq: at(0), data: mss });
      peer.hearsNothing();
      expect([program.sk.caState, program.sk.sndSsthresh, program.sk.tx.highSeq - program.sk.sndUna]).toEqual(
        [TCP_CA_Recovery, 5, 8 * mss],
      );
      expectSound(program.sk);
      peer.sends({ ack: at(8) });
      // Without SACK one acknowledgement more is needed to be sure.
      expect([program.sk.caState, program.sk.sndCwnd]).toEqual([sackOk ? TCP_CA_Open : TCP_CA_Recovery, 5]);
      expect([program.sk.tx.lostOut, program.sk.tx.retransOut, program.sk.tx.packetsOut]).toEqual([0, 0, 0]);
      expectSound(program.sk);
    });
  }

  it('the timer starts anew with it', () => {
    const { t, peer, program, at } = inFlight(5, { sackOk: true });
    t.after(150);
    peer.sends({ ack: at(0), sack: [[at(1), at(4)]] }).hears({ seq: at(0) });
    t.after(program.sk.rto - 1);
    peer.hearsNothing();
    t.after(1);
    peer.hears({ seq: at(0) });
  });

  it('a window update is no duplicate', () => {
    const { peer, at } = inFlight(5, { win: 20_000 });
    for (const win of [60_000, 61_000, 62_000, 63_000]) peer.sends({ ack: at(0), win });
    peer.hearsNothing();
  });

  it('nor are the answers to probes of a closed window', () => {
    const { peer, program, at } = inFlight(5);
    for (let i = 0; i < 5; i++) peer.sends({ ack: at(0), win: 0 });
    peer.hearsNothing();
    expect(program.sk.caState).toBe(TCP_CA_Open);
  });

  it('nor is an ACK with data', () => {
    const { peer, at } = inFlight(5);
    for (let i = 0; i < 5; i++) peer.sends({ ack: at(0), data: 10 });
    expect(peer.heard().filter((line) => line.includes(`${at(0)}:`) && line.startsWith('PA'))).toEqual([]);
  });

  // covers: NewReno without SACK | RFC 6582 section 3.2 | src/tcp/recovery/scoreboard-marks.ts
  it('NewReno: a partial acknowledgement repeats the next hole, and only it (RFC 6582)', () => {
    const { peer, program, at, mss } = inFlight(8);
    for (let i = 0; i < 3; i++) peer.sends({ ack: at(0) });
    peer.hears({ seq: at(0), data: mss });
    peer.sends({ ack: at(4) });
    peer.hears({ seq: at(4), data: mss });
    peer.hearsNothing();
    expect(program.sk.caState).toBe(TCP_CA_Recovery);
    // Everything but nothing above: the state holds, so that old duplicates are not taken for a new loss.
    program.send(mss);
    peer.heard();
    peer.sends({ ack: at(8) });
    expect(program.sk.caState).toBe(TCP_CA_Recovery);
    peer.heard();
    for (let i = 0; i < 5; i++) peer.sends({ ack: at(8) });
    peer.hearsNothing();
    peer.sends({ ack: at(9) });
    expect([program.sk.caState, program.sk.sndCwnd]).toEqual([TCP_CA_Open, 5]);
  });

  it('NewReno on a device that cuts segments: only the first of a large one is lost', () => {
    const { peer, program, at, mss } = inFlight(8, {}, { features: LINK_F_TSO4 | LINK_F_CSUM });
    for (let i = 0; i < 3; i++) peer.sends({ ack: at(0) });
    peer.hears({ seq: at(0), data: mss, gso: 0 });
    peer.hearsNothing();
    expect([program.sk.tx.lostOut, program.sk.tx.packetsOut]).toEqual([1, 8]);
    expectSound(program.sk);
  });

  // covers: SACK scoreboard | RFC 2018 section 5; RFC 6675 section 4 | src/tcp/recovery/scoreboard.ts
  it('SACK: several holes are repeated, what was selected is not', () => {
    const { t, peer, program, at, mss } = inFlight(10, { sackOk: true });
    t.after(10);
    peer.sends({
      ack: at(0),
      sack: [
        [at(1), at(3)],
        [at(4), at(7)],
      ],
    });
    peer.sends({
      ack: at(0),
      sack: [
        [at(7), at(10)],
        [at(1), at(3)],
        [at(4), at(7)],
      ],
    });
    expect(peer.heard().map((line) => line.split(' ')[1])).toEqual([
      `${at(0)}:${at(1)}`,
      `${at(3)}:${at(4)}`,
    ]);
    expect(program.sk.tx.sackedOut).toBe(8);
    peer.sends({ ack: at(10) });
    expect([program.sk.caState, program.sk.tx.packetsOut, mss]).toEqual([TCP_CA_Open, 0, MSS]);
  });

  // covers: counters by the kernel's names | Linux tcp_newly_delivered | src/tcp/ack.ts
  it('what an acknowledgement selects that was overtaken is delivered, too', () => {
    const { t, peer, at } = inFlight(10, { sackOk: true });
    const delivered = () => t.counter('TcpExt', 'TCPDelivered');
    peer.sends({ ack: at(2) });
    const before = delivered();
    peer.sends({ ack: at(1), sack: [[at(4), at(6)]] });
    expect(delivered() - before).toBe(2);
  });

  // covers: segments of 64 KiB where the device cuts them | Linux tcp_tso_should_defer, tcp_mss_split_point | src/tcp/recovery/scoreboard.ts
  it('SACK cuts large segments only between full ones (CVE-2019-11477)', () => {
    const { t, peer, program, at } = inFlight(10, { sackOk: true }, { features: LINK_F_TSO4 | LINK_F_CSUM });
    t.after(10);
    // Two rows, each of half a window.
    expect(program.sk.writeQueue.count).toBe(2);
    peer.sends({
      ack: at(0),
      sack: [
        [at(1) + 1, at(1) + 2],
        [at(3) + 5, at(5) + 9],
      ],
    });
    expect([program.sk.writeQueue.count, program.sk.tx.sackedOut]).toEqual([4, 1]);
    expectSound(program.sk);
    for (let i = 0; i < 200; i++) peer.sends({ ack: at(0), sack: [[at(0) + 1 + 7 * i, at(0) + 3 + 7 * i]] });
    expect(program.sk.writeQueue.count).toBeLessThan(10);
  });

  // covers: SACK scoreboard | RFC 2018 section 5; RFC 6675 section 4 | src/tcp/recovery/scoreboard.ts
  it('lies about what was never sent are ignored', () => {
    const { t, peer, program, at } = inFlight(3, { sackOk: true });
    for (const block of [
      [at(2), at(9)],
      [at(2), at(1)],
      [at(0), at(3)],
      [-5000, -10],
    ] as const) {
      peer.sends({ ack: at(0), sack: [block] });
    }
    expect([program.sk.tx.sackedOut, t.counter('TcpExt', 'TCPSACKDiscard')]).toEqual([0, 4]);
  });

  // covers: proportional rate reduction | RFC 6937 section 3 | src/tcp/cwnd.ts
  it('the window comes down in step with what arrives (PRR)', () => {
    const { peer, program, at } = inFlight(10, { sackOk: true });
    program.send(20 * MSS);
    peer.sends({ ack: at(0), sack: [[at(1), at(4)]] });
    const sent: number[] = [];
    for (let n = 5; n <= 10; n++) {
      peer.heard();
      peer.sends({ ack: at(0), sack: [[at(1), at(n)]] });
      sent.push(peer.inbox.length);
      expect(program.sk.inFlight).toBeLessThanOrEqual(program.sk.sndCwnd);
    }
    // Half a segment for each that arrived.
    expect(sent.reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(2);
    expect(sent.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(5);
  });
});

describe('what is acknowledged', () => {
  it('in the middle of a segment shortens what is sent again of it', () => {
    const { t, peer, program, at, mss } = inFlight(2);
    peer.sends({ ack: at(0) + 100 });
    expectSound(program.sk);
    t.after(program.sk.rto);
    peer.hears({ seq: at(0) + 100, data: mss - 100 });
  });

  it('beyond what was sent is not believed, but answered', () => {
    const { peer, program, at } = inFlight(2);
    peer.sends({ ack: at(5) }).hears({ flags: 'A', seq: at(2) });
    expect(program.sk.tx.packetsOut).toBe(2);
  });

  // covers: acknowledgements must be near (ACK window) | RFC 5961 section 5.2 | src/tcp/ack.ts
  it('absurdly long ago is answered by a challenge (RFC 5961 section 5)', () => {
    const { t, peer, at } = inFlight(2);
    peer.sends({ ack: -100 }).hears({ flags: 'A', seq: at(2) });
    expect(t.counter('TcpExt', 'TCPChallengeACK')).toBe(1);
    peer.sends({ ack: 1 }).hearsNothing();
  });

  it('keeps its PSH and its FIN when sent again', () => {
    const { t, peer, program } = inFlight(0, {}, { sysctl: { tcpRetransCollapse: 0 } });
    program.send('a');
    program.sk.nonagle = 1;
    program.send('b');
    program.shutdown(2);
    peer.heard();
    t.after(program.sk.rto);
    peer.hears({ flags: 'PA', data: 'a' });
    peer.sends({ ack: 3 });
    expect(peer.heard()).toEqual(['PA 3:4 ack 1', 'FA 4:4 ack 1']);
  });

  it('small segments join into one when they are sent again (tcp_retrans_collapse)', () => {
    const { t, peer, program } = inFlight(0);
    program.sk.nonagle = 1;
    program.send('a');
    program.send('b');
    program.shutdown(2);
    peer.heard();
    t.after(program.sk.rto);
    peer.hears({ flags: 'FPA', data: 'ab' });
    expectSound(program.sk);
  });
});

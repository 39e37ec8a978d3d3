// How connections end, in every order, with the wake-ups of section 3 of the readiness notes.

import { describe, expect, it } from 'vitest';
import { conversation } from './conversation.js';

function connection(options = {}) {
  const t = conversation(options);
  const both = t.established();
  both.program.wakes();
  t.mark();
  return { t, ...both };
}

// covers: closing in every order | RFC 9293 section 3.6 | src/tcp/state.ts
describe('we close first', () => {
  it('FIN, its ACK, their FIN: FIN_WAIT1, FIN_WAIT2, TIME_WAIT', () => {
    const { t, peer, program } = connection();
    program.shutdown(2);
    peer.hears({ flags: 'FA', seq: 1, ack: 1 });
    expect([program.state, program.wakes(), program.poll()]).toEqual(['FIN_WAIT1', ['STATE'], 'O']);
    peer.sends({});
    expect([program.state, program.wakes()]).toEqual(['FIN_WAIT2', ['STATE']]);
    peer.sends({ flags: 'FA' }).hears({ flags: 'A', seq: 2, ack: 2 });
    expect([program.state, program.wakes()]).toEqual(['CLOSE', ['STATE', 'STATE', 'DATA']]);
    expect([program.poll(), program.recv(), t.tcp.counts.timeWait]).toEqual(['IORH', 0, 1]);
  });

  it('their FIN acknowledges ours', () => {
    const { t, peer, program } = connection();
    program.shutdown(2);
    peer.hears({ flags: 'FA' });
    program.wakes();
    peer.sends({ flags: 'FA' }).hears({ flags: 'A', seq: 2, ack: 2 });
    expect([program.wakes(), t.tcp.counts.timeWait]).toEqual([['STATE', 'STATE', 'STATE', 'DATA'], 1]);
  });

  it('FINs cross: CLOSING, then TIME_WAIT', () => {
    const { t, peer, program } = connection();
    program.shutdown(2);
    peer.hears({ flags: 'FA' });
    program.wakes();
    peer.sends({ flags: 'FA', ack: 1 }).hears({ flags: 'A', seq: 2, ack: 2 });
    expect([program.state, program.wakes(), program.poll()]).toEqual(['CLOSING', ['STATE', 'DATA'], 'IORH']);
    peer.sends({ ack: 2 });
    expect([program.state, program.wakes(), t.tcp.counts.timeWait]).toEqual(['CLOSE', ['STATE'], 1]);
  });

  it('half closed, we still read', () => {
    const { peer, program } = connection();
    program.shutdown(2);
    peer.hears({ flags: 'FA' });
    peer.sends({ data: 'more' });
    expect([program.recv(), program.send('no')]).toEqual(['more', -32]);
    peer.sends({ flags: 'FA', data: 'last' });
    expect([program.recv(), program.recv()]).toEqual(['last', 0]);
  });

  it('the FIN waits behind what is not sent yet', () => {
    const { peer, program } = connection();
    peer.sends({ data: 'x' }).sends({ win: 2000 });
    peer.heard();
    program.send(2500);
    program.shutdown(2);
    expect(peer.heard().some((line) => line.startsWith('F'))).toBe(false);
    expect(program.state).toBe('FIN_WAIT1');
    for (let i = 0; i < 10 && program.state === 'FIN_WAIT1'; i++) peer.sends({ win: 2000 });
    expect([program.state, peer.heardTo]).toEqual(['FIN_WAIT2', 2502]);
  });

  it('a lost FIN is sent again, in FIN_WAIT1 and in CLOSING', () => {
    const { t, peer, program } = connection();
    program.shutdown(2);
    t.after(250);
    expect(peer.times('FA').length).toBe(2);
    peer.sends({ flags: 'FA', ack: 1 });
    peer.heard();
    t.after(2000);
    expect(peer.times('FA').length).toBeGreaterThan(0);
  });

  it('FIN_WAIT2 with the socket open lasts for ever', () => {
    const { t, peer, program } = connection();
    program.shutdown(2);
    peer.sends({});
    t.after(10_000_000);
    expect(program.state).toBe('FIN_WAIT2');
  });
});

describe('the peer closes first', () => {
  it('FIN: CLOSE_WAIT; our FIN: LAST_ACK; its ACK: gone', () => {
    const { t, peer, program } = connection();
    peer.sends({ flags: 'FA' });
    expect([program.state, program.wakes(), program.poll()]).toEqual([
      'CLOSE_WAIT',
      ['STATE', 'DATA'],
      'IOR',
    ]);
    t.after(50);
    peer.hears({ flags: 'A', ack: 2 });
    expect([program.recv(), program.send('bye')]).toEqual([0, 3]);
    peer.hears({ data: 'bye' });
    program.shutdown(2);
    peer.hears({ flags: 'FA', seq: 4 });
    expect([program.state, program.wakes(), program.poll()]).toEqual(['LAST_ACK', ['STATE'], 'IORH']);
    peer.sends({});
    expect([program.state, program.wakes(), program.poll()]).toEqual(['CLOSE', ['STATE'], 'IORH']);
    program.close();
    t.listener.close();
    t.expectNothingLeft();
  });

  it('FIN with data', () => {
    const { peer, program } = connection();
    peer.sends({ flags: 'FPA', data: 'last words' });
    expect([program.wakes(), program.recv(), program.recv()]).toEqual([['STATE', 'DATA'], 'last words', 0]);
  });

  it('a repeated FIN is acknowledged again', () => {
    const { t, peer } = connection();
    peer.sends({ flags: 'FA' });
    t.after(300);
    peer.heard();
    peer.sends({ flags: 'FA', seq: 1 }).hears({ flags: 'A', ack: 2 });
  });

  it('data after the FIN resets', () => {
    for (const said of [
      { seq: 1, data: 'abc' },
      { seq: 1, data: 'abcdef' },
    ]) {
      const { t, peer, program } = connection();
      peer.sends({ flags: 'FA' });
      t.after(300);
      peer.heard();
      peer.sends(said).hears({ flags: 'R' });
      expect([program.state, program.sk.err, program.recv()]).toEqual(['CLOSE', 32, 0]);
    }
  });
});

describe('close', () => {
  it('with unread data resets', () => {
    const { t, peer, program } = connection();
    peer.sends({ data: 'unread' });
    t.after(100);
    peer.heard();
    program.close();
    peer.hears({ flags: 'RA', seq: 1, ack: 7 });
    expect(t.counter('TcpExt', 'TCPAbortOnClose')).toBe(1);
    t.listener.close();
    t.expectNothingLeft();
  });

  it('out-of-order data and a FIN are not unread data', () => {
    const { peer, program } = connection();
    peer.sends({ seq: 100, data: 'later' }).hears({ flags: 'A', ack: 1 });
    program.close();
    peer.hears({ flags: 'FA' });
    const other = connection();
    other.peer.sends({ flags: 'FA' });
    other.program.close();
    expect(other.peer.heard().at(-1)).toBe('FA 1:1 ack 2');
  });

  it('SO_LINGER {1, 0} resets, in the states that know a connection', () => {
    const { t, peer, program } = connection();
    Object.assign(program.sk, { lingerOn: true, lingerMs: 0 });
    program.send('unacknowledged');
    peer.heard();
    program.close();
    peer.hears({ flags: 'RA', seq: 15 });
    expect(t.tcp.counts.orphans).toBe(0);
    t.listener.close();
    t.expectNothingLeft();
  });

  it('SO_LINGER {1, n}: the caller waits until the FIN is acknowledged', () => {
    const { t, peer, program } = connection();
    Object.assign(program.sk, { lingerOn: true, lingerMs: 5000 });
    program.send('x');
    t.tcp.lock(program.sk);
    expect(t.tcp.startClose(program.sk)).toBe(true);
    t.tcp.release(program.sk);
    t.settle();
    expect(t.tcp.isClosing(program.sk)).toBe(true);
    peer.heard();
    peer.sends({});
    expect(t.tcp.isClosing(program.sk)).toBe(false);
    t.tcp.lock(program.sk);
    t.tcp.finishClose(program.sk);
    expect(t.tcp.counts).toMatchObject({ established: 0, timeWait: 1 });
  });

  it('an orphan still delivers what was written, and its FIN', () => {
    const { t, peer, program } = connection();
    program.send(20_000);
    program.close();
    expect(t.tcp.counts.orphans).toBe(1);
    for (let i = 0; i < 20; i++) peer.sends({});
    expect(peer.heardTo).toBe(20_002);
    peer.sends({ flags: 'FA' });
    expect(t.tcp.counts).toMatchObject({ established: 0, orphans: 0, timeWait: 1 });
  });

  // covers: orphans and their limit (tcp_max_orphans, tcp_orphan_retries) | RFC 1122 section 4.2.2.13; Linux tcp_out_of_resources | src/tcp/timers.ts
  it('an orphan that gets no answer is given up after eight repetitions', () => {
    const { t, program } = connection();
    program.send('x');
    program.close();
    t.listener.close();
    t.after(200_000);
    t.expectNothingLeft();
  });

  it('too many orphans: reset', () => {
    const { t, peer, program } = connection({ sysctl: { tcpMaxOrphans: 0 } });
    program.close();
    peer.hears({ flags: 'FA' });
    peer.hears({ flags: 'RA', seq: 2 });
    expect(t.counter('TcpExt', 'TCPAbortOnMemory')).toBe(1);
  });
});

describe("the orphan's FIN_WAIT2", () => {
  function orphan(
    change: (sk: ReturnType<typeof connection>['program']['sk']) => void = () => {},
    options = {},
  ) {
    const all = connection(options);
    all.program.set(change);
    all.program.close();
    all.peer.hears({ flags: 'FA' });
    all.peer.sends({});
    all.t.mark();
    return all;
  }

  it('lasts tcp_fin_timeout, then an ACK is answered by a reset', () => {
    const { t, peer } = orphan(undefined, { sysctl: { tcpFinTimeout: 5 } });
    expect(t.tcp.counts).toEqual({ established: 0, requests: 0, timeWait: 1, orphans: 0 });
    t.after(4900);
    peer.sends({}).hearsNothing();
    t.after(200);
    peer.sends({}).hears({ flags: 'R', seq: 2 });
  });

  // covers: TCP_LINGER2 | Linux tcp_fin_time | src/tcp/close.ts
  it('TCP_LINGER2 says how long; negative: not at all', () => {
    const { t } = orphan((sk) => {
      sk.ownTuning().linger2Ms = 1000;
    });
    expect([t.counter('TcpExt', 'TW'), t.counter('TcpExt', 'TWKilled')]).toEqual([0, 1]);
    t.after(1001);
    expect(t.tcp.counts.timeWait).toBe(0);
    const never = orphan((sk) => {
      sk.ownTuning().linger2Ms = -1;
    });
    expect(never.peer.hears({ flags: 'R' }).seq).toBe(2);
    expect(never.t.counter('TcpExt', 'TCPAbortOnData')).toBe(1);
  });

  it('longer than TIME_WAIT it is kept whole for the surplus', () => {
    const { t } = orphan((sk) => {
      sk.ownTuning().linger2Ms = 100_000;
    });
    expect(t.tcp.counts).toMatchObject({ established: 1, orphans: 1, timeWait: 0 });
    t.after(40_100);
    expect(t.tcp.counts).toMatchObject({ established: 0, orphans: 0, timeWait: 1 });
  });

  it('new data resets; the FIN leads to TIME_WAIT', () => {
    const { t, peer } = orphan();
    peer.sends({ flags: 'FA' }).hears({ flags: 'A', seq: 2, ack: 2 });
    t.after(59_000);
    expect(t.tcp.counts.timeWait).toBe(1);
    const other = orphan();
    other.peer.sends({ data: 'nobody reads this' }).hears({ flags: 'R', seq: 2 });
    expect(other.t.tcp.counts.timeWait).toBe(0);
  });

  it('new data in FIN_WAIT1 resets, too', () => {
    const { t, peer, program } = connection();
    program.close();
    peer.hears({ flags: 'FA' });
    peer.sends({ ack: 1, data: 'nobody reads this' }).hears({ flags: 'R' });
    expect(t.tcp.counts).toMatchObject({ established: 0, orphans: 0 });
  });

  it('a reset ends it', () => {
    const { t, peer } = orphan();
    peer.sends({ flags: 'R' });
    expect(t.tcp.counts.timeWait).toBe(0);
  });
});

describe('shutdown', () => {
  it('RD sends nothing; data still arrives and is readable; empty reads 0', () => {
    const { peer, program } = connection();
    program.shutdown(1);
    peer.hearsNothing();
    expect([program.poll(), program.recv(), program.wakes()]).toEqual(['IOR', 0, ['STATE']]);
    peer.sends({ data: 'abc' });
    expect([program.wakes(), program.recv(), program.recv()]).toEqual([['DATA'], 'abc', 0]);
  });

  it('RDWR in FIN_WAIT: arriving data resets', () => {
    const { t, peer, program } = connection();
    program.shutdown(3);
    peer.hears({ flags: 'FA' });
    expect(program.poll()).toBe('IORH');
    peer.sends({ data: 'abc' }).hears({ flags: 'R' });
    expect([program.sk.err, t.counter('TcpExt', 'TCPAbortOnData')]).toEqual([104, 1]);
  });

  it('WR twice sends one FIN', () => {
    const { peer, program } = connection();
    program.shutdown(2);
    program.shutdown(2);
    expect(peer.heard()).toEqual(['FA 1:1 ack 1']);
  });

  it('in SYN_SENT it is the end: ECONNRESET, and nothing is sent', () => {
    const t = conversation();
    const { peer, program } = t.connecting();
    peer.heard();
    program.shutdown(2);
    peer.hearsNothing();
    expect([program.poll(), program.sk.err, program.wakes()]).toEqual(['OHE', 104, ['ERR', 'STATE']]);
  });

  it('WR while SYNs cross: the FIN follows the handshake', () => {
    const t = conversation();
    const { peer, program } = t.connecting();
    peer.heard();
    peer.sends({ flags: 'S', seq: 0, mss: 1460 }).heard();
    program.shutdown(2);
    peer.hearsNothing();
    peer.sends({});
    peer.hears({ flags: 'FA', seq: 1 });
    expect(program.state).toBe('FIN_WAIT1');
  });
});

describe('disconnect', () => {
  it('resets and cleans', () => {
    const { t, peer, program } = connection();
    peer.sends({ data: 'abc' }).hears({ flags: 'A' });
    program.wakes();
    program.disconnect();
    peer.hears({ flags: 'RA', ack: 4 });
    expect([program.poll(), program.wakes(), program.sk.err]).toEqual(['OHE', ['ERR'], 104]);
    program.close();
    t.listener.close();
    t.expectNothingLeft();
  });
});

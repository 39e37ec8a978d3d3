// What happens when a queue is full, for one listener alone: segment by segment, each policy beside what the sysctls say.

import { describe, expect, it } from 'vitest';
import { conversation } from './conversation.js';
import { counted, opens, steered, told } from './steered.js';

/** A listener whose accept queue is full, and a peer whose handshake is under way. */
function crowded(options = {}) {
  const t = conversation(options);
  const program = t.listen(1);
  const [first, half] = [opens(t), opens(t)];
  t.tcp.setBacklog(program.sk, 0);
  first.hears({ flags: 'SA' });
  first.sends({});
  half.hears({ flags: 'SA' });
  return { t, program, listener: steered(t, 0, program), half };
}

// covers: what one listener does when a queue is full | Linux tcp_abort_on_overflow, for all | src/tcp/listen/steering.ts
describe('a full accept queue', () => {
  it.each([
    ['sysctl', 0, [[], []], [[], []]],
    ['sysctl', 1, [[], ['R 1:1 ack 0']], [[], []]],
    ['park', 1, [[], []], [['acceptOverflow drop'], ['acceptOverflow drop']]],
    ['abort', 0, [[], ['R 1:1 ack 0']], [['acceptOverflow drop'], ['acceptOverflow reset']]],
    ['reset', 0, [['RA 0:0 ack 1'], ['R 1:1 ack 0']], [['acceptOverflow reset'], ['acceptOverflow reset']]],
  ] as const)('%s (tcp_abort_on_overflow %i)', (policy, tcpAbortOnOverflow, heard, trace) => {
    const { t, program, listener, half } = crowded({ sysctl: { tcpAbortOnOverflow } });
    listener.acceptOverflow = policy;
    const peer = t.peer();
    const bySyn = told(() => peer.sends(t.syn(peer)));
    const byThird = told(() => half.sends({}));
    expect([peer.heard(), half.heard()]).toEqual(heard);
    const reason = 'TCP_LISTEN_OVERFLOW';
    expect([bySyn, byThird].map((lines) => lines.filter((line) => line !== reason))).toEqual(trace);
    expect(bySyn.concat(byThird).filter((line) => line === reason).length).toBe(2);
    // Linux's counters tell of the overflow as ever; ours only of resets that no sysctl asked for.
    const resets = heard.flat().length;
    expect(counted(t, 'ListenOverflows', 'ListenDrops')).toEqual([2, 2]);
    expect(counted(t, 'EmbryonicRsts', 'OverflowResets')).toEqual([
      heard[1].length,
      policy === 'sysctl' ? 0 : resets,
    ]);
    program.accept();
    half.sends({ data: 'hello' });
    expect(program.waiting).toBe(heard[1].length === 0 ? 1 : 0);
  });

  it.each([
    ['sysctl', []],
    ['park', []],
    ['abort', ['R 1:1 ack 0']],
    ['reset', ['R 1:1 ack 0']],
  ] as const)('%s, of a cookie that comes back', (policy, heard) => {
    const t = conversation({ sysctl: { tcpSyncookies: 2, tcpAbortOnOverflow: 1 } });
    const program = t.listen(0);
    const listener = steered(t, 0, program);
    listener.acceptOverflow = policy;
    const [first, second] = [opens(t), opens(t)];
    for (const peer of [first, second]) {
      peer.hears({ flags: 'SA' });
      peer.sends({});
    }
    first.hearsNothing();
    expect(second.heard()).toEqual(heard);
    program.accept();
    second.sends({ data: 'hello' });
    // Whoever was not told otherwise believes that he is connected, and sends.
    expect(program.waiting).toBe(1);
  });

  it('is the one listener that was told, and no other', () => {
    const t = conversation();
    steered(t, 0).acceptOverflow = 'reset';
    const other = t.listen(0, 81);
    const peer = t.peer(45000, 81);
    t.handshake(peer);
    expect(other.waiting).toBe(1);
    t.peer(45001, 81).sends({ flags: 'S', seq: 0, mss: 1460 }).hearsNothing();
    t.handshake(t.peer());
    opens(t).hears({ flags: 'RA' });
  });
});

// covers: what one listener does when a queue is full | Linux tcp_syncookies, for all | src/tcp/listen/steering.ts
describe('a full SYN queue', () => {
  it.each([
    ['sysctl', 0, [], []],
    ['sysctl', 1, ['SA 0:0 ack 1'], []],
    ['drop', 1, [], ['synOverflow drop']],
    ['drop', 2, [], ['synOverflow drop']],
    ['cookie', 0, ['SA 0:0 ack 1'], ['synOverflow cookie']],
    ['reset', 1, ['RA 0:0 ack 1'], ['synOverflow reset']],
  ] as const)('%s (tcp_syncookies %i)', (policy, tcpSyncookies, heard, trace) => {
    const t = conversation({ sysctl: { tcpSyncookies } });
    const program = t.listen(0);
    const listener = steered(t, 0, program);
    listener.synOverflow = policy;
    opens(t);
    expect(listener.synQueue.length).toBe(1);
    const peer = t.peer();
    const lines = told(() => peer.sends(t.syn(peer)));
    expect(lines.filter((line) => line !== 'NOT_SPECIFIED')).toEqual(trace);
    expect(peer.heard()).toEqual(heard);
    const cookie = heard[0]?.startsWith('SA') ? 1 : 0;
    expect(counted(t, 'TCPReqQFullDoCookies', 'SyncookiesSent', 'TCPReqQFullDrop', 'ListenDrops')).toEqual([
      cookie,
      cookie,
      1 - cookie,
      1 - cookie,
    ]);
    expect(counted(t, 'OverflowResets')).toEqual([policy === 'reset' ? 1 : 0]);
    if (cookie === 0) return;
    peer.sends({ data: 'hello' });
    expect(program.accept().recv()).toBe('hello');
  });

  it('reset, of its last places, which are for peers that are known', () => {
    const t = conversation({ sysctl: { tcpMaxSynBacklog: 8 } });
    const listener = steered(t, 100);
    listener.synOverflow = 'reset';
    expect(listener.limits.synQueueOfStrangers).toBe(7);
    const heard = Array.from({ length: 9 }, () => opens(t).heard()[0].slice(0, 2));
    expect(heard).toEqual([...new Array(7).fill('SA'), 'RA', 'RA']);
    expect(counted(t, 'OverflowResets', 'ListenDrops')).toEqual([2, 2]);
  });
});

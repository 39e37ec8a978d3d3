// Urgent data: one byte beside the stream (section 16 of the readiness notes; RFC 6093).

import { describe, expect, it } from 'vitest';
import { SIOCATMARK, SIOCINQ } from '../../src/uapi/socket.js';
import { conversation } from './conversation.js';

const MSG_OOB = 1;
const MSG_PEEK = 2;

function ask(
  t: ReturnType<typeof conversation>,
  sk: Parameters<typeof t.tcp.ioctl>[0],
  request: number,
): number {
  const out = { value: -1 };
  t.tcp.ioctl(sk, request, out);
  return out.value;
}

// covers: urgent data | RFC 6093; RFC 9293 section 3.8.5 | src/tcp/urgent.ts
describe('received', () => {
  it('the byte before the pointer is taken out of the stream', () => {
    const t = conversation();
    const { peer, program } = t.established();
    peer.sends({ flags: 'UA', data: 'abc', urg: 3 });
    expect([program.wakes(), program.poll()]).toEqual([['DATA', 'DATA'], 'IOP']);
    expect(ask(t, program.sk, SIOCINQ)).toBe(2);
    expect([program.recv(1, MSG_OOB | MSG_PEEK), program.recv(1, MSG_OOB), program.recv(1, MSG_OOB)]).toEqual(
      ['c', 'c', -22],
    );
    expect(program.poll()).toBe('IO');
    expect([program.recv(), ask(t, program.sk, SIOCATMARK), program.recv()]).toEqual(['ab', 1, -11]);
  });

  it('a read stops before the mark, and the next begins after it', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'UA', data: 'abcdef', urg: 3 });
    expect([program.recv(), program.recv(), program.recv(1, MSG_OOB)]).toEqual(['ab', 'def', -22]);
  });

  it('inline it is ordinary data, but the mark still ends a read', () => {
    const { peer, program } = conversation().established();
    program.sk.oobInline = true;
    peer.sends({ flags: 'UA', data: 'abcdef', urg: 3 });
    expect([program.recv(1, MSG_OOB), program.recv(), program.recv()]).toEqual([-22, 'ab', 'cdef']);
  });

  it('alone it is announced without being readable', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'UA', data: 'X', urg: 1 });
    expect([program.poll(), program.recv(), program.poll()]).toEqual(['OP', -11, 'O']);
  });

  it('announced before it comes', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'UA', data: 'ab', urg: 4 });
    expect([program.poll(), program.recv(1, MSG_OOB)]).toEqual(['IO', -11]);
    program.wakes();
    peer.sends({ data: 'cde' });
    expect([program.wakes(), program.poll(), program.recv(1, MSG_OOB)]).toEqual([
      ['DATA', 'DATA'],
      'IOP',
      'd',
    ]);
  });

  it('never comes: 0 after the FIN', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'UA', data: 'ab', urg: 9 }).sends({ flags: 'FA' });
    expect(program.recv(1, MSG_OOB)).toBe(0);
  });

  it('a newer one at the read position deletes the older', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'UA', data: 'X', urg: 1 }).sends({ flags: 'UA', data: 'Y', urg: 1 });
    expect([program.recv(1, MSG_OOB), program.recv()]).toEqual(['Y', -11]);
  });

  it('elsewhere the older becomes ordinary', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'UA', data: 'aB', urg: 2 }).sends({ flags: 'UA', data: 'cD', urg: 2 });
    expect([program.recv(), program.recv(1, MSG_OOB)]).toEqual(['aBc', 'D']);
  });

  it('older pointers than the one at hand are ignored', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'UA', data: 'abcd', urg: 4 });
    peer.sends({ flags: 'UA', seq: 1, data: 'abcd', urg: 2 });
    expect(program.recv(1, MSG_OOB)).toBe('d');
  });

  it('tcp_stdurg=1 points at the byte itself', () => {
    const { peer, program } = conversation({ sysctl: { tcpStdurg: 1 } }).established();
    peer.sends({ flags: 'UA', data: 'abc', urg: 1 });
    expect(program.recv(1, MSG_OOB)).toBe('b');
  });

  it('unread at close it counts as unread data', () => {
    const { peer, program } = conversation().established();
    peer.sends({ flags: 'UA', data: 'X', urg: 1 });
    program.recv(1, MSG_OOB);
    peer.heard();
    program.close();
    peer.hears({ flags: 'RA' });
  });

  it('MSG_OOB when there is none, or no connection', () => {
    const t = conversation();
    expect(t.program().recv(1, MSG_OOB)).toBe(-22);
    expect(t.listener.recv(1, MSG_OOB)).toBe(-107);
  });
});

describe('sent', () => {
  it('MSG_OOB marks the last byte, until it is acknowledged', () => {
    const { peer, program } = conversation().established();
    program.send('abc', MSG_OOB);
    expect(peer.hears({ flags: 'PUA', data: 'abc' }).urg).toBe(3);
    program.send('d');
    peer.hears({ flags: 'PA', data: 'd' });
    peer.sends({});
    program.send('e');
    expect(peer.hears({ flags: 'PA', data: 'e' }).urg).toBe(0);
  });

  it('is announced on the segments before it', () => {
    const { peer, program } = conversation().established();
    const bytes = new Uint8Array(3000);
    program.send(bytes, MSG_OOB);
    expect(peer.inbox.map((heard) => [heard.flags, heard.urg])).toEqual([
      ['UA', 3000],
      ['UA', 1540],
      ['PUA', 80],
    ]);
  });
});

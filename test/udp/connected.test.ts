// UDP socks with a peer, the ICMP errors that reach them, and what poll and ioctl tell.

import { beforeEach, describe, expect, it } from 'vitest';
import { POLLERR, POLLHUP, POLLRDHUP } from '../../src/uapi/poll.js';
import { IP_PMTUDISC_DONT, MSG_DONTWAIT, SIOCINQ, SIOCOUTQ } from '../../src/uapi/socket.js';
import type { UdpSock } from '../../src/udp/udp-sock.js';
import { address, counter, fromPeer, heard, introduce, pass, say } from '../ip/stack.js';
import { bytes, icmp, ipv4, pattern, udp } from '../packet/build.js';
import { datagram, READABLE, UdpHost, WRITABLE } from './host.js';

let host: UdpHost;

beforeEach(() => {
  host = new UdpHost();
});

describe('a connected sock', () => {
  it('has an address, a port and a peer, and hears from nobody else', () => {
    const sk = host.transport.createSock();
    expect(host.transport.connect(sk, address('10.0.0.1'), 4242)).toBe(0);
    expect([`${sk.laddr}`, `${sk.saddr}`, `${sk.daddr}`, sk.dport]).toEqual([
      '10.0.0.2',
      '10.0.0.2',
      '10.0.0.1',
      4242,
    ]);
    expect(host.send(sk, 'to the peer')).toBe(11);
    expect(heard(host.stack)).toEqual([`10.0.0.2.${sk.sport} > 10.0.0.1.4242: UDP, length 11`]);
    say(
      host.stack,
      datagram('yes', sk.sport),
      datagram('no', sk.sport, '10.0.0.1', 4243),
      datagram('no', sk.sport, '10.0.0.9'),
    );
    expect([host.recv(sk), host.recv(sk)]).toEqual(['yes from 10.0.0.1:4242', 'EAGAIN']);
    expect(host.transport.connect(sk, address('10.0.0.9'), 1)).toBe(0); // and may change its mind
    say(host.stack, datagram('old', sk.sport), datagram('new', sk.sport, '10.0.0.9', 1));
    expect([host.recv(sk), host.recv(sk)]).toEqual(['new from 10.0.0.9:1', 'EAGAIN']);
  });

  it('forgets on disconnect what connect chose, and keeps what bind did', () => {
    const sk = host.transport.createSock();
    host.transport.connect(sk, address('10.0.0.1'), 4242);
    expect(host.transport.disconnect(sk)).toBe(0);
    expect([`${sk.laddr}`, sk.sport, sk.dport]).toEqual(['0.0.0.0', 0, 0]);
    expect(host.send(sk, 'x')).toBe(-89);
    const fixed = host.bound(7, '10.0.0.2');
    host.transport.connect(fixed, address('10.0.0.1'), 4242);
    host.transport.disconnect(fixed);
    expect([`${fixed.laddr}`, fixed.sport]).toEqual(['10.0.0.2', 7]);
    say(host.stack, datagram('anybody', 7, '10.0.0.9', 5));
    expect(host.recv(fixed)).toBe('anybody from 10.0.0.9:5');
  });

  it('refuses peers it cannot have, but has a port from then on', () => {
    const sk = host.transport.createSock();
    expect(host.transport.connect(sk, address('192.0.2.1'), 9)).toBe(-101);
    expect(host.transport.connect(sk, address('10.0.0.255'), 9)).toBe(-13);
    expect(sk.sport).toBeGreaterThanOrEqual(32768);
  });

  it('to 0.0.0.0 talks to this host', () => {
    const server = host.bound(7);
    const sk = host.transport.createSock();
    host.transport.connect(sk, address('0.0.0.0'), 7);
    host.send(sk, 'me');
    expect(host.recv(server)).toBe(`me from 127.0.0.1:${sk.sport}`);
    // Or to the address that it has, or that its interface has.
    const bound = host.bound(0, '127.0.0.2');
    host.transport.connect(bound, address('0.0.0.0'), 7);
    expect(`${bound.daddr}`).toBe('127.0.0.2');
    const kept = host.transport.createSock();
    kept.boundDevice = 2;
    host.transport.connect(kept, address('0.0.0.0'), 7);
    expect(`${kept.daddr} ${kept.saddr}`).toBe('10.0.0.2 10.0.0.2');
  });
});

describe('an ICMP error', () => {
  function refusal(sk: UdpSock, type = 3, code = 3, rest = 0): Uint8Array {
    const quote = ipv4('10.0.0.2', '10.0.0.1', 17, udp('10.0.0.2', sk.sport, '10.0.0.1', 4242, bytes('x')));
    return fromPeer(ipv4('10.0.0.1', '10.0.0.2', 1, icmp(type, code, rest, quote)));
  }

  it('reaches a connected sock once: poll says ERR, the next call the errno', () => {
    const sk = host.transport.createSock();
    host.transport.connect(sk, address('10.0.0.1'), 4242);
    say(host.stack, refusal(sk));
    expect(sk.poll()).toBe(WRITABLE | POLLERR);
    expect(host.recv(sk)).toBe('ECONNREFUSED');
    expect(host.recv(sk)).toBe('EAGAIN');
    say(host.stack, refusal(sk));
    expect(host.send(sk, 'x')).toBe(-111);
    expect(host.send(sk, 'x')).toBe(1);
  });

  it('comes over loopback from a closed port', () => {
    const sk = host.transport.createSock();
    host.transport.connect(sk, address('127.0.0.1'), 9);
    expect(host.send(sk, 'anybody?')).toBe(8);
    expect(host.recv(sk)).toBe('ECONNREFUSED');
  });

  it('is not for a sock without a peer, nor when it may pass', () => {
    const sk = host.bound(7);
    say(host.stack, refusal(sk));
    expect(sk.poll()).toBe(WRITABLE);
    host.transport.connect(sk, address('10.0.0.1'), 4242);
    say(host.stack, refusal(sk, 3, 1), refusal(sk, 11, 0));
    expect(sk.poll()).toBe(WRITABLE);
  });

  it('of "too large" narrows the path and says EMSGSIZE, unless the sender fragments anyway', () => {
    const sk = host.transport.createSock();
    host.transport.connect(sk, address('10.0.0.1'), 4242);
    say(host.stack, refusal(sk, 3, 4, 1000));
    expect(host.recv(sk)).toBe('EMSGSIZE');
    expect(host.transport.output.send(sk, pattern(1200), 1200, 0, null, 0)).toBe(1200);
    expect(heard(host.stack)).toHaveLength(2);
    pass(host.stack, 600_001);
    introduce(host.stack);
    host.transport.output.send(sk, pattern(1200), 1200, 0, null, 0);
    expect(heard(host.stack)).toEqual([`10.0.0.2.${sk.sport} > 10.0.0.1.4242: UDP, length 1200`]);
    sk.mtuDiscover = IP_PMTUDISC_DONT;
    say(host.stack, refusal(sk, 3, 4, 1000));
    expect(host.recv(sk)).toBe('EAGAIN');
  });

  it('about a datagram of nobody is counted', () => {
    const sk = host.bound(7);
    host.transport.connect(sk, address('10.0.0.1'), 4242);
    const about = refusal(sk);
    host.transport.close(sk);
    say(host.stack, about);
    expect(counter(host.stack, 'Icmp', 'InErrors')).toBe(1);
  });

  it('comes from our own ARP when nobody has the address, but not as a final one', () => {
    const sk = host.transport.createSock();
    host.transport.connect(sk, address('10.0.0.77'), 9);
    host.send(sk, 'x');
    pass(host.stack, 4000);
    expect(sk.poll()).toBe(WRITABLE);
  });
});

describe('poll and ioctl', () => {
  it('tell what is there', () => {
    const sk = host.bound(7);
    const out = { value: -1 };
    expect(sk.poll()).toBe(WRITABLE);
    expect(host.transport.ioctl(sk, SIOCINQ, out)).toBe(0);
    expect(out.value).toBe(0);
    say(host.stack, datagram('seven77'), datagram('x'));
    expect(sk.poll()).toBe(WRITABLE | READABLE);
    host.transport.ioctl(sk, SIOCINQ, out);
    expect(out.value).toBe(7);
    host.transport.ioctl(sk, SIOCOUTQ, out);
    expect(out.value).toBe(0);
    expect(host.transport.ioctl(sk, 1, out)).toBe(-25);
    sk.shutdown = 1;
    expect(sk.poll()).toBe(WRITABLE | READABLE | POLLRDHUP);
    sk.shutdown = 3;
    expect(sk.poll()).toBe(WRITABLE | READABLE | POLLRDHUP | POLLHUP);
  });

  it('after shutdown(SHUT_RD) a reader that would sleep gets 0, one that would not EAGAIN', () => {
    const sk = host.bound(7);
    sk.shutdown = 1;
    expect(host.recv(sk, 10, MSG_DONTWAIT)).toBe('EAGAIN');
    expect(host.recv(sk, 10, 0)).toMatch(/^ from/);
  });

  it('a closed sock leaves nothing behind', () => {
    const sk = host.bound(7);
    say(host.stack, datagram('unread'));
    host.transport.close(sk);
    host.stack.host.memory.reap();
    expect(host.stack.host.memory.used).toBe(0);
    expect(host.transport.ports.bind(host.transport.createSock(), 7)).toBe(7);
  });
});

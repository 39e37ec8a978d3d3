// UDP on its way in: whole datagrams, who gets which, and what a full buffer does.

import { beforeEach, describe, expect, it } from 'vitest';
import { WaitQueue, WaitQueueEntry } from '../../src/core/wait-queue.js';
import { POLLIN } from '../../src/uapi/poll.js';
import { MSG_PEEK, MSG_TRUNC } from '../../src/uapi/socket.js';
import { Sender, type UdpSock } from '../../src/udp/udp-sock.js';
import { address, counter, fromPeer, say } from '../ip/stack.js';
import { bytes, ipv4, u16, udp } from '../packet/build.js';
import { datagram, UdpHost } from './host.js';

let host: UdpHost;

beforeEach(() => {
  host = new UdpHost();
});

describe('receiving', () => {
  it('gives each datagram whole, with its sender, then says EAGAIN', () => {
    const sk = host.bound(7);
    say(host.stack, datagram('one'), datagram('two', 7, '192.0.2.3', 99), datagram(''));
    expect([host.recv(sk), host.recv(sk), host.recv(sk), host.recv(sk)]).toEqual([
      'one from 10.0.0.1:4242',
      'two from 192.0.2.3:99',
      ' from 10.0.0.1:4242',
      'EAGAIN',
    ]);
    expect(counter(host.stack, 'Udp', 'InDatagrams')).toBe(3);
    expect(sk.rmem).toBe(0);
    expect(host.stack.host.memory.used).toBe(0);
  });

  it('cuts what does not fit, tells with MSG_TRUNC how long it was, and leaves it with MSG_PEEK', () => {
    const sk = host.bound(7);
    say(host.stack, datagram('a long one'), datagram('next'));
    const buffer = new Uint8Array(4);
    const from = new Sender();
    expect(host.transport.recv(sk, buffer, 4, MSG_PEEK, from)).toBe(4);
    expect(host.transport.recv(sk, buffer, 4, MSG_PEEK | MSG_TRUNC, from)).toBe(10);
    expect(from.length).toBe(10);
    expect(host.recv(sk, 4)).toBe('a lo from 10.0.0.1:4242');
    expect(host.recv(sk)).toBe('next from 10.0.0.1:4242');
  });

  it('takes a datagram without a checksum, and none with a wrong one or a wrong length', () => {
    const sk = host.bound(7);
    const from = (message: Uint8Array) => fromPeer(ipv4('10.0.0.1', '10.0.0.2', 17, message));
    const good = udp('10.0.0.1', 1, '10.0.0.2', 7, bytes('good'));
    const bad = bytes(good.subarray(0, 8), 'evil');
    const long = bytes(good.subarray(0, 4), u16(13), u16(0), 'good');
    const short = bytes(good.subarray(0, 4), u16(7), u16(0), 'good');
    say(
      host.stack,
      from(udp('10.0.0.1', 1, '10.0.0.2', 7, bytes('plain'), false)),
      ...[bad, long, short].map(from),
    );
    say(host.stack, from(good.subarray(0, 7)));
    say(host.stack, from(bytes(good, 'junk behind it')));
    expect([host.recv(sk), host.recv(sk), host.recv(sk)]).toEqual([
      'plain from 10.0.0.1:1',
      'good from 10.0.0.1:1',
      'EAGAIN',
    ]);
    expect(counter(host.stack, 'Udp', 'InCsumErrors')).toBe(1);
    expect(counter(host.stack, 'Udp', 'InErrors')).toBe(4);
  });

  it('stops at the receive buffer: the rest is dropped and counted, small datagrams charged for what they cost', () => {
    const sk = host.bound(7);
    sk.rcvbuf = 10_000;
    say(host.stack, ...Array.from({ length: 100 }, (_, i) => datagram(`${i}`)));
    let got = 0;
    while (host.recv(sk) !== 'EAGAIN') got++;
    expect(got).toBe(15);
    expect(sk.drops).toBe(85);
    expect(counter(host.stack, 'Udp', 'RcvbufErrors')).toBe(85);
    say(host.stack, datagram('again'));
    expect(host.recv(sk)).toBe('again from 10.0.0.1:4242');
  });

  it('drops, and keeps what it has, when packet memory is exhausted', () => {
    const sk = host.bound(7);
    say(host.stack, datagram('kept'));
    while (host.stack.host.memory.alloc(1) !== 0);
    for (let i = 0; i < 10; i++) host.stack.link.deliver([datagram('x'.repeat(1400))]);
    expect(counter(host.stack, 'Udp', 'RcvbufErrors')).toBeGreaterThan(6);
    expect(host.recv(sk)).toBe('kept from 10.0.0.1:4242');
  });

  it('wakes who waits, for each datagram', () => {
    const sk = host.bound(7);
    const keys: number[] = [];
    sk.wq = new WaitQueue();
    sk.wq.add(new WaitQueueEntry((_, key) => keys.push(key) > 0, null));
    say(host.stack, datagram('one'), datagram('two'));
    expect(keys).toHaveLength(2);
    expect(keys[0] & POLLIN).toBe(POLLIN);
  });
});

// covers: UDP | RFC 768; RFC 1122 section 4.1.3 | src/udp/udp.ts
describe('who gets a datagram', () => {
  it('is the connected one, then the one bound to the address, then the wildcard', () => {
    const reuse = (sk: UdpSock) => {
      sk.reuse = true;
    };
    const wild = host.bound(7, '0.0.0.0', reuse);
    const here = host.bound(7, '10.0.0.2', reuse);
    const peer = host.bound(7, '0.0.0.0', reuse);
    expect(host.transport.connect(peer, address('10.0.0.1'), 4242)).toBe(0);
    say(host.stack, datagram('to the connected'), datagram('to the bound', 7, '10.0.0.1', 4243));
    host.send(host.bound(8), 'to the wildcard', '127.0.0.1', 7);
    expect([host.recv(peer), host.recv(here), host.recv(wild)]).toEqual([
      'to the connected from 10.0.0.1:4242',
      'to the bound from 10.0.0.1:4243',
      'to the wildcard from 127.0.0.1:8',
    ]);
    host.transport.close(peer);
    say(host.stack, datagram('after'));
    expect(host.recv(here)).toBe('after from 10.0.0.1:4242');
  });

  it('is nobody: the sender is told, unless it asked everybody', () => {
    const refusal = '10.0.0.2 > 10.0.0.1: ICMP unreachable code 3, length 40';
    expect(say(host.stack, datagram('x', 9, '10.0.0.1', 4242))).toEqual([refusal.replace('40', '37')]);
    expect(say(host.stack, datagram('x', 9, '10.0.0.1', 4242, '10.0.0.255'))).toEqual([]);
    expect(counter(host.stack, 'Udp', 'NoPorts')).toBe(1);
  });

  it('is everybody who holds the port, when it was sent to all', () => {
    const reuse = (sk: UdpSock) => {
      sk.reuse = true;
    };
    const socks = [
      host.bound(7, '0.0.0.0', reuse),
      host.bound(7, '0.0.0.0', reuse),
      host.bound(7, '10.0.0.255', reuse),
    ];
    const deaf = host.bound(7, '10.0.0.2', reuse);
    say(host.stack, datagram('all', 7, '10.0.0.1', 4242, '10.0.0.255'));
    expect(socks.map((sk) => host.recv(sk))).toEqual(Array(3).fill('all from 10.0.0.1:4242'));
    expect(host.recv(deaf)).toBe('EAGAIN');
  });

  it('is one of an SO_REUSEPORT group, for one sender always the same', () => {
    const share = (sk: UdpSock) => {
      sk.reusePort = true;
    };
    const group = Array.from({ length: 4 }, () => host.bound(7, '0.0.0.0', share));
    for (let round = 0; round < 3; round++) {
      say(host.stack, ...Array.from({ length: 64 }, (_, i) => datagram(`${i}`, 7, '10.0.0.1', 1000 + i)));
    }
    const heardBy = group.map((sk) => {
      const texts: string[] = [];
      for (let text = host.recv(sk); text !== 'EAGAIN'; text = host.recv(sk)) texts.push(text);
      return texts;
    });
    expect(heardBy.every((texts) => texts.length > 0 && texts.length % 3 === 0)).toBe(true);
    expect(new Set(heardBy.flat()).size).toBe(64);
    for (const texts of heardBy) expect(new Set(texts).size).toBe(texts.length / 3);
  });

  it('is found among a thousand connected to one port', () => {
    const reuse = (sk: UdpSock) => {
      sk.reuse = true;
    };
    const socks = Array.from({ length: 1000 }, (_, i) => {
      const sk = host.bound(7, '0.0.0.0', reuse);
      host.transport.connect(sk, address('10.0.0.1'), 2000 + i);
      return sk;
    });
    say(host.stack, datagram('x', 7, '10.0.0.1', 2500));
    expect(host.recv(socks[500])).toBe('x from 10.0.0.1:2500');
    for (const sk of socks) host.transport.close(sk);
    expect(say(host.stack, datagram('x', 7, '10.0.0.1', 2500))).toHaveLength(1); // refused
    expect(host.transport.ports.bind(host.transport.createSock(), 7)).toBe(7);
  });
});

// UDP on its way out: datagrams byte by byte, and what is refused in which order.

import { beforeEach, describe, expect, it } from 'vitest';
import { parseFrame } from '../../src/packet/parse.js';
import {
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_INTERFACE,
  IP_PMTUDISC_OMIT,
  IP_PMTUDISC_PROBE,
  IP_PMTUDISC_WANT,
  MSG_CONFIRM,
  MSG_MORE,
  MSG_OOB,
} from '../../src/uapi/socket.js';
import { address, counter, heard } from '../ip/stack.js';
import { bytes, ip4, pattern, u16, udp } from '../packet/build.js';
import { UdpHost } from './host.js';

let host: UdpHost;

beforeEach(() => {
  host = new UdpHost();
});

describe('sending', () => {
  it('writes a datagram byte by byte', () => {
    const sk = host.bound(7);
    sk.tos = 0x20;
    sk.ttl = 5;
    expect(host.send(sk, 'hello', '10.0.0.1', 4242)).toBe(5);
    const [sent] = host.stack.link.take();
    expect(sent.bytes.subarray(22, 24)).toEqual(bytes(5, 17)); // time to live, UDP
    expect(sent.bytes[15]).toBe(0x20);
    expect(sent.bytes.subarray(26)).toEqual(
      bytes(
        ip4('10.0.0.2'),
        ip4('10.0.0.1'),
        u16(7), // from our port
        u16(4242), // to theirs
        u16(13), // header and five bytes
        0x97,
        0x66, // checksum
        'hello',
      ),
    );
    expect(parseFrame(sent.bytes)).toMatchObject({
      l4ChecksumOk: true,
      ipv4: { df: true, checksumOk: true },
    });
  });

  it('binds to an ephemeral port by itself', () => {
    const sk = host.transport.createSock();
    expect(host.send(sk, 'x', '10.0.0.1', 9)).toBe(1);
    expect(sk.sport).toBeGreaterThanOrEqual(32768);
    const [sent] = host.stack.link.take();
    expect(parseFrame(sent.bytes)?.udp?.srcPort).toBe(sk.sport);
  });

  it('vouches for the neighbour with MSG_CONFIRM, and only then', () => {
    const sk = host.bound(7);
    const confirmed = () => host.stack.ip.routes.output(address('10.0.0.1'))?.neighbour?.confirmed;
    host.send(sk, 'x', '10.0.0.1', 9);
    const before = confirmed();
    host.stack.clock.advance(2_000_000);
    host.stack.host.refresh();
    host.send(sk, 'x', '10.0.0.1', 9);
    expect(confirmed()).toBe(before);
    host.send(sk, 'x', '10.0.0.1', 9, MSG_CONFIRM);
    expect(confirmed()).toBe(host.stack.host.nowMs);
  });

  it('leaves the checksum out when asked to', () => {
    const sk = host.bound(7);
    sk.noCheck = true;
    host.send(sk, 'x', '10.0.0.1', 9);
    expect(host.stack.link.take()[0].bytes.subarray(40, 42)).toEqual(bytes(0, 0));
  });

  it('fragments what is too large, unless the sender forbids it', () => {
    const sk = host.bound(7);
    const large = pattern(3000);
    expect(host.transport.output.send(sk, large, 3000, 0, address('10.0.0.1'), 9)).toBe(3000);
    const parts = host.stack.link.take().map((sent) => parseFrame(sent.bytes));
    expect(bytes(...parts.map((part) => part?.payload ?? 0))).toEqual(
      udp('10.0.0.2', 7, '10.0.0.1', 9, large),
    );
    sk.mtuDiscover = IP_PMTUDISC_DO;
    expect(host.transport.output.send(sk, large, 3000, 0, address('10.0.0.1'), 9)).toBe(-90);
    sk.mtuDiscover = IP_PMTUDISC_DONT;
    host.send(sk, 'small', '10.0.0.1', 9);
    expect(parseFrame(host.stack.link.take()[0].bytes)?.ipv4?.df).toBe(false);
    expect(host.transport.output.send(sk, pattern(65507), 65507, 0, address('127.0.0.1'), 9)).toBe(65507);
    expect(host.transport.output.send(sk, pattern(65508), 65508, 0, address('127.0.0.1'), 9)).toBe(-90);
  });

  it('puts together what is sent with MSG_MORE, in fragments if need be, to where it was begun', () => {
    const sk = host.bound(7);
    const [first, second] = [pattern(2000), pattern(1000, 3)];
    const reused = first.slice();
    expect(host.transport.output.send(sk, reused, 2000, MSG_MORE, address('10.0.0.1'), 9)).toBe(2000);
    reused.fill(0);
    expect(host.stack.link.take()).toEqual([]);
    expect(host.transport.output.send(sk, second, 1000, 0, address('192.0.2.1'), 8)).toBe(1000);
    const parts = host.stack.link.take().map((sent) => parseFrame(sent.bytes));
    expect(bytes(...parts.map((part) => part?.payload ?? 0))).toEqual(
      udp('10.0.0.2', 7, '10.0.0.1', 9, bytes(first, second)),
    );
    expect(counter(host.stack, 'Udp', 'OutDatagrams')).toBe(1);
  });

  it('loses all that was put together when it grows too large for the path, and may not be cut', () => {
    const sk = host.bound(7);
    sk.mtuDiscover = IP_PMTUDISC_DO;
    const part = (length: number, flags = 0) =>
      host.transport.output.send(sk, pattern(length), length, flags, address('10.0.0.1'), 9);
    expect([part(1000, MSG_MORE), part(472)]).toEqual([1000, 472]);
    expect(host.stack.link.take().length).toBe(1);
    expect([part(1000, MSG_MORE), part(473)]).toEqual([1000, -90]);
    expect([part(5), host.stack.link.take().length]).toEqual([5, 1]);
    // Nobody hears of what was begun when the socket is closed.
    part(5, MSG_MORE);
    host.transport.close(sk);
    expect([sk.cork, host.stack.link.take()]).toEqual([null, []]);
  });

  it('by IP_MTU_DISCOVER: how much goes whole, with DF or without, on a path that was found to carry 1000 bytes', () => {
    const route = host.stack.ip.route(address('10.0.0.1'));
    route?.updateMtu(1000);
    const outcome = (mode: number, length: number): string => {
      const sk = host.bound(0);
      sk.mtuDiscover = mode;
      if (host.transport.output.send(sk, pattern(length), length, 0, address('10.0.0.1'), 9) < 0)
        return 'refused';
      const frames = host.stack.link.take();
      return `${frames.length}${parseFrame(frames[0].bytes)?.ipv4?.df ? ' DF' : ''}`;
    };
    const modes = [
      IP_PMTUDISC_DONT,
      IP_PMTUDISC_WANT,
      IP_PMTUDISC_DO,
      IP_PMTUDISC_PROBE,
      IP_PMTUDISC_INTERFACE,
      IP_PMTUDISC_OMIT,
    ];
    expect(modes.map((mode) => outcome(mode, 100))).toEqual(['1', '1 DF', '1 DF', '1 DF', '1', '1']);
    expect(modes.map((mode) => outcome(mode, 1200))).toEqual(['2', '2', 'refused', '1 DF', '1', '1']);
    expect(modes.map((mode) => outcome(mode, 2000))).toEqual([
      '3',
      '3',
      'refused',
      'refused',
      'refused',
      '2',
    ]);
  });

  it('refuses what cannot be, in the kernel’s order', () => {
    const sk = host.bound(7);
    expect(host.send(sk, 'x')).toBe(-89); // EDESTADDRREQ
    expect(host.send(sk, 'x', '10.0.0.1', 0)).toBe(-22); // EINVAL
    expect(host.send(sk, 'x', '10.0.0.1', 9, MSG_OOB)).toBe(-95); // EOPNOTSUPP
    expect(host.send(sk, 'x', '192.0.2.1', 9)).toBe(-101); // ENETUNREACH
    expect(host.send(sk, 'x', '10.0.0.255', 9)).toBe(-13); // EACCES
    expect(host.send(sk, 'x', '255.255.255.255', 9)).toBe(-13);
    sk.broadcast = true;
    expect(host.send(sk, 'x', '10.0.0.255', 9)).toBe(1);
    sk.shutdown = 2;
    expect(host.send(sk, 'x', '10.0.0.1', 9)).toBe(-32); // EPIPE
    expect(heard(host.stack)).toEqual(['10.0.0.2.7 > 10.0.0.255.9: UDP, length 1']);
  });

  it('to a group goes one hop far', () => {
    host.send(host.bound(7), 'x', '224.0.0.251', 5353);
    const frame = parseFrame(host.stack.link.take()[0].bytes);
    expect([frame?.dst, frame?.ipv4?.ttl]).toEqual(['01:00:5e:00:00:fb', 1]);
  });

  it('loses a datagram to a full ring without an error, counted', () => {
    const sk = host.bound(7);
    for (let i = 0; i < 257; i++) expect(host.send(sk, 'x', '10.0.0.1', 9)).toBe(1);
    expect(counter(host.stack, 'Udp', 'OutDatagrams')).toBe(256);
    expect(counter(host.stack, 'Udp', 'SndbufErrors')).toBe(1);
  });
});

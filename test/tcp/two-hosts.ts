// Two TCPs on an in-memory wire under one virtual clock, and the means to push a stream through them.

import { createHash } from 'node:crypto';
import { Host } from '../../src/core/host.js';
import { below, SeededRandom } from '../../src/core/random.js';
import { Ip } from '../../src/ip/ip.js';
import { createWire, type WireFault, type WireLink, type WireOptions } from '../../src/link/wire.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { IpAddress } from '../../src/packet/address.js';
import type { TcpSock } from '../../src/tcp/sock.js';
import { Tcp } from '../../src/tcp/tcp.js';
import { VirtualClock } from '../../src/time/clock.js';
import { EAGAIN } from '../../src/uapi/errno.js';

export interface End {
  readonly host: Host;
  readonly ip: Ip;
  readonly tcp: Tcp;
  readonly address: IpAddress;
}

export interface Pair {
  readonly clock: VirtualClock;
  readonly a: End;
  readonly b: End;
  readonly links: readonly [WireLink, WireLink];
  /** Lets `ms` of virtual time pass. */
  pass(ms: number): void;
}

export function twoHosts(seed: number, wire: Omit<WireOptions, 'clock'> = {}): Pair {
  const clock = new VirtualClock();
  const [first, second] = createWire({ ...wire, clock });
  const end = (text: string, salt: number, link: typeof first): End => {
    const host = new Host(clock, new PacketMemory(16 << 20), new SeededRandom(seed * 2 + salt));
    const ip = new Ip(host);
    const address = IpAddress.parse(text) as IpAddress;
    ip.addInterface(link, address, 24);
    return { host, ip, tcp: new Tcp(host, ip), address };
  };
  const a = end('10.0.0.1', 0, first);
  const b = end('10.0.0.2', 1, second);
  return {
    clock,
    a,
    b,
    links: [first, second],
    pass(ms) {
      clock.advance(ms * 1000);
      a.host.refresh();
      b.host.refresh();
    },
  };
}

/** A connection from `a` to a listener on `b`, both ends accepted; waits up to a virtual minute. */
export function connectPair(pair: Pair, port = 80): { client: TcpSock; server: TcpSock; listener: TcpSock } {
  const { a, b } = pair;
  const listener = b.tcp.createSock();
  listener.sport = b.tcp.ports.bind(listener, port);
  b.tcp.listenStart(listener, 16);
  const client = a.tcp.createSock();
  a.tcp.connect(client, b.address, port);
  for (let i = 0; i < 600; i++) {
    const server = b.tcp.accept(listener);
    if (server !== null) return { client, server, listener };
    pair.pass(100);
  }
  throw new Error('the connection was not established within a minute');
}

/** Random loss, duplication, corruption and reordering, all from one seed. */
export function faults(
  seed: number,
  rates: { loss?: number; duplicate?: number; corrupt?: number; reorder?: number },
): WireFault {
  const random = new SeededRandom(seed);
  const chance = (rate = 0): boolean => below(random, 1_000_000) < rate * 1_000_000;
  return (frame) => {
    if (chance(rates.loss)) return false;
    if (chance(rates.corrupt)) frame[below(random, frame.length - 34) + 34] ^= 1 << below(random, 8);
    const delayUs = chance(rates.reorder) ? below(random, 8000) : 0;
    return { delayUs, copies: chance(rates.duplicate) ? 2 : 1 };
  };
}

export interface Transfer {
  sent: string;
  received: string;
  bytes: number;
  ms: number;
  end: number;
}

/** Sends `size` pseudo-random bytes in odd pieces, reads them in other odd pieces, closes, and compares. */
export function transfer(
  pair: Pair,
  from: End,
  source: TcpSock,
  to: End,
  sink: TcpSock,
  size: number,
  seed: number,
  limitMs = 3_600_000,
): Transfer {
  const random = new SeededRandom(seed);
  const sent = createHash('sha256');
  const received = createHash('sha256');
  const buffer = new Uint8Array(65536);
  let waiting: Uint8Array | null = null;
  let left = size;
  let bytes = 0;
  let ms = 0;
  for (; ms < limitMs; ms++) {
    for (;;) {
      if (waiting === null && left > 0) {
        waiting = new Uint8Array(Math.min(left, 1 + below(random, 9000)));
        for (let i = 0; i < waiting.length; i++) waiting[i] = random.int32();
        sent.update(waiting);
        left -= waiting.length;
      }
      if (waiting === null) break;
      const done = from.tcp.send(source, waiting, waiting.length, 0);
      if (done === -EAGAIN) break;
      if (done < 0) throw new Error(`send: ${done}`);
      waiting = done === waiting.length ? null : waiting.subarray(done);
    }
    if (left === 0 && waiting === null && !source.finQueued) {
      source.shutdown |= 2;
      from.tcp.shutdown(source, 2);
    }
    for (;;) {
      const got = to.tcp.recv(sink, buffer, 1 + below(random, buffer.length), 0);
      if (got === -EAGAIN) break;
      if (got <= 0)
        return { sent: sent.digest('hex'), received: received.digest('hex'), bytes, ms, end: got };
      received.update(buffer.subarray(0, got));
      bytes += got;
    }
    pair.pass(1);
  }
  throw new Error(`stuck after ${bytes} of ${size} bytes and ${ms} virtual ms`);
}

// Two network layers on an in-memory wire: frames cross it complete, in order, in time, unless a fault takes them.

import { describe, expect, it } from 'vitest';
import { Host } from '../../src/core/host.js';
import { SeededRandom } from '../../src/core/random.js';
import { Icmp } from '../../src/icmp/icmp.js';
import { Ip } from '../../src/ip/ip.js';
import { createWire, type WireFault, type WireLink, type WireOptions } from '../../src/link/wire.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { formatFrame } from '../../src/packet/format.js';
import { type Clock, RealClock, VirtualClock } from '../../src/time/clock.js';
import { Udp } from '../../src/udp/udp.js';
import { Sender, type UdpSock } from '../../src/udp/udp-sock.js';
import { address } from '../ip/stack.js';
import { bytes, pattern } from '../packet/build.js';

interface End {
  readonly host: Host;
  readonly ip: Ip;
  readonly link: WireLink;
  readonly transport: Udp;
  readonly sk: UdpSock;
}

function end(clock: Clock, link: WireLink, text: string): End {
  const host = new Host(clock, new PacketMemory(16 << 20), new SeededRandom(text.length));
  const ip = new Ip(host);
  new Icmp(ip);
  const transport = new Udp(ip);
  ip.addInterface(link, address(text), 24);
  const sk = transport.createSock();
  sk.sport = transport.ports.bind(sk, 7);
  return { host, ip, link, transport, sk };
}

function pair<C extends Clock>(
  clock: C,
  options: Omit<WireOptions, 'clock'> = {},
): { a: End; b: End; clock: C } {
  const [left, right] = createWire({ clock, ...options });
  return { a: end(clock, left, '10.0.0.1'), b: end(clock, right, '10.0.0.2'), clock };
}

/** From `one` to the other end's port 7. */
function send(one: End, to: string, payload: Uint8Array): number {
  one.host.refresh();
  return one.transport.output.send(one.sk, payload, payload.length, 0, address(to), 7);
}

function received(one: End): Uint8Array[] {
  const all: Uint8Array[] = [];
  const from = new Sender();
  for (;;) {
    const buffer = new Uint8Array(70_000);
    const length = one.transport.recv(one.sk, buffer, buffer.length, 0x40, from);
    if (length < 0) return all;
    all.push(buffer.subarray(0, length));
  }
}

/** Notes every frame, changes none. */
function spy(log: string[], clock: Clock): WireFault {
  return (frame, direction) => {
    log.push(`${clock.now()} ${direction} ${formatFrame(frame)}`);
    return undefined;
  };
}

describe('the wire', () => {
  it('carries ARP and a datagram, complete with checksums, each way in its time', () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const { a, b } = pair(clock, { delayUs: 1500, fault: spy(log, clock) });
    send(a, '10.0.0.2', bytes('hello'));
    expect(received(b)).toEqual([]);
    clock.advance(1500 * 3 - 1);
    expect(received(b)).toEqual([]);
    clock.advance(1);
    expect(received(b)).toEqual([bytes('hello')]);
    expect(log).toEqual([
      '0 ab ARP, who-has 10.0.0.2 tell 10.0.0.1',
      '1500 ba ARP, reply 10.0.0.2 is-at 02:74:61:70:00:02',
      '3000 ab 10.0.0.1.7 > 10.0.0.2.7: UDP, length 5',
    ]);
  });

  it('never delivers inside the sending call, even without delay', () => {
    const { a, b, clock } = pair(new VirtualClock());
    send(a, '10.0.0.2', bytes('x'));
    expect(clock.now()).toBe(0);
    expect(received(b)).toEqual([]);
    clock.advance(0);
    expect(received(b)).toEqual([bytes('x')]);
    expect(clock.now()).toBe(0);
  });

  it('keeps the order of what it delays, and delivers fragments that become one again', () => {
    const { a, b, clock } = pair(new VirtualClock(), { delayUs: 10, mtu: 576 });
    for (let i = 0; i < 200; i++) send(a, '10.0.0.2', bytes(i));
    clock.advance(1000);
    // 101 waited for ARP; the rest of the burst was too much for the neighbour's queue.
    expect(received(b)).toHaveLength(101);
    for (let i = 0; i < 100; i++) send(a, '10.0.0.2', bytes(i));
    send(a, '10.0.0.2', pattern(20_000));
    clock.advance(1000);
    expect(received(b)).toEqual([...Array.from({ length: 100 }, (_, i) => bytes(i)), pattern(20_000)]);
  });

  it('loses, repeats, delays and spoils as a fault says; what is spoilt is noticed', () => {
    let fault: WireFault = () => undefined;
    const { a, b, clock } = pair(new VirtualClock(), {
      fault: (frame, direction) => fault(frame, direction),
    });
    const round = (): string[] => {
      for (const text of ['one', 'two', 'three']) send(a, '10.0.0.2', bytes(text));
      clock.advance(100_000);
      return received(b).map((data) => new TextDecoder().decode(data));
    };
    expect(round()).toEqual(['one', 'two', 'three']);
    let count = 0;
    fault = () => (++count === 2 ? false : undefined);
    expect(round()).toEqual(['one', 'three']);
    count = 0;
    fault = () => (++count === 2 ? { copies: 3 } : undefined);
    expect(round()).toEqual(['one', 'two', 'two', 'two', 'three']);
    count = 0;
    fault = () => (++count === 1 ? { delayUs: 50 } : undefined);
    expect(round()).toEqual(['two', 'three', 'one']);
    count = 0;
    fault = (frame) => {
      if (++count === 1) frame[frame.length - 1] ^= 1; // payload
      if (count === 2) frame[14 + 8] ^= 1; // time to live
      return undefined;
    };
    expect(round()).toEqual(['three']);
    expect(b.host.mib.snapshot()).toMatchObject({ Udp: { InCsumErrors: 1 }, Ip: { InHdrErrors: 1 } });
    expect([a.link.dropped, b.link.dropped]).toEqual([0, 0]);
  });

  it('passes whole TSO frames and partial checksums where it offloads, as veth does', () => {
    const { a, b, clock } = pair(new VirtualClock(), { offload: true });
    send(a, '10.0.0.2', bytes('x'));
    clock.advance(0);
    expect(received(b)).toEqual([bytes('x')]);
    const seen: string[] = [];
    b.ip.register(6, {
      receive: (packet) => seen.push(`${packet.length} bytes, segments of ${packet.gsoSize}`),
      error: () => {},
    });
    const route = a.ip.route(address('10.0.0.2'));
    if (route === null) throw new Error('no route');
    for (let i = 0; i < 9; i++) {
      a.ip.begin(route);
      route.device.tx.piece(0, 60_000);
      a.ip.send(route, route.source, route.destination, 6, 32, 60_000, 0, 64, true, 16, 1448, 0);
    }
    clock.advance(0);
    expect(seen).toEqual(Array(9).fill('60032 bytes, segments of 1448'));
  });

  it('flushes what its stack puts off once the batch is over, and on request', () => {
    const { a, b, clock } = pair(new VirtualClock(), { delayUs: 100 });
    const log: string[] = [];
    b.host.onFlush({
      runDeferred: () => log.push(`flush at ${clock.now()}, ${received(b).length} received`),
    });
    send(a, '10.0.0.2', bytes('x'));
    clock.advance(1000);
    expect(log).toEqual(['flush at 100, 0 received', 'flush at 300, 1 received']);
    b.link.requestFlush();
    b.link.requestFlush();
    clock.advance(0);
    expect(log).toHaveLength(3);
  });

  it('holds so many frames and no more, and says how many it lost', () => {
    const { a, b, clock } = pair(new VirtualClock(), { delayUs: 1000 });
    send(a, '10.0.0.2', bytes('x'));
    clock.advance(10_000);
    received(b);
    for (let i = 0; i < 5000; i++) send(a, '10.0.0.2', bytes('x'));
    expect(a.link.dropped).toBe(5000 - 4096);
  });

  it('is silent once an end is closed', async () => {
    const { a, b, clock } = pair(new VirtualClock());
    send(a, '10.0.0.2', bytes('x'));
    await b.link.close();
    clock.advance(2_500_000);
    expect(received(b)).toEqual([]);
    expect(a.link.dropped).toBe(2); // ARP asks again, twice
    await a.link.close();
    clock.advance(10_000_000);
    send(a, '10.0.0.2', bytes('x'));
    expect(a.link.dropped).toBe(3);
  });

  it('works in real time, each hop in the next turn of the loop', async () => {
    const { a, b, clock } = pair(new RealClock());
    clock.hold();
    send(a, '10.0.0.2', bytes('first'));
    let turns = 0;
    const next = async (one: End): Promise<Uint8Array> => {
      for (;;) {
        const [data] = received(one);
        if (data !== undefined) return data;
        if (++turns > 2000) throw new Error('frames take longer than a turn or two');
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    while (received(b).length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 200; i++) {
      send(a, '10.0.0.2', bytes(i));
      expect(await next(b)).toEqual(bytes(i));
      send(b, '10.0.0.1', bytes(i));
      expect(await next(a)).toEqual(bytes(i));
    }
    clock.release();
  });
});

describe('a wire that cannot be', () => {
  it.each([
    [{}, 'createWire needs the `clock` that both stacks live by'],
    [
      { clock: new VirtualClock(), mtu: 10 },
      "a wire's mtu is a whole number of bytes from 68 to 65535, not 10",
    ],
    [
      { clock: new VirtualClock(), delayUs: Number.NaN },
      "a wire's delayUs is microseconds, 0 or more, not NaN",
    ],
  ])('is refused', (options, message) => {
    expect(() => createWire(options as WireOptions)).toThrow(message);
  });
});

// Who may share a port with whom, asked of the table alone.
import { describe, expect, it } from 'vitest';
import { Host } from '../../src/core/host.js';
import { type PortBucket, type PortHolder, PortTable } from '../../src/core/ports.js';
import { SeededRandom } from '../../src/core/random.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { ANY_V4, IpAddress } from '../../src/packet/address.js';
import { VirtualClock } from '../../src/time/clock.js';
import { EADDRINUSE, EADDRNOTAVAIL } from '../../src/uapi/errno.js';
import { TCP_CLOSE, TCP_LISTEN, TCP_TIME_WAIT } from '../../src/uapi/tcp.js';

class Holder implements PortHolder {
  laddr = ANY_V4;
  state = TCP_CLOSE;
  reuse = false;
  reusePort = false;
  uid = 0;
  boundDevice = 0;
  bindBucket: PortBucket | null = null;
  bindNext: PortHolder | null = null;
  bindPrev: PortHolder | null = null;

  constructor(flags = '') {
    this.reuse = flags.includes('RA');
    this.reusePort = flags.includes('RP');
    if (flags.includes('listening')) this.state = TCP_LISTEN;
  }

  at(address: string): this {
    this.laddr = IpAddress.parse(address) as IpAddress;
    return this;
  }
}

function table(low = 32768, high = 60999): PortTable {
  const host = new Host(new VirtualClock(), new PacketMemory(4 << 20), new SeededRandom(1));
  host.sysctl.ipLocalPortRange = [low, high];
  return new PortTable(host);
}

const FREE = { inUse: () => false };

describe('two binders of one port', () => {
  const kinds = ['', 'RA', 'RP', 'RA+RP'];
  const matrix: readonly [first: string, allowed: string][] = [
    ['', ''],
    ['RA', 'RA,RA+RP'],
    ['RA listening', ''],
    ['RP', 'RP,RA+RP'],
    ['RP listening', 'RP,RA+RP'],
    ['RA+RP', 'RA,RP,RA+RP'],
    ['RA+RP listening', 'RP,RA+RP'],
  ];
  for (const [first, allowed] of matrix) {
    it(`beside "${first}" only "${allowed}" may bind`, () => {
      for (const second of kinds) {
        const ports = table();
        const holder = new Holder(first.replace(' listening', ''));
        expect(ports.bind(holder, 80)).toBe(80);
        if (first.includes('listening')) {
          holder.state = TCP_LISTEN;
          expect(ports.recheck(holder)).toBe(true);
        }
        const ok = second !== '' && allowed.split(',').includes(second);
        expect([second, ports.bind(new Holder(second), 80)]).toEqual([second, ok ? 80 : -EADDRINUSE]);
      }
    });
  }

  it('do not meet on different addresses, and both meet the wildcard', () => {
    const ports = table();
    expect(ports.bind(new Holder().at('127.0.0.1'), 80)).toBe(80);
    expect(ports.bind(new Holder().at('127.0.0.2'), 80)).toBe(80);
    expect(ports.bind(new Holder().at('127.0.0.2'), 80)).toBe(-EADDRINUSE);
    expect(ports.bind(new Holder(), 80)).toBe(-EADDRINUSE);
  });

  it('share by SO_REUSEPORT only with the same user', () => {
    const ports = table();
    ports.bind(new Holder('RP'), 80);
    const stranger = new Holder('RP');
    stranger.uid = 1000;
    expect(ports.bind(stranger, 80)).toBe(-EADDRINUSE);
  });

  it('are judged by their flags at the time of the second bind', () => {
    const ports = table();
    const first = new Holder();
    ports.bind(first, 80);
    expect(ports.bind(new Holder('RA'), 80)).toBe(-EADDRINUSE);
    first.reuse = true;
    expect(ports.bind(new Holder('RA'), 80)).toBe(80);
  });

  it('of two that bound together only one may listen', () => {
    const ports = table();
    const [first, second] = [new Holder('RA'), new Holder('RA')];
    ports.bind(first, 80);
    ports.bind(second, 80);
    first.state = TCP_LISTEN;
    expect(ports.recheck(first)).toBe(true);
    second.state = TCP_LISTEN;
    expect(ports.recheck(second)).toBe(false);
    ports.release(first);
    expect(ports.recheck(second)).toBe(true);
  });
});

describe('heirs', () => {
  it('hold the port with the flags of their listener', () => {
    const ports = table();
    const listener = new Holder('RA');
    ports.bind(listener, 80);
    const child = new Holder('RA');
    ports.inherit(child, listener);
    ports.release(listener);
    expect(ports.portOf(child)).toBe(80);
    expect(ports.bind(new Holder(), 80)).toBe(-EADDRINUSE);
    expect(ports.bind(new Holder('RA'), 80)).toBe(80);
  });

  it('in TIME_WAIT belong to nobody, as far as SO_REUSEPORT goes', () => {
    const ports = table();
    const old = new Holder('RP');
    ports.bind(old, 80);
    const remnant = new Holder('RP');
    remnant.state = TCP_TIME_WAIT;
    remnant.uid = 5;
    ports.inherit(remnant, old);
    ports.release(old);
    expect(ports.bind(new Holder('RP'), 80)).toBe(80);
  });
});

describe('ephemeral ports', () => {
  it('are odd for bind and even for connect, until there are no others', () => {
    const ports = table(40000, 40007);
    const bound = Array.from({ length: 8 }, () => ports.bind(new Holder(), 0));
    expect(bound.map((port) => port % 2)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
    expect(new Set(bound).size).toBe(8);
    expect(ports.bind(new Holder(), 0)).toBe(-EADDRINUSE);

    const others = table(40000, 40007);
    const taken = { inUse: () => true };
    const connected = Array.from({ length: 8 }, () => others.connect(new Holder(), 12345, taken));
    expect(connected.map((port) => port % 2)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(others.connect(new Holder(), 12345, taken)).toBe(-EADDRNOTAVAIL);
  });

  it('are never shared by bind, whatever the flags', () => {
    const ports = table(40000, 40003);
    const bound = Array.from({ length: 4 }, () => ports.bind(new Holder('RA+RP'), 0));
    expect(new Set(bound).size).toBe(4);
    expect(ports.bind(new Holder('RA+RP'), 0)).toBe(-EADDRINUSE);
  });

  it('of connect serve many destinations, but not beside a bound socket', () => {
    const ports = table(40000, 40001);
    expect(ports.connect(new Holder(), 1, FREE)).toBe(40000);
    expect(ports.connect(new Holder(), 1, FREE)).toBe(40000);
    expect(ports.bind(new Holder(), 40001)).toBe(40001);
    expect(ports.connect(new Holder(), 1, { inUse: () => true })).toBe(-EADDRNOTAVAIL);
  });

  it('come free with their last holder', () => {
    const ports = table(40000, 40001);
    const holder = new Holder();
    const port = ports.connect(holder, 9, FREE);
    ports.release(holder);
    expect(ports.portOf(holder)).toBe(0);
    expect(ports.bind(new Holder(), port)).toBe(port);
  });

  // covers: ephemeral ports by keyed hash | RFC 6056 section 3.3.4 | src/core/ports.ts
  it('start at different places for different destinations (RFC 6056)', () => {
    const ports = table();
    const first = Array.from({ length: 16 }, (_, n) =>
      ports.connect(new Holder(), Math.imul(n + 1, 0x9e3779b1), FREE),
    );
    expect(new Set(first).size).toBeGreaterThan(12);
    // And not one behind the other, as one counter for all would have it.
    const near = first.filter((port, n) => n > 0 && Math.abs(port - first[n - 1]) < 64);
    expect(near.length).toBeLessThan(4);
  });
});

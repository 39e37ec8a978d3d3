// Initial sequence numbers: keyed, different for each four-tuple, and growing with the clock for the same one.

import { describe, expect, it } from 'vitest';
import { Host } from '../../src/core/host.js';
import { SeededRandom } from '../../src/core/random.js';
import { Ip } from '../../src/ip/ip.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import { IpAddress } from '../../src/packet/address.js';
import { initialSequence, portOffset, timestampOffset } from '../../src/tcp/isn.js';
import { Tcp } from '../../src/tcp/tcp.js';
import { VirtualClock } from '../../src/time/clock.js';

const OURS = IpAddress.parse('10.0.0.1') as IpAddress;
const PEER = IpAddress.parse('10.0.0.2') as IpAddress;
const OTHER = IpAddress.parse('10.0.0.3') as IpAddress;

function stack(seed: number) {
  const clock = new VirtualClock();
  const host = new Host(clock, new PacketMemory(4 << 20), new SeededRandom(seed));
  const tcp = new Tcp(host, new Ip(host));
  return { tcp, isn: (port = 80, peer = PEER) => initialSequence(tcp, OURS, 1000, peer, port), clock };
}

// covers: initial sequence numbers by keyed hash and clock | RFC 6528 section 3 | src/tcp/isn.ts
describe('the initial sequence number', () => {
  it('grows by one in 64 nanoseconds for the same ends', () => {
    const { isn, clock } = stack(1);
    const first = isn();
    expect(isn()).toBe(first);
    clock.advance(64);
    expect((isn() - first) | 0).toBe(1000);
    // And comes round in less than five minutes.
    clock.advance(2 ** 32 * 0.064 - 64);
    expect(Math.abs((isn() - first) | 0)).toBeLessThan(16);
  });

  it('differs with each of the ends, and with the key', () => {
    const { isn } = stack(1);
    const distances = [isn(81), isn(80, OTHER), stack(2).isn()].map((each) => Math.abs((each - isn()) | 0));
    for (const distance of distances) expect(distance).toBeGreaterThan(65_536);
  });

  it('tells nothing of the offsets of timestamps and ports', () => {
    const { tcp, isn } = stack(1);
    const values = [isn(), timestampOffset(tcp, OURS, PEER), portOffset(tcp, OURS, PEER, 80)];
    expect(new Set(values).size).toBe(3);
    // The same for all connections between two hosts, so that PAWS works from one to the next.
    expect(timestampOffset(tcp, OURS, PEER)).toBe(values[1]);
    expect(timestampOffset(tcp, OURS, OTHER)).not.toBe(values[1]);
    tcp.host.sysctl.tcpTimestamps = 2;
    expect(timestampOffset(tcp, OURS, PEER)).toBe(0);
  });
});

// The tables that find a connection: whoever does not know the key cannot choose who shares a chain with whom.

import { describe, expect, it } from 'vitest';
import { HsipKey } from '../../src/core/hsiphash.js';
import { SeededRandom } from '../../src/core/random.js';
import { IpAddress } from '../../src/packet/address.js';
import { type Tuple, TupleTable, tupleHash } from '../../src/tcp/demux.js';

const OURS = IpAddress.parse('10.0.0.1') as IpAddress;
const PEER = IpAddress.parse('192.0.2.7') as IpAddress;
const PORTS = Array.from({ length: 60_000 }, (_, i) => i + 1);

function key(seed: number): HsipKey {
  return new HsipKey(new SeededRandom(seed));
}

function buckets(seed: number, ports: readonly number[], mask: number): number[] {
  return ports.map((port) => tupleHash(key(seed), OURS, 80, PEER, port) & mask);
}

// covers: keyed hash tables | Linux inet_ehashfn | src/tcp/demux.ts
describe('the hash of a four-tuple', () => {
  it('puts peers who share a chain under one key into different ones under another', () => {
    const together = PORTS.filter((port) => (tupleHash(key(1), OURS, 80, PEER, port) & 1023) === 0);
    expect(together.length).toBeGreaterThan(40);
    const chains = new Set(buckets(2, together, 1023));
    expect(chains.size).toBeGreaterThan(together.length * 0.8);
  });

  it('spreads neighbouring ports evenly', () => {
    const lengths = new Array<number>(64).fill(0);
    for (const bucket of buckets(1, PORTS.slice(0, 6400), 63)) lengths[bucket]++;
    expect(Math.max(...lengths)).toBeLessThan(150);
    expect(Math.min(...lengths)).toBeGreaterThan(60);
  });

  it('depends on every part of it', () => {
    const k = key(1);
    const other = IpAddress.parse('192.0.2.8') as IpAddress;
    const hashes = [
      tupleHash(k, OURS, 80, PEER, 1000),
      tupleHash(k, PEER, 80, PEER, 1000),
      tupleHash(k, OURS, 81, PEER, 1000),
      tupleHash(k, OURS, 80, other, 1000),
      tupleHash(k, OURS, 80, PEER, 1001),
    ];
    expect(new Set(hashes).size).toBe(5);
  });
});

class Entry implements Tuple<Entry> {
  saddr = OURS;
  daddr = PEER;
  sport = 80;
  hash = 0;
  hashNext: Entry | null = null;
  readonly dport: number;

  constructor(dport: number) {
    this.dport = dport;
  }
}

describe('the table', () => {
  it('grows with its entries, finds each, and forgets those that leave', () => {
    const table = new TupleTable<Entry>();
    const k = key(3);
    const entries = PORTS.slice(0, 5000).map((port) => new Entry(port));
    for (const entry of entries) table.insert(entry, tupleHash(k, OURS, 80, PEER, entry.dport));
    for (const entry of entries.filter(({ dport }) => dport % 2 === 0)) table.remove(entry);
    expect(table.count).toBe(2500);
    for (const entry of entries) {
      const found = table.lookup(entry.hash, OURS, 80, PEER, entry.dport);
      expect(found).toBe(entry.dport % 2 === 0 ? null : entry);
    }
    // Two tuples of one hash are told apart.
    expect(table.lookup(entries[0].hash, OURS, 80, PEER, 60_001)).toBeNull();
  });
});

// A stream through a network that loses, repeats, damages and reorders: it arrives whole and in order, and afterwards nothing
// is left of it in memory or in the tables.

import { describe, expect, it } from 'vitest';
import { connectPair, faults, transfer, twoHosts } from './two-hosts.js';

const cases = [
  { name: 'nothing wrong', rates: {} },
  { name: '1 % loss', rates: { loss: 0.01 } },
  { name: '10 % loss', rates: { loss: 0.1 } },
  { name: 'reordering', rates: { reorder: 0.1 } },
  { name: 'duplicates', rates: { duplicate: 0.1 } },
  { name: 'damage', rates: { corrupt: 0.02 } },
  { name: 'all of it', rates: { loss: 0.03, reorder: 0.05, duplicate: 0.05, corrupt: 0.01 } },
];

for (const sack of [1, 0]) {
  for (const timestamps of [1, 0]) {
    describe(`tcp_sack=${sack} tcp_timestamps=${timestamps}`, () => {
      for (const { name, rates } of cases) {
        it(`carries a stream through ${name}`, () => {
          for (let seed = 1; seed <= 3; seed++) {
            const pair = twoHosts(seed, { delayUs: 5000, fault: faults(seed, rates) });
            for (const { host } of [pair.a, pair.b]) {
              host.sysctl.tcpSack = sack;
              host.sysctl.tcpTimestamps = timestamps;
            }
            const { client, server, listener } = connectPair(pair);
            const result = transfer(pair, pair.a, client, pair.b, server, 300_000, seed);
            expect(result).toMatchObject({ bytes: 300_000, end: 0, received: result.sent });
            const back = transfer(pair, pair.b, server, pair.a, client, 50_000, seed + 100);
            expect(back).toMatchObject({ bytes: 50_000, end: 0, received: back.sent });
            pair.a.tcp.close(client);
            pair.b.tcp.close(server);
            pair.b.tcp.close(listener);
            pair.pass(600_000);
            for (const { tcp, host } of [pair.a, pair.b]) {
              expect(tcp.counts).toEqual({ established: 0, requests: 0, timeWait: 0, orphans: 0 });
              expect(host.memory.used).toBe(0);
            }
          }
        });
      }
    });
  }
}

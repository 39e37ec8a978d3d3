// The passive handshake: which options are agreed on, and what the SYN-ACK says.

import { describe, expect, it } from 'vitest';
import { conversation } from './conversation.js';

describe('options of the SYN-ACK', () => {
  it('answers all options that the SYN offers', () => {
    const t = conversation();
    t.listen();
    const peer = t.peer();
    peer.ts = true;
    peer.sends({ flags: 'S', seq: 0, mss: 1460, wscale: 7, sackOk: true });
    const heard = peer.hears({ flags: 'SA', seq: 0, ack: 1, mss: 1460, sackOk: true, wscale: 7 });
    expect(heard.ts).toEqual([t.host.nowMs, 5000]);
    expect(heard.win).toBe(65160);
  });

  it('offers nothing that the SYN did not', () => {
    const t = conversation();
    t.listen();
    const peer = t.peer().sends({ flags: 'S', seq: 0 });
    const heard = peer.hears({ flags: 'SA', seq: 0, ack: 1, mss: 1460 });
    expect([heard.sackOk, heard.wscale, heard.ts]).toEqual([undefined, undefined, undefined]);
    expect(heard.win).toBe(64240);
  });

  for (const sack of [0, 1])
    for (const ts of [0, 1])
      for (const scaling of [0, 1])
        it(`tcp_sack=${sack} tcp_timestamps=${ts} tcp_window_scaling=${scaling}`, () => {
          const t = conversation({ sysctl: { tcpSack: sack, tcpTimestamps: ts, tcpWindowScaling: scaling } });
          t.listen();
          const peer = t.peer();
          peer.ts = true;
          const heard = peer
            .sends({ flags: 'S', seq: 0, mss: 1000, wscale: 2, sackOk: true })
            .hears({ flags: 'SA' });
          expect(heard.sackOk === true).toBe(sack === 1);
          expect(heard.ts !== undefined).toBe(ts === 1);
          expect(heard.wscale !== undefined).toBe(scaling === 1);
        });
});

// What a round trip leaves in its place for the next one. Who keeps what it sends with once all of it has arrived: few socks do, many let
// go of it.

import { describe, expect, it } from 'vitest';
import { TxRing } from '../../src/link/tx-ring.js';
import { UNSENT } from '../../src/tcp/send-state.js';
import { conversation } from './conversation.js';

const FEW = 128;

function answered(count: number) {
  const t = conversation({ sysctl: { somaxconn: 4096 } });
  const listener = t.listen(4096);
  const connections = Array.from({ length: count }, () => t.established({}, listener));
  const quiet = () => connections.filter(({ program }) => program.sk.tx === UNSENT).length;
  const answer = ({ peer, program }: (typeof connections)[number]) => {
    program.send('answer');
    peer.hears({ flags: 'PA', data: 'answer' });
    peer.sends({ ack: program.sk.sndNxt - program.sk.iss });
  };
  for (const connection of connections) answer(connection);
  return { late: () => t.established({}, listener), connections, quiet, answer };
}

describe('a sock that has nothing more in the network', () => {
  it('keeps what it sends with while few do', () => {
    const { quiet } = answered(FEW);
    expect(quiet()).toBe(0);
  });

  it('lets go of it if there are many, and keeps it again when others are over', () => {
    const { late, connections, quiet, answer } = answered(FEW + 10);
    expect(quiet()).toBe(10);
    for (const { peer, program } of connections.slice(0, 10)) {
      peer.sends({ flags: 'R' });
      program.close();
    }
    for (const connection of connections.slice(FEW)) answer(connection);
    expect(connections.slice(FEW).every(({ program }) => program.sk.tx !== UNSENT)).toBe(true);
    const latest = late();
    answer(latest);
    expect(latest.program.sk.tx).toBe(UNSENT);
  });

  it('counts one that is dissolved while it has something in the network, once', () => {
    const { connections, quiet, answer } = answered(FEW + 10);
    const [{ program }] = connections;
    program.send('lost');
    program.disconnect();
    program.close();
    answer(connections[FEW]);
    answer(connections[FEW + 1]);
    expect(quiet()).toBe(10);
  });
});

describe('a round trip', () => {
  it('leaves its timers linked in the wheel', () => {
    const t = conversation();
    const { peer, program } = t.established();
    peer.sends({ data: 'question' });
    peer.hears({ flags: 'A', data: '', ack: 9 });
    program.recv();
    program.send('answer');
    peer.hears({ data: 'answer' });
    peer.sends({ ack: 7 });
    const { retransmitTimer } = program.sk.tx;
    expect([retransmitTimer?.pending, (retransmitTimer?.slot ?? -1) >= 0]).toEqual([false, true]);
  });

  it('has its chunk used again at once, whatever a NIC has to send meanwhile', () => {
    const t = conversation();
    const ring = new TxRing(t.host.memory, 4);
    ring.commit(ring.claim(), 54, 0, 0, 0, 0);
    const { peer, program } = t.established();
    peer.sends({ data: 'one' });
    const chunk = program.sk.rcvQueue.head;
    program.recv();
    peer.sends({ data: 'two' });
    expect([chunk > 0, program.sk.rcvQueue.head]).toEqual([true, chunk]);
  });
});

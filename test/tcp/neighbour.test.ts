// A connection whose neighbour does not tell its Ethernet address at once: what waits for that is not sent a second time.

import { AF_INET, SOCK_NONBLOCK, SOCK_STREAM, Stack, VirtualClock } from 'tapstack';
import { describe, expect, it } from 'vitest';
import { type Neighbour, NUD_FAILED, NUD_INCOMPLETE, NUD_REACHABLE } from '../../src/ip/neighbour.js';
import { drain } from '../../src/lab/drain.js';
import { type Caught, ScriptLink } from '../../src/lab/script/script-link.js';
import { formatMac } from '../../src/packet/ethernet.js';
import { address, PEER_ADDRESS } from '../ip/stack.js';
import { arp, ethernet } from '../packet/build.js';
import { conversation } from './conversation.js';

const PEER_MAC = '02:00:00:00:00:01';
const isArp = ({ bytes }: Caught) => bytes[12] === 8 && bytes[13] === 6;

// covers: what waits for the neighbour (tcp_wfree) | Linux skb_still_in_host_queue, tcp_tsq_handler | src/tcp/recovery/retransmit.ts
describe('a SYN that waits for the neighbour', () => {
  it('is not repeated by the timeout, but counted, and leaves once', async () => {
    const clock = new VirtualClock();
    const link = new ScriptLink(clock, 1500);
    const stack = new Stack({ clock, seed: 1, link, address: '10.0.0.2/24' });
    const fd = stack.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    stack.sys.connect(fd, { family: AF_INET, address: '10.0.0.1', port: 80 });
    await clock.advance(2_500_000);
    expect(link.caught.splice(0).map(isArp)).toEqual([true, true, true]);
    expect(stack.snmp().TcpExt).toMatchObject({ TCPSpuriousRtxHostQueues: 2, TCPSynRetrans: 0 });

    const us = formatMac(link.mac);
    link.inject(ethernet(us, PEER_MAC, 0x0806, arp(2, PEER_MAC, '10.0.0.1', us, '10.0.0.2'), 60));
    do await drain();
    while (link.settled());
    expect(link.caught.splice(0).map(isArp)).toEqual([false]);

    // From then on it is repeated as any other, each second (tcp_syn_linear_timeouts).
    await clock.advance(2_000_000);
    expect(link.caught.splice(0).filter((frame) => !isArp(frame))).toHaveLength(2);
    await stack.close();
  });
});

// covers: what waits for the neighbour (tcp_wfree) | Linux skb_still_in_host_queue, tcp_tsq_handler | src/tcp/recovery/retransmit.ts
describe('what was lost while its first copy waited for the neighbour', () => {
  it('is sent again as soon as that has left (tcp_wfree)', () => {
    const t = conversation();
    const { peer, program } = t.established();
    const neighbour = t.stack.ip.routes.output(address(PEER_ADDRESS))?.neighbour as Neighbour;
    neighbour.state = NUD_FAILED;
    program.send('x');
    t.after(program.sk.rto + 1);
    expect(t.counter('TcpExt', 'TCPSpuriousRtxHostQueues')).toBe(1);
    peer.hearsNothing();
    neighbour.update(neighbour.macHigh, neighbour.macLow, NUD_REACHABLE, true);
    t.settle();
    peer.hears({ data: 'x' });
    peer.hears({ data: 'x' });
    peer.hearsNothing();
  });

  it('is sent again, and asks for the address again, as soon as that was given up (neigh_invalidate)', () => {
    const t = conversation();
    const other = t.established();
    const { peer, program } = t.established();
    const neighbour = t.stack.ip.routes.output(address(PEER_ADDRESS))?.neighbour as Neighbour;
    neighbour.state = NUD_FAILED;
    // Its timeouts do not double, so that no router's complaint takes one back (tcp_ld_RTO_revert); another connection asks first.
    program.sk.ownTuning().thinLinearTimeouts = true;
    program.sk.sndSsthresh = 10;
    other.program.send('y');
    t.after(2350);
    program.send('x');
    t.after(630);
    expect([t.counter('Arp', 'ResolveFails'), program.sk.tx.retransmits]).toEqual([0, 3]);
    t.after(50);
    expect([t.counter('Arp', 'ResolveFails'), program.sk.tx.retransmits]).toEqual([1, 3]);
    expect([neighbour.state, neighbour.queueLength]).toEqual([NUD_INCOMPLETE, 2]);
    neighbour.update(neighbour.macHigh, neighbour.macLow, NUD_REACHABLE, true);
    t.settle();
    peer.hears({ data: 'x' });
    peer.hearsNothing();
  });
});

describe('a neighbour that an acknowledgement has shown to work', () => {
  it('is vouched for by what the same connection sends next, not by what another does', () => {
    const t = conversation();
    const a = t.established();
    const b = t.established();
    const confirmed = () => t.stack.ip.routes.output(address(PEER_ADDRESS))?.neighbour?.confirmed;
    // What their handshakes have shown goes along.
    a.program.send('x');
    b.program.send('x');
    const before = confirmed();
    t.after(20);
    a.peer.sends({ ack: 2 });
    b.peer.sends({ data: 'y', ack: 1 });
    b.program.shutdown(2);
    expect(confirmed()).toBe(before);
    a.program.send('x');
    expect(confirmed()).toBe(t.host.nowMs);
    // And only by that one.
    t.after(5);
    a.program.send('x');
    expect(confirmed()).toBe(t.host.nowMs - 5);
  });
});

// Whatever is given up says why, by the kernel's name: each reason is provoked once, and told once.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DROP_REASONS, type DropReason } from '../../src/core/drop-reason.js';
import { onTrace, type TraceMessage } from '../../src/core/trace.js';
import { Icmp } from '../../src/icmp/icmp.js';
import { RX_IP_BAD, RX_L4_BAD } from '../../src/link/link.js';
import {
  address,
  fromPeer,
  introduce,
  Notes,
  OUR_MAC,
  PEER_MAC,
  pass,
  say,
  sendPlain,
  type TestStack,
  testStack,
} from '../ip/stack.js';
import { ethernet, icmp, ipv4, mac, pattern, udp } from '../packet/build.js';
import { UdpHost } from '../udp/host.js';
import { type ConversationOptions, conversation, type Opening } from './conversation.js';
import { steered } from './steered.js';

const PEER = '10.0.0.1';
const OURS = '10.0.0.2';

function connection(opening: Opening = {}, options: ConversationOptions = {}) {
  const t = conversation(options);
  return { t, ...t.established(opening) };
}

/** A stack that knows its peer, with a transport that takes protocol 200. */
function plain(options = {}): TestStack {
  const stack = testStack(options);
  new Notes(stack, 200);
  introduce(stack);
  return stack;
}

/** Packets of protocol 200 from the peer, or from elsewhere. */
function packet(src = PEER, dst = OURS, protocol = 200, more = {}): Uint8Array {
  return fromPeer(ipv4(src, dst, protocol, pattern(100), more));
}

function fragment(stack: TestStack, from: number, to: number, last: boolean, id = 7): void {
  say(
    stack,
    fromPeer(ipv4(PEER, OURS, 200, pattern(to).subarray(from, to), { offset: from, mf: !last, id })),
  );
}

function datagram(host: UdpHost, port: number, flags = 0): void {
  const payload = udp(PEER, 9, OURS, port, pattern(1000));
  host.stack.link.deliver([fromPeer(ipv4(PEER, OURS, 17, payload))], flags);
}

function timeWait(opening: Opening = {}) {
  const both = connection(opening);
  both.program.close();
  both.peer.sends({ flags: 'FA', ack: 2 });
  expect(both.t.tcp.counts.timeWait).toBe(1);
  return both;
}

/** What is done to have something given up for this reason, and for no other. */
const provoke: Record<DropReason, () => void> = {
  // The link and IP, on the way in.
  PKT_TOO_SMALL: () => say(plain(), packet().subarray(0, 10)),
  OTHERHOST: () =>
    say(plain(), ethernet('02:00:00:00:00:99', PEER_MAC, 0x0800, ipv4(PEER, OURS, 200, pattern(9)))),
  UNHANDLED_PROTO: () => say(plain(), ethernet(OUR_MAC, PEER_MAC, 0x86dd, pattern(60))),
  IP_INHDR: () => {
    const frame = packet();
    frame[14] = 0x65;
    say(plain(), frame);
  },
  IP_CSUM: () => plain().link.deliver([packet()], RX_IP_BAD),
  IP_INADDRERRORS: () => say(plain(), packet(PEER, '10.0.0.77')),
  IP_INVALID_SOURCE: () => say(plain(), packet('224.0.0.1')),
  IP_LOCAL_SOURCE: () => say(plain(), packet(OURS)),
  IP_LOCALNET: () => say(plain(), packet('127.0.0.9')),
  IP_NOPROTO: () => say(plain(), packet(PEER, OURS, 201)),
  DUP_FRAG: () => {
    const stack = plain();
    fragment(stack, 0, 800, false);
    fragment(stack, 0, 800, false);
  },
  FRAG_REASM_TIMEOUT: () => {
    const stack = plain();
    fragment(stack, 0, 800, false);
    pass(stack, 31_000);
  },
  FRAG_TOO_FAR: () => {
    const stack = plain();
    stack.host.sysctl.ipfragMaxDist = 2;
    fragment(stack, 0, 800, false, 1);
    for (let id = 2; id < 6; id++) fragment(stack, 0, 800, false, id);
    fragment(stack, 800, 1000, true, 1);
  },
  NOMEM: () => {
    const stack = plain();
    stack.host.sysctl.ipfragHighThresh = 1;
    fragment(stack, 0, 800, false);
  },
  NOT_SPECIFIED: () => {
    // The two halves of a datagram that overlap.
    const stack = plain();
    fragment(stack, 0, 800, false);
    fragment(stack, 400, 1200, false);
  },
  ICMP_CSUM: () => {
    const stack = plain();
    new Icmp(stack.ip);
    stack.link.deliver([fromPeer(ipv4(PEER, OURS, 1, icmp(8, 0, 1, pattern(9))))], RX_L4_BAD);
  },
  INVALID_PROTO: () => {
    const stack = plain();
    new Icmp(stack.ip);
    const payload = icmp(3, 1, 0, pattern(28));
    say(stack, ethernet('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0800, ipv4(PEER, '10.0.0.255', 1, payload)));
  },

  // IP and the neighbours, on the way out.
  PKT_TOO_BIG: () => sendPlain(plain(), PEER, 200, pattern(1481)),
  IP_OUTNOROUTES: () => {
    const { t, program } = connection();
    t.stack.ip.routes.downDevice(t.stack.ip.routes.devices[1]);
    program.send('x');
  },
  DEV_READY: () => {
    const stack = plain();
    const route = stack.ip.route(address(PEER));
    stack.ip.routes.devices[1].up = false;
    if (route === null || stack.ip.begin(route) < 0) throw new Error('no way to the peer');
    stack.ip.send(route, route.source, route.destination, 200, 0, 0, 0, 64, false, -1, 0, 0);
  },
  FULL_RING: () => {
    const stack = plain({ slots: 2 });
    for (let i = 0; i < 3; i++) sendPlain(stack, PEER, 200, pattern(9));
  },
  QDISC_DROP: () => {
    const stack = plain();
    stack.ip.routes.devices[1].queueLimit = 0;
    sendPlain(stack, PEER, 200, pattern(9));
  },
  NEIGH_CREATEFAIL: () => {
    const stack = plain();
    const device = stack.ip.routes.devices[1];
    stack.host.sysctl.neighGcThresh3 = 1;
    stack.ip.addNeighbour(device, address(PEER), mac(PEER_MAC));
    sendPlain(stack, '10.0.0.50', 200, pattern(9));
  },
  NEIGH_QUEUEFULL: () => {
    const stack = plain();
    stack.host.sysctl.neighUnresQlen = 1;
    for (let i = 0; i < 2; i++) sendPlain(stack, '10.0.0.50', 200, pattern(9));
  },
  NEIGH_FAILED: () => {
    const stack = plain();
    sendPlain(stack, '10.0.0.50', 200, pattern(9));
    pass(stack, 10_000);
  },

  // UDP.
  NO_SOCKET: () => datagram(new UdpHost(), 5),
  UDP_CSUM: () => datagram(new UdpHost(), 5, RX_L4_BAD),
  SOCKET_RCVBUFF: () => {
    const host = new UdpHost();
    const sk = host.bound(5);
    sk.rcvbuf = 500;
    datagram(host, 5);
    datagram(host, 5);
  },

  // TCP: before a connection.
  TCP_CSUM: () => {
    const { t, peer } = connection();
    t.deliver([peer.frame({ data: 'x' })], RX_L4_BAD);
  },
  TCP_LISTEN_OVERFLOW: () => {
    const t = conversation();
    t.listen(0);
    t.handshake(t.peer());
    t.peer().sends({ flags: 'S', mss: 1460 });
  },
  LISTENER_PAUSED: () => {
    const t = conversation();
    steered(t).pause();
    t.peer().sends({ flags: 'S', mss: 1460 });
  },
  LISTENER_ON_SYN: () => {
    const t = conversation();
    steered(t).onSyn = () => 'drop';
    t.peer().sends({ flags: 'S', mss: 1460 });
  },
  TCP_INVALID_SYN: () => connection().peer.sends({ flags: 'S', seq: 0 }),
  TCP_INVALID_ACK_SEQUENCE: () => conversation().connecting().peer.sends({ flags: 'SA', seq: 0, ack: 77 }),
  TCP_RFC7323_TSECR: () => {
    const t = conversation();
    t.listen();
    const peer = t.peer();
    peer.sends({ ...t.syn(peer, { ts: true }) });
    peer.sends({ ts: [peer.tsClock, peer.tsSeen + 99_999] });
  },
  TCP_OVERWINDOW: () => {
    const t = conversation();
    t.listen();
    const peer = t.peer();
    peer.sends(t.syn(peer));
    peer.sends({ seq: 900_000, ack: 1 });
  },

  // TCP: a connection.
  TCP_FLAGS: () => connection().peer.sends({ flags: '', data: 'x' }),
  TCP_RESET: () => connection().peer.sends({ flags: 'R', seq: 50 }),
  TCP_AUTH_HDR: () =>
    connection().peer.sends({ data: 'x', options: Uint8Array.of(99, 40, ...new Array(18).fill(1)) }),
  TCP_MD5UNEXPECTED: () =>
    connection().peer.sends({ data: 'x', options: Uint8Array.of(1, 1, 19, 18, ...new Array(16).fill(7)) }),
  TCP_MINTTL: () => {
    const { peer, program } = connection();
    program.sk.ownExtras().minTtl = 255;
    peer.sends({ data: 'x' });
  },
  SOCKET_BACKLOG: () => {
    const { t, peer, program } = connection();
    program.sk.sndbuf = 4608;
    program.sk.rcvbuf = 2304;
    t.tcp.lock(program.sk);
    for (let i = 0; i < 55; i++) peer.sends({ data: 1400 });
    t.tcp.release(program.sk);
  },
  TCP_RFC7323_PAWS: () => connection({ ts: true }).peer.sends({ ts: [4000, 1], data: 'x' }),
  TCP_RFC7323_PAWS_ACK: () => {
    const { peer } = connection({ ts: true });
    peer.sends({ data: 'x' });
    peer.sends({ seq: 1, ts: [4000, 1] });
  },
  TCP_OLD_SEQUENCE: () => {
    const { peer } = connection();
    peer.sends({ data: 'abc' }).sends({ seq: 1, data: 'a' });
  },
  TCP_INVALID_SEQUENCE: () => connection().peer.sends({ seq: 900_000, data: 'x' }),
  TCP_INVALID_END_SEQUENCE: () => {
    const { peer, program } = connection();
    peer.sends({ data: 'unread' });
    const edge = (program.sk.rcvWup + program.sk.rcvWnd - program.sk.rcvNxt) | 0;
    peer.sends({ seq: peer.nxt + edge - 50, data: 100 });
  },
  TCP_OLD_DATA: () => {
    // Received and not acknowledged yet: not old to the window's left edge, but to the stream's.
    const { t, peer } = connection();
    const first = peer.frame({ data: 'abc' });
    t.deliver([first, peer.frame({ seq: 1, data: 'abc' })]);
  },
  TCP_ZEROWINDOW: () => {
    const { peer, program } = connection();
    program.sk.rcvWnd = 0;
    peer.sends({ data: 'x' });
  },
  TCP_OFOMERGE: () => {
    const { peer } = connection();
    peer.sends({ seq: 101, data: 100 }).sends({ seq: 101, data: 100 });
  },
  TCP_OFO_DROP: () => {
    const { peer } = connection();
    peer.sends({ seq: 101, data: 100 }).sends({ seq: 1, data: 300 });
  },
  TCP_OFO_QUEUE_PRUNE: () => {
    const { peer, program } = connection();
    Object.assign(program.sk, { rcvbuf: 16_000, userlocks: 2 });
    for (let i = 9; i > 0; i--) peer.sends({ seq: 1 + i * 2000, data: 1400 });
  },
  PROTO_MEM: () => {
    const { peer, program } = connection();
    Object.assign(program.sk, { rcvbuf: 4000, userlocks: 2 });
    peer.sends({ seq: 1461, data: 1460 });
    for (let i = 2; i < 5; i++) peer.sends({ seq: 1 + i * 1460, data: 1460 });
  },
  TCP_TOO_OLD_ACK: () => connection().peer.sends({ ack: -100_000 }),
  TCP_ACK_UNSENT_DATA: () => connection().peer.sends({ ack: 5000 }),
  TCP_ABORT_ON_DATA: () => {
    const { peer, program } = connection();
    program.close();
    peer.sends({ ack: 1, data: 'x' });
  },
  TCP_RFC7323_TW_PAWS: () => {
    const { peer } = timeWait({ ts: true });
    peer.sends({ seq: 1, ts: [4000, 1] });
  },
  TCP_CLOSE: () => {
    const { t, peer, program } = connection();
    // The second segment of a backlog finds that the first was a reset.
    t.tcp.lock(program.sk);
    peer.sends({ flags: 'R' }).sends({ data: 'x' });
    t.tcp.release(program.sk);
  },
};

/** What cannot be had alone. */
const besides: Partial<Record<DropReason, readonly DropReason[]>> = {
  SOCKET_BACKLOG: ['TCP_INVALID_SEQUENCE', 'TCP_INVALID_END_SEQUENCE'],
  TCP_CLOSE: ['TCP_RESET'],
};

// covers: drop reasons by the kernel's names | Linux enum skb_drop_reason | src/core/drop-reason.ts
describe('SKB_DROP_REASON_', () => {
  it.each(DROP_REASONS)('%s', (reason) => {
    const told: string[] = [];
    const stop = onTrace((name, message) => {
      if (name === 'kfree_skb') told.push((message as TraceMessage<'kfree_skb'>).reason);
    });
    try {
      provoke[reason]();
    } finally {
      stop();
    }
    expect(new Set(told)).toEqual(new Set([reason, ...(besides[reason] ?? [])]));
  });

  it('is told in docs/tracing.md', () => {
    const page = readFileSync(new URL('../../docs/tracing.md', import.meta.url), 'utf8');
    const listed = [...page.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual([...DROP_REASONS].sort());
  });
});

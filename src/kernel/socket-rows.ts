// What `stack.sockets()` lists: one row for each socket the protocols know of, in the manner of ss(8).

import type { IpAddress } from '../packet/address.js';
import type { TcpSock } from '../tcp/sock.js';
import type { Tcp } from '../tcp/tcp.js';
import { TCP_STATE_NAMES } from '../uapi/tcp.js';
import type { Udp } from '../udp/udp.js';
import type { UdpSock } from '../udp/udp-sock.js';

/** One socket as `ss -tuan` lists it. */
export interface SocketRow {
  /** TCP also for what remains of a connection, UDP also for what is not connected. */
  protocol: 'tcp' | 'udp';
  /** A TCP state by its name; of UDP, `ESTABLISHED` for connected sockets and `UNCONN` for others. */
  state: string;
  /** `address:port`; `*` for what is not fixed. */
  local: string;
  /** Likewise. */
  peer: string;
  /** Bytes received and not read; of a listener, connections waiting for accept(). */
  recvq: number;
  /** Bytes not acknowledged; of a listener, its backlog. */
  sendq: number;
  /** Of a listener: peers whose handshake is going on, oldest first. */
  synQueue?: string[];
  /** Of a listener: peers waiting for accept(), oldest first. */
  acceptQueue?: string[];
  /** Of a listener that pauses (`stack.listener`): what it does with SYNs. */
  paused?: 'dropping' | 'refusing';
}

/** Listeners, then connections, then what remains of old ones, then UDP. */
export function socketRows(tcp: Tcp, udp: Udp): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const sk of tcp.listeners) rows.push(listenerRow(sk));
  for (const sk of tcp.established) {
    rows.push({
      protocol: 'tcp',
      state: TCP_STATE_NAMES[sk.state],
      local: name(sk.saddr, sk.sport),
      peer: name(sk.daddr, sk.dport),
      recvq: (sk.rcvNxt - sk.copiedSeq) | 0,
      sendq: (sk.writeSeq - sk.sndUna) | 0,
    });
  }
  for (const tw of tcp.timeWaits) {
    const state = TCP_STATE_NAMES[tw.substate];
    const [local, peer] = [name(tw.saddr, tw.sport), name(tw.daddr, tw.dport)];
    rows.push({ protocol: 'tcp', state, local, peer, recvq: 0, sendq: 0 });
  }
  for (const holder of udp.ports.holders()) rows.push(udpRow(holder as UdpSock));
  return rows;
}

function listenerRow(sk: TcpSock): SocketRow {
  const { listener } = sk;
  return {
    protocol: 'tcp',
    state: TCP_STATE_NAMES[sk.state],
    local: name(sk.laddr, sk.sport),
    peer: '*:*',
    recvq: listener === null ? 0 : listener.acceptLength,
    sendq: listener === null ? 0 : listener.backlog,
    synQueue: listener === null ? [] : listener.requests().map((r) => name(r.daddr, r.dport)),
    acceptQueue: listener === null ? [] : listener.waiting().map((c) => name(c.daddr, c.dport)),
    ...(listener?.steering?.paused ? { paused: listener.steering.paused } : {}),
  };
}

function udpRow(sk: UdpSock): SocketRow {
  return {
    protocol: 'udp',
    state: sk.dport === 0 ? 'UNCONN' : 'ESTABLISHED',
    local: name(sk.laddr, sk.sport),
    peer: sk.dport === 0 ? '*:*' : name(sk.daddr, sk.dport),
    recvq: sk.rmem,
    sendq: 0,
  };
}

function name(address: IpAddress, port: number): string {
  return `${address.isAny ? '*' : address.toString()}:${port}`;
}

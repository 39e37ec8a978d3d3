// Every socket of a stack with all that is known of it, for ss: what the kernel's inet_diag answers.

import type { Sock } from '../core/sock.js';
import type { NetDevice } from '../ip/device.js';
import { Process } from '../kernel/process.js';
import type { IpAddress } from '../packet/address.js';
import { socketOf } from '../socket/socket-file.js';
import { memoryInfo } from '../socket/sol-socket-rare.js';
import type { Stack } from '../stack.js';
import { TIME_NONE, TIME_PROBE0 } from '../tcp/constants.js';
import type { TcpSock } from '../tcp/sock.js';
import type { TimeWaitSock } from '../tcp/time-wait.js';
import type { Timer } from '../time/timer-wheel.js';
import { TCP_STATE_NAMES } from '../uapi/tcp.js';
import type { UdpSock } from '../udp/udp-sock.js';
import type { Endpoint, SocketDetail, TimerDetail } from './protocol.js';

type Users = Map<Sock, { process: number; fd: number }[]>;

export class SocketDetails {
  readonly #stack: Stack;
  /** Numbers are given when a socket is first listed. */
  readonly #inodes = new WeakMap<Sock, number>();
  #lastInode = 0;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** Listeners, handshakes, connections, what remains of old ones, UDP. */
  list(): SocketDetail[] {
    const { tcp, udp, host } = this.#stack;
    host.refresh();
    const users = this.#users();
    return [
      ...[...tcp.listeners].map((sk) => this.#listener(sk, users)),
      ...[...tcp.requests].map((request) => ({
        ...this.#bare('SYN_RECV', request.saddr, request.sport, request.daddr, request.dport),
        timer: this.#timer('on', request, request.timeouts),
      })),
      ...[...tcp.established].map((sk) => this.#connection(sk, users)),
      ...[...tcp.timeWaits].map((tw) => this.#timeWait(tw)),
      ...[...udp.ports.holders()].map((sk) => this.#datagram(sk as UdpSock, users)),
    ];
  }

  #listener(sk: TcpSock, users: Users): SocketDetail {
    const { listener } = sk;
    return {
      ...this.#sock(sk, users),
      protocol: 'tcp',
      state: TCP_STATE_NAMES[sk.state],
      local: endpoint(sk.laddr, sk.sport),
      peer: endpoint(null, 0),
      recvq: listener === null ? 0 : listener.acceptLength,
      sendq: listener === null ? 0 : listener.backlog,
      congestion: sk.cc.name,
      info: this.#stack.tcp.info(sk),
      synQueue: listener === null ? [] : listener.requests().map((r) => `${r.daddr}:${r.dport}`),
      acceptQueue: listener === null ? [] : listener.waiting().map((c) => `${c.daddr}:${c.dport}`),
      ...(listener?.steering?.paused ? { paused: listener.steering.paused } : {}),
    };
  }

  #connection(sk: TcpSock, users: Users): SocketDetail {
    return {
      ...this.#sock(sk, users),
      protocol: 'tcp',
      state: TCP_STATE_NAMES[sk.state],
      local: endpoint(sk.saddr, sk.sport),
      peer: endpoint(sk.daddr, sk.dport),
      recvq: (sk.rcvNxt - sk.copiedSeq) | 0,
      sendq: (sk.writeSeq - sk.sndUna) | 0,
      timer: this.#connectionTimer(sk),
      congestion: sk.cc.name,
      congestionInfo: sk.cc.info(sk),
      info: this.#stack.tcp.info(sk),
    };
  }

  #timeWait(tw: TimeWaitSock): SocketDetail {
    return {
      ...this.#bare(TCP_STATE_NAMES[tw.substate], tw.saddr, tw.sport, tw.daddr, tw.dport),
      uid: tw.uid,
      device: this.#device(tw.boundDevice),
      timer: this.#timer('timewait', tw, 0),
    };
  }

  #datagram(sk: UdpSock, users: Users): SocketDetail {
    const connected = sk.dport !== 0;
    return {
      ...this.#sock(sk, users),
      protocol: 'udp',
      state: connected ? 'ESTABLISHED' : 'UNCONN',
      local: endpoint(sk.laddr, sk.sport),
      peer: connected ? endpoint(sk.daddr, sk.dport) : endpoint(null, 0),
      recvq: sk.rmem,
      sendq: 0,
    };
  }

  /** What no program has open any more, or not yet. */
  #bare(state: string, saddr: IpAddress, sport: number, daddr: IpAddress, dport: number): SocketDetail {
    return {
      ...NOTHING,
      protocol: 'tcp',
      state,
      local: endpoint(saddr, sport),
      peer: endpoint(daddr, dport),
      recvq: 0,
      sendq: 0,
    };
  }

  #sock(sk: Sock, users: Users) {
    const open = users.get(sk) ?? [];
    return {
      ...NOTHING,
      device: this.#device(sk.boundDevice),
      users: open,
      uid: sk.uid,
      inode: open.length === 0 ? 0 : this.#inode(sk),
      cookie: sk.extras?.cookie ?? 0,
      memory: memoryInfo(sk),
    };
  }

  #inode(sk: Sock): number {
    let inode = this.#inodes.get(sk);
    if (inode === undefined) {
      inode = ++this.#lastInode;
      this.#inodes.set(sk, inode);
    }
    return inode;
  }

  #users(): Users {
    const users: Users = new Map();
    for (const process of this.#stack.kernel.processes) {
      if (!(process instanceof Process)) continue;
      for (const fd of process.files.numbers()) {
        const file = process.files.get(fd);
        const sk = file === null ? undefined : socketOf(file)?.sk;
        if (sk === undefined) continue;
        const known = users.get(sk);
        if (known === undefined) users.set(sk, [{ process: process.pid, fd }]);
        else known.push({ process: process.pid, fd });
      }
    }
    return users;
  }

  #device(index: number): string | null {
    const device = this.#stack.ip.routes.devices[index - 1] as NetDevice | undefined;
    return device?.name ?? null;
  }

  /** inet_csk_diag_fill */
  #connectionTimer(sk: TcpSock): TimerDetail | null {
    const { tx, keepaliveTimer } = sk;
    const { pendingTimer, retransmitTimer } = tx;
    if (pendingTimer === TIME_PROBE0 && retransmitTimer !== null)
      return this.#timer('persist', retransmitTimer, sk.probesOut);
    if (pendingTimer !== TIME_NONE && retransmitTimer !== null)
      return this.#timer('on', retransmitTimer, tx.retransmits);
    if (keepaliveTimer?.pending) return this.#timer('keepalive', keepaliveTimer, sk.probesOut);
    return null;
  }

  #timer(name: TimerDetail['name'], timer: Timer, count: number): TimerDetail {
    return { name, ms: Math.max(0, (timer.expires - this.#stack.host.nowMs) | 0), count };
  }
}

const NOTHING = {
  device: null,
  users: [],
  uid: 0,
  inode: 0,
  cookie: 0,
  timer: null,
  memory: null,
  congestion: null,
  congestionInfo: null,
  info: null,
} satisfies Partial<SocketDetail>;

function endpoint(address: IpAddress | null, port: number): Endpoint {
  return { address: address === null || address.isAny ? null : address.toString(), port };
}

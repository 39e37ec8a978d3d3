// UDP (RFC 768, net/ipv4/udp.c): datagrams from IP to the sock they are for and from there to programs, ICMP errors to connected socks, and
// what socks call themselves and their peers; datagrams of socks to IP are udp-output.ts. Nothing here sleeps: results are >= 0, or -errno.

import type { Host } from '../core/host.js';
import { Icmp as IcmpMib, Udp as UdpMib } from '../core/mib.js';
import { RCV_SHUTDOWN, SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK } from '../core/sock.js';
import { dropped } from '../core/trace.js';
import type { Ip } from '../ip/ip.js';
import type { IpProtocol } from '../ip/protocol.js';
import type { RxPacket } from '../ip/rx-packet.js';
import { RX_L4_BAD } from '../link/link.js';
import { ANY_V4, type IpAddress } from '../packet/address.js';
import {
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_PORT_UNREACH,
  ICMP_SOURCE_QUENCH,
} from '../packet/icmp.js';
import { UDP_DST_PORT, UDP_HLEN, UDP_LENGTH, UDP_SRC_PORT } from '../packet/udp.js';
import { EACCES, EAGAIN, ENETUNREACH, ENOTTY } from '../uapi/errno.js';
import {
  IP_PMTUDISC_DONT,
  IPPROTO_UDP,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_TRUNC,
  SIOCINQ,
  SIOCOUTQ,
} from '../uapi/socket.js';
import { TCP_CLOSE, TCP_ESTABLISHED } from '../uapi/tcp.js';
import { queueIcmpError } from './udp-errors.js';
import { UdpOutput } from './udp-output.js';
import { type Sender, UdpSock } from './udp-sock.js';
import { ANY_DEVICE, UdpTable } from './udp-table.js';

export class Udp implements IpProtocol {
  readonly host: Host;
  readonly ip: Ip;
  /** Who holds which port. Binding here makes a sock findable; releasing unhashes it. */
  readonly ports: UdpTable;
  /** How they send. */
  readonly output: UdpOutput;
  readonly #deliver: (sk: UdpSock) => void;

  /** Takes its place in `ip`: receives protocol 17. */
  constructor(ip: Ip) {
    this.host = ip.host;
    this.ip = ip;
    this.ports = new UdpTable(ip.host);
    this.output = new UdpOutput(ip);
    this.#deliver = (sk) => this.#queue(sk, ip.packet);
    ip.register(IPPROTO_UDP, this);
  }

  createSock(): UdpSock {
    return new UdpSock(this.host);
  }

  /** __udp4_lib_rcv */
  receive(packet: RxPacket): void {
    const { mib, memory } = this.host;
    const view = memory.view;
    const udp = packet.transport;
    const length = packet.length >= UDP_HLEN ? view.getUint16(udp + UDP_LENGTH) : 0;
    if (length < UDP_HLEN || length > packet.length) {
      dropped(this.host, 'PKT_TOO_SMALL');
      mib.count(UdpMib.InErrors);
      return;
    }
    if ((packet.flags & RX_L4_BAD) !== 0) {
      dropped(this.host, 'UDP_CSUM');
      mib.count(UdpMib.InCsumErrors);
      mib.count(UdpMib.InErrors);
      return;
    }
    packet.length = length;
    const sport = view.getUint16(udp + UDP_SRC_PORT);
    const dport = view.getUint16(udp + UDP_DST_PORT);
    if (packet.broadcast) {
      this.ports.forEach(packet.src, sport, packet.dst, dport, packet.device, this.#deliver);
      return;
    }
    const sk = this.ports.lookup(packet.src, sport, packet.dst, dport, packet.device);
    if (sk !== null) {
      this.#queue(sk, packet);
      return;
    }
    dropped(this.host, 'NO_SOCKET');
    mib.count(UdpMib.NoPorts);
    this.ip.complain(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
  }

  #queue(sk: UdpSock, packet: RxPacket): void {
    const sport = this.host.memory.view.getUint16(packet.transport + UDP_SRC_PORT);
    if (sk.enqueue(packet, sport, packet.transport + UDP_HLEN, packet.length - UDP_HLEN)) {
      sk.dataReady();
    } else {
      dropped(this.host, 'SOCKET_RCVBUFF');
      this.host.mib.count(UdpMib.RcvbufErrors);
      this.host.mib.count(UdpMib.InErrors);
    }
  }

  /** __udp4_lib_err: only a connected sock hears of errors, and only of final ones, unless it asked for all (IP_RECVERR). */
  error(
    src: IpAddress,
    dst: IpAddress,
    transport: number,
    errno: number,
    fatal: boolean,
    type: number,
    code: number,
    info: number,
  ): void {
    const view = this.host.memory.view;
    const sport = view.getUint16(transport + UDP_SRC_PORT);
    const sk = this.ports.lookup(dst, view.getUint16(transport + UDP_DST_PORT), src, sport, ANY_DEVICE);
    if (sk === null) {
      this.host.mib.count(IcmpMib.InErrors);
      return;
    }
    // Slowing down is for transports that know how, and none does it any more (RFC 6633).
    if (type === ICMP_SOURCE_QUENCH) return;
    let isFinal = fatal;
    if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) {
      this.ip.route(dst)?.updateMtu(info);
      if (sk.mtuDiscover === IP_PMTUDISC_DONT) return;
      isFinal = true;
    }
    if (sk.extras?.recvErr) {
      const dport = view.getUint16(transport + UDP_DST_PORT);
      queueIcmpError(sk, sk.extras, this.ip, dst, dport, transport, errno, type, code, info);
    } else if (!isFinal || sk.state !== TCP_ESTABLISHED) return;
    sk.err = errno;
    sk.errorReport();
  }

  /** ip4_datagram_connect: names the peer that is sent to and heard from. 0, -EAGAIN, -ENETUNREACH, -EACCES. */
  connect(sk: UdpSock, daddr: IpAddress, dport: number): number {
    const bound = this.autobind(sk);
    if (bound < 0) return bound;
    const route = this.ip.routeOf(sk, daddr);
    if (route === null) return -ENETUNREACH;
    if (route.broadcast && !sk.broadcast && !route.destination.isMulticast) return -EACCES;
    this.ports.connected(sk, route.destination, dport);
    if (sk.saddr.isAny) sk.saddr = route.source;
    if (sk.laddr.isAny) sk.laddr = route.source;
    sk.route = route;
    sk.daddr = route.destination;
    sk.dport = dport;
    sk.state = TCP_ESTABLISHED;
    if (sk.cork !== null) {
      sk.cork.route = route;
      sk.cork.dport = dport;
    }
    return 0;
  }

  /** udp_disconnect: forgets the peer, and what connect() chose for it. */
  disconnect(sk: UdpSock): number {
    if (sk.state === TCP_ESTABLISHED) this.ports.disconnected(sk);
    sk.state = TCP_CLOSE;
    sk.daddr = ANY_V4;
    sk.dport = 0;
    sk.route = null;
    if ((sk.userlocks & SOCK_BINDADDR_LOCK) === 0) {
      sk.laddr = ANY_V4;
      sk.saddr = ANY_V4;
    }
    if ((sk.userlocks & SOCK_BINDPORT_LOCK) === 0) {
      this.ports.release(sk);
      sk.sport = 0;
    }
    return 0;
  }

  /**
   * udp_recvmsg: the next datagram, cut to `length`; with MSG_TRUNC the length it really had. `from` learns the sender, and
   * by `from.length` whether it was cut. A pending error first; -EAGAIN where a blocking caller would sleep, 0 after
   * shutdown for one that would (no MSG_DONTWAIT).
   */
  recv(sk: UdpSock, buffer: Uint8Array, length: number, flags: number, from: Sender): number {
    const pending = sk.takeError();
    if (pending !== 0) return pending;
    const isPeek = (flags & MSG_PEEK) !== 0;
    const copied = isPeek ? sk.peek(buffer, length, from) : sk.dequeue(buffer, length, from);
    if (copied < 0) return (sk.shutdown & RCV_SHUTDOWN) !== 0 && (flags & MSG_DONTWAIT) === 0 ? 0 : -EAGAIN;
    if (!isPeek) this.host.mib.count(UdpMib.InDatagrams);
    const result = (flags & MSG_TRUNC) !== 0 ? from.length : copied;
    if (sk.extras !== null) sk.extras.movePeekOff(isPeek ? result : -result);
    return result;
  }

  /** SIOCINQ: length of the next datagram; SIOCOUTQ: bytes not sent yet, which is none. Else -ENOTTY. */
  ioctl(sk: UdpSock, request: number, out: { value: number }): number {
    if (request !== SIOCINQ && request !== SIOCOUTQ) return -ENOTTY;
    out.value = request === SIOCINQ ? sk.firstLength : 0;
    return 0;
  }

  /** udp_destroy_sock: gives back port and memory. */
  close(sk: UdpSock): void {
    this.ports.release(sk);
    sk.state = TCP_CLOSE;
    sk.sport = 0;
    sk.route = null;
    sk.orphan = true;
    sk.wq = null;
    sk.cork = null;
    sk.purge();
  }

  /** inet_autobind: whoever sends or connects has a port, whatever becomes of it. 0, or -EAGAIN: none is left. */
  autobind(sk: UdpSock): number {
    if (sk.sport !== 0) return 0;
    const port = this.ports.bind(sk, 0);
    if (port < 0) return -EAGAIN;
    sk.sport = port;
    return 0;
  }
}

// UDP (RFC 768, net/ipv4/udp.c): datagrams from IP to the sock they are for, datagrams of socks to IP, and ICMP errors to
// connected socks. Nothing here sleeps: results are >= 0, or -errno.

import type { Host } from '../core/host.js';
import { Icmp as IcmpMib, Udp as UdpMib } from '../core/mib.js';
import type { SendCookie } from '../core/send-cookie.js';
import { RCV_SHUTDOWN, SEND_SHUTDOWN, SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK } from '../core/sock.js';
import { dropped } from '../core/trace.js';
import type { Ip } from '../ip/ip.js';
import type { IpProtocol } from '../ip/protocol.js';
import type { Route } from '../ip/routes.js';
import type { RxPacket } from '../ip/rx-packet.js';
import { RX_L4_BAD } from '../link/link.js';
import { ANY_V4, type IpAddress } from '../packet/address.js';
import { pseudoHeader } from '../packet/checksum.js';
import {
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_PORT_UNREACH,
  ICMP_SOURCE_QUENCH,
} from '../packet/icmp.js';
import { IP_HLEN, IP_MAX_LENGTH } from '../packet/ipv4.js';
import { UDP_CHECKSUM, UDP_DST_PORT, UDP_HLEN, UDP_LENGTH, UDP_SRC_PORT } from '../packet/udp.js';
import {
  EACCES,
  EAGAIN,
  EDESTADDRREQ,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  ENOBUFS,
  ENOTTY,
  EOPNOTSUPP,
  EPIPE,
} from '../uapi/errno.js';
import {
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  IP_PMTUDISC_OMIT,
  IP_PMTUDISC_PROBE,
  IPPROTO_UDP,
  MSG_CONFIRM,
  MSG_DONTWAIT,
  MSG_MORE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  SIOCINQ,
  SIOCOUTQ,
} from '../uapi/socket.js';
import { TCP_CLOSE, TCP_ESTABLISHED } from '../uapi/tcp.js';
import { Cork } from './cork.js';
import { asksZerocopy, queueIcmpError, queueTooLarge, reportSent, zerocopyDone } from './udp-errors.js';
import { type Sender, UdpSock } from './udp-sock.js';
import { ANY_DEVICE, UdpTable } from './udp-table.js';

export class Udp implements IpProtocol {
  readonly host: Host;
  readonly ip: Ip;
  /** Who holds which port. Binding here makes a sock findable; releasing unhashes it. */
  readonly ports: UdpTable;
  readonly #deliver: (sk: UdpSock) => void;

  /** Takes its place in `ip`: receives protocol 17. */
  constructor(ip: Ip) {
    this.host = ip.host;
    this.ip = ip;
    this.ports = new UdpTable(ip.host);
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
   * udp_sendmsg: one datagram, to `daddr`.`dport`, or to the connected peer if `daddr` is null; or more of the one that was begun
   * before, wherever that goes. Bytes sent (all), or a pending error, -EPIPE, -EMSGSIZE, -EDESTADDRREQ, -EINVAL (port 0), -EACCES (broadcast), -ENETUNREACH, -EAGAIN (no port).
   */
  send(
    sk: UdpSock,
    buffer: Uint8Array,
    length: number,
    flags: number,
    daddr: IpAddress | null,
    dport: number,
    cookie: SendCookie | null = null,
  ): number {
    const bound = this.autobind(sk);
    if (bound < 0) return bound;
    if (length > 0xffff) return -EMSGSIZE;
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (sk.cork !== null) return this.#append(sk, sk.cork, buffer, length, flags);
    if (daddr === null && sk.state !== TCP_ESTABLISHED) return -EDESTADDRREQ;
    if (daddr !== null && dport === 0) return -EINVAL;
    const device = cookie === null ? 0 : cookie.device;
    const route =
      device === sk.boundDevice || device === 0
        ? this.#routeFor(sk, daddr)
        : this.ip.routes.outputBound(daddr ?? sk.daddr, device, sk.extras?.dontRoute === true);
    if (route === null) return -ENETUNREACH;
    const isMulticast = route.destination.isMulticast;
    if (route.broadcast && !isMulticast && !sk.broadcast) return -EACCES;
    const { mtuDiscover } = sk;
    // ip_sk_use_pmtu: from PROBE on what was learnt of the path is not heeded.
    const mtu = mtuDiscover < IP_PMTUDISC_PROBE ? route.mtu : route.device.mtu;
    const destination = route.destination;
    if (this.#isTooLarge(sk, IP_HLEN + UDP_HLEN + length, mtu, destination)) return -EMSGSIZE;
    const pending = sk.takeError();
    if (pending !== 0) return pending;
    if ((sk.shutdown & SEND_SHUTDOWN) !== 0) return -EPIPE;
    const port = daddr === null ? sk.dport : dport;
    const zerocopies = asksZerocopy(sk, flags) ? 1 : 0;
    if (sk.corked || (flags & MSG_MORE) !== 0) {
      sk.cork = new Cork(route, port, mtu, cookie);
      sk.cork.append(buffer, length);
      sk.cork.zerocopies = zerocopies;
      if ((flags & MSG_CONFIRM) !== 0) route.confirm();
      return length;
    }
    const result = this.#transmit(sk, buffer, length, flags, route, port, mtu, cookie);
    // What was never put together tells of nothing (net_zcopy_put_abort).
    if (result !== -ENOBUFS) zerocopyDone(sk, zerocopies);
    return result;
  }

  /** Adds to what was begun, and sends it unless more is to come. One that grows too large is lost, all of it. */
  #append(sk: UdpSock, cork: Cork, buffer: Uint8Array, length: number, flags: number): number {
    const packet = IP_HLEN + UDP_HLEN + cork.length + length;
    if (this.#isTooLarge(sk, packet, cork.mtu, cork.route.destination)) {
      sk.cork = null;
      sk.wakeSpace();
      zerocopyDone(sk, cork.zerocopies);
      return -EMSGSIZE;
    }
    cork.append(buffer, length);
    if (length > 0 && asksZerocopy(sk, flags)) cork.zerocopies++;
    if (sk.corked || (flags & MSG_MORE) !== 0) return length;
    const result = this.#push(sk, cork, flags & ~MSG_CONFIRM);
    return result < 0 ? result : length;
  }

  /** Whether __ip_append_data refuses a packet of this length; then it says so in the error queue, too. */
  #isTooLarge(sk: UdpSock, length: number, mtu: number, destination: IpAddress): boolean {
    // ip_sk_ignore_df: whose may be cut up.
    const { mtuDiscover } = sk;
    const mayFragment = mtuDiscover < IP_PMTUDISC_DO || mtuDiscover === IP_PMTUDISC_OMIT;
    if (length <= (mayFragment ? IP_MAX_LENGTH : mtu)) return false;
    if (sk.extras !== null) queueTooLarge(sk, sk.extras, destination, mtu);
    return true;
  }

  /** udp_push_pending_frames */
  #push(sk: UdpSock, cork: Cork, flags: number): number {
    sk.cork = null;
    const { length, route, dport, mtu, cookie, zerocopies } = cork;
    const result = this.#transmit(sk, cork.bytes(), length, flags, route, dport, mtu, cookie);
    zerocopyDone(sk, zerocopies);
    return result;
  }

  /** UDP_CORK: taken off, it lets go what waits. */
  setCorked(sk: UdpSock, corked: boolean): void {
    sk.corked = corked;
    if (!corked && sk.cork !== null) this.#push(sk, sk.cork, 0);
  }

  #transmit(
    sk: UdpSock,
    buffer: Uint8Array,
    length: number,
    flags: number,
    route: Route,
    dport: number,
    mtu: number,
    cookie: SendCookie | null,
  ): number {
    const { mib, memory } = this.host;
    const total = length + UDP_HLEN;
    const chunk = memory.alloc(total);
    if (chunk === 0) {
      mib.count(UdpMib.SndbufErrors);
      return -ENOBUFS;
    }
    const at = memory.start[chunk];
    const { view } = memory;
    const own = sk.saddr.isAny ? route.source : sk.saddr;
    const src = cookie?.source ?? own;
    view.setUint16(at + UDP_SRC_PORT, sk.sport);
    view.setUint16(at + UDP_DST_PORT, dport);
    view.setUint16(at + UDP_LENGTH, total);
    view.setUint16(
      at + UDP_CHECKSUM,
      sk.noCheck ? 0 : pseudoHeader(src.a, route.destination.a, IPPROTO_UDP, total),
    );
    if (length > 0)
      memory.bytes.set(length === buffer.length ? buffer : buffer.subarray(0, length), at + UDP_HLEN);
    const wanted = cookie === null ? sk.ttl : cookie.ttl;
    const ttl = route.destination.isMulticast ? 1 : wanted === 0 ? route.hopLimit : wanted;
    const insists = sk.mtuDiscover === IP_PMTUDISC_DO || sk.mtuDiscover === IP_PMTUDISC_PROBE;
    const df = insists || (total + IP_HLEN <= route.mtu && route.dontFragment(sk.mtuDiscover));
    // Where its headers will stand; a claim is good until the frame is committed.
    const frame = sk.extras === null || this.ip.begin(route) < 0 ? 0 : route.device.frame;
    if ((flags & MSG_CONFIRM) !== 0) route.confirm();
    // sock_wfree: a device takes it out of the socket's hands (skb_orphan) before anybody hears it. An edge for EPOLLOUT.
    sk.wakeSpace();
    const result = this.ip.sendDatagram(
      route,
      src,
      route.destination,
      IPPROTO_UDP,
      at,
      total,
      UDP_HLEN,
      cookie === null ? sk.tos : cookie.tos,
      ttl,
      df,
      sk.noCheck ? -1 : UDP_CHECKSUM,
      mtu,
    );
    if (result === 0 && sk.extras !== null) {
      const tsflags = cookie === null ? sk.extras.tsflags : cookie.tsflags;
      reportSent(sk, sk.extras, tsflags, frame, at, total, route.device.index);
    }
    memory.free(chunk);
    if (result < 0 && result !== -ENOBUFS) return result;
    // A datagram lost to a full ring is lost as on any other hop: counted, and no error to the sender (udp_send_skb).
    mib.count(result === 0 ? UdpMib.OutDatagrams : UdpMib.SndbufErrors);
    return length;
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

  #routeFor(sk: UdpSock, daddr: IpAddress | null): Route | null {
    if (daddr !== null) return this.ip.routeOf(sk, daddr);
    if (sk.route === null || sk.route.obsolete) sk.route = this.ip.routeOf(sk, sk.daddr);
    return sk.route;
  }
}

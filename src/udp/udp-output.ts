// What UDP sends (net/ipv4/udp.c, from udp_sendmsg on): which route a datagram takes and whether it fits, what is put together by several
// sends (cork.ts), the headers, and on to IP. Under udp.ts, which knows ports and peers.

import type { Host } from '../core/host.js';
import { Udp as UdpMib } from '../core/mib.js';
import type { SendCookie } from '../core/send-cookie.js';
import { SEND_SHUTDOWN } from '../core/sock.js';
import type { Ip } from '../ip/ip.js';
import type { Route } from '../ip/routes.js';
import type { IpAddress } from '../packet/address.js';
import { pseudoHeader } from '../packet/checksum.js';
import { IP_HLEN, IP_MAX_LENGTH } from '../packet/ipv4.js';
import { UDP_CHECKSUM, UDP_DST_PORT, UDP_HLEN, UDP_LENGTH, UDP_SRC_PORT } from '../packet/udp.js';
import {
  EACCES,
  EDESTADDRREQ,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  ENOBUFS,
  EOPNOTSUPP,
  EPIPE,
} from '../uapi/errno.js';
import {
  IP_PMTUDISC_DO,
  IP_PMTUDISC_OMIT,
  IP_PMTUDISC_PROBE,
  IPPROTO_UDP,
  MSG_CONFIRM,
  MSG_MORE,
  MSG_OOB,
} from '../uapi/socket.js';
import { TCP_ESTABLISHED } from '../uapi/tcp.js';
import { Cork } from './cork.js';
import { asksZerocopy, queueTooLarge, reportSent, zerocopyDone } from './udp-errors.js';
import type { UdpSock } from './udp-sock.js';

export class UdpOutput {
  readonly host: Host;
  readonly ip: Ip;

  constructor(ip: Ip) {
    this.host = ip.host;
    this.ip = ip;
  }

  /**
   * udp_sendmsg, for a sock that has a port: one datagram, to `daddr`.`dport`, or to the connected peer if `daddr` is null; or more of the one
   * that was begun before, wherever that goes. Bytes sent (all), or a pending error, -EPIPE, -EMSGSIZE, -EDESTADDRREQ, -EINVAL (port 0),
   * -EACCES (broadcast), -ENETUNREACH.
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

  #routeFor(sk: UdpSock, daddr: IpAddress | null): Route | null {
    if (daddr !== null) return this.ip.routeOf(sk, daddr);
    if (sk.route === null || sk.route.obsolete) sk.route = this.ip.routeOf(sk, sk.daddr);
    return sk.route;
  }
}

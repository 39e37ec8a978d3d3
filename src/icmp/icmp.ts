// ICMP (RFC 792, net/ipv4/icmp.c): answers echo requests, tells transports of errors about what they sent, and tells
// senders what is wrong with what they sent us.

import type { Host } from '../core/host.js';
import { Icmp as IcmpMib } from '../core/mib.js';
import { dropped } from '../core/trace.js';
import type { Ip } from '../ip/ip.js';
import type { IcmpSender, IpProtocol } from '../ip/protocol.js';
import type { Route } from '../ip/routes.js';
import type { RxPacket } from '../ip/rx-packet.js';
import { RX_L4_BAD, RX_L4_OK } from '../link/link.js';
import { fillTransport, L4_BAD, verifyTransport } from '../packet/frame-checksum.js';
import {
  ICMP_ADDRESS,
  ICMP_ADDRESSREPLY,
  ICMP_CHECKSUM,
  ICMP_CODE,
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_EXC_FRAGTIME,
  ICMP_FRAG_NEEDED,
  ICMP_HLEN,
  ICMP_NEXT_HOP_MTU,
  ICMP_PARAMETERPROB,
  ICMP_REDIRECT,
  ICMP_REST,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  ICMP_TIMESTAMP,
  ICMP_TIMESTAMPREPLY,
  ICMP_TYPE,
  icmpErrorTos,
  icmpIsError,
} from '../packet/icmp.js';
import { IP_DST, IP_HLEN, IP_OFFSET_MASK, IP_PROTOCOL, IP_SRC, ipv4HeaderLength } from '../packet/ipv4.js';
import { IPPROTO_ICMP, IPPROTO_TCP } from '../uapi/socket.js';
import { icmpErrno, icmpFatal } from './errors.js';
import { IcmpRateLimit } from './rate-limit.js';

/** An error quotes as much of the packet as fits in this, its own headers included (RFC 1812 section 4.3.2.3). */
const ERROR_LENGTH = 576;
/** Types above are unknown (NR_ICMP_TYPES). */
const LAST_TYPE = 18;
/** Probes of other interfaces (RFC 8335) have no answer, as long as nobody asks for it (icmp_echo_enable_probe). */
const ICMP_EXT_ECHO = 42;
const ICMP_EXT_ECHOREPLY = 43;

export class Icmp implements IpProtocol, IcmpSender {
  readonly host: Host;
  readonly ip: Ip;
  readonly #limit: IcmpRateLimit;

  /** Takes its place in `ip`: receives protocol 1, and is who IP complains through. */
  constructor(ip: Ip) {
    this.host = ip.host;
    this.ip = ip;
    this.#limit = new IcmpRateLimit(ip.host);
    ip.register(IPPROTO_ICMP, this);
    ip.icmp = this;
  }

  /** icmp_rcv */
  receive(packet: RxPacket): void {
    const { mib, memory } = this.host;
    mib.count(IcmpMib.InMsgs);
    if ((packet.flags & RX_L4_BAD) !== 0) {
      dropped(this.host, 'ICMP_CSUM');
      mib.count(IcmpMib.InCsumErrors);
      mib.count(IcmpMib.InErrors);
      return;
    }
    const type =
      packet.length >= ICMP_HLEN ? memory.view.getUint8(packet.transport + ICMP_TYPE) : LAST_TYPE + 1;
    // To a broadcast address nothing is answered (icmp_echo_ignore_broadcasts) and nothing is believed.
    if (type === ICMP_EXT_ECHO || type === ICMP_EXT_ECHOREPLY) return;
    if (type > LAST_TYPE || (packet.broadcast && type !== ICMP_ECHO)) {
      dropped(this.host, type > LAST_TYPE ? 'UNHANDLED_PROTO' : 'INVALID_PROTO');
      mib.count(IcmpMib.InErrors);
      return;
    }
    switch (type) {
      case ICMP_ECHO:
        mib.count(IcmpMib.InEchos);
        if (!packet.broadcast && this.host.sysctl.icmpEchoIgnoreAll === 0) this.#echo(packet);
        return;
      case ICMP_ECHOREPLY:
        mib.count(IcmpMib.InEchoReps);
        return;
      case ICMP_DEST_UNREACH:
        mib.count(IcmpMib.InDestUnreachs);
        this.#unreach(packet, type);
        return;
      case ICMP_TIME_EXCEEDED:
        mib.count(IcmpMib.InTimeExcds);
        this.#unreach(packet, type);
        return;
      case ICMP_PARAMETERPROB:
        mib.count(IcmpMib.InParmProbs);
        this.#unreach(packet, type);
        return;
      case ICMP_SOURCE_QUENCH:
        mib.count(IcmpMib.InSrcQuenchs);
        this.#unreach(packet, type);
        return;
      case ICMP_REDIRECT:
        // Not followed: whoever shares our link could take our traffic with one (RFC 4949; accept_redirects = 0).
        mib.count(IcmpMib.InRedirects);
        return;
      case ICMP_TIMESTAMP:
        mib.count(IcmpMib.InTimestamps);
        return;
      case ICMP_TIMESTAMPREPLY:
        mib.count(IcmpMib.InTimestampReps);
        return;
      case ICMP_ADDRESS:
        mib.count(IcmpMib.InAddrMasks);
        return;
      case ICMP_ADDRESSREPLY:
        mib.count(IcmpMib.InAddrMaskReps);
        return;
    }
  }

  /** An ICMP error about an ICMP packet we sent: there is no socket to tell. */
  error(): void {}

  /** icmp_send: see IcmpSender. */
  send(packet: RxPacket, type: number, code: number, info: number): void {
    if (packet.broadcast || (packet.fragment & IP_OFFSET_MASK) !== 0) return;
    const { mib, memory } = this.host;
    if (packet.protocol === IPPROTO_ICMP) {
      if (packet.length < 1 || icmpIsError(memory.view.getUint8(packet.transport + ICMP_TYPE))) return;
    }
    const limited = IcmpRateLimit.limits(type) && !packet.loopback;
    if (limited && !this.#limit.globalAllows()) {
      mib.count(IcmpMib.OutRateLimitGlobal);
      return;
    }
    const route = this.ip.route(packet.src);
    if (route === null || route.broadcast) return;
    if (limited) {
      if (!this.#limit.destinationAllows(route)) {
        mib.count(IcmpMib.OutRateLimitHost);
        return;
      }
      this.#limit.consume();
    }
    // What the kernel vouched for may lack its checksum; quoted, it is a packet on the wire again.
    const { frame, frameLength, flags } = packet;
    if ((flags & RX_L4_OK) !== 0 && verifyTransport(memory.view, frame, frameLength) === L4_BAD) {
      fillTransport(memory.view, frame, frameLength);
    }
    const room = Math.min(route.mtu, ERROR_LENGTH) - IP_HLEN - ICMP_HLEN;
    const quoted = packet.networkLength < room ? packet.networkLength : room;
    const sent = this.#transmit(
      route,
      packet,
      icmpErrorTos(packet.tos),
      (type << 8) | code,
      info,
      packet.network,
      quoted,
    );
    if (!sent) return;
    if (type === ICMP_DEST_UNREACH) mib.count(IcmpMib.OutDestUnreachs);
    else if (type === ICMP_TIME_EXCEEDED) mib.count(IcmpMib.OutTimeExcds);
    else if (type === ICMP_PARAMETERPROB) mib.count(IcmpMib.OutParmProbs);
  }

  /** icmp_echo: the same bytes go back; a large reply in fragments of its own. */
  #echo(packet: RxPacket): void {
    const route = this.ip.route(packet.src);
    if (route === null || route.broadcast) return;
    const code = this.host.memory.view.getUint8(packet.transport + ICMP_CODE);
    const rest = this.host.memory.view.getInt32(packet.transport + ICMP_REST);
    const data = packet.transport + ICMP_HLEN;
    if (
      this.#transmit(
        route,
        packet,
        packet.tos,
        (ICMP_ECHOREPLY << 8) | code,
        rest,
        data,
        packet.length - ICMP_HLEN,
      )
    ) {
      this.host.mib.count(IcmpMib.OutEchoReps);
    }
  }

  /** Sends a message back to where `packet` came from, from where it went to. True if it is on its way. */
  #transmit(
    route: Route,
    packet: RxPacket,
    tos: number,
    typeCode: number,
    rest: number,
    data: number,
    length: number,
  ): boolean {
    const { mib, memory } = this.host;
    // The arena that the packet lies in is filled again before the NIC may have sent this: the data gets a chunk.
    const chunk = memory.alloc(ICMP_HLEN + length);
    if (chunk === 0) {
      mib.count(IcmpMib.OutErrors);
      return false;
    }
    const at = memory.start[chunk];
    memory.view.setInt32(at, typeCode << 16);
    memory.view.setInt32(at + ICMP_REST, rest);
    memory.bytes.copyWithin(at + ICMP_HLEN, data, data + length);
    mib.count(IcmpMib.OutMsgs);
    const result = this.ip.sendDatagram(
      route,
      packet.dst,
      packet.src,
      IPPROTO_ICMP,
      at,
      ICMP_HLEN + length,
      ICMP_HLEN,
      tos,
      route.hopLimit,
      false,
      ICMP_CHECKSUM,
    );
    memory.free(chunk);
    if (result < 0) mib.count(IcmpMib.OutErrors);
    return result >= 0;
  }

  /** icmp_unreach and icmp_socket_deliver: an error about a packet of ours, if it quotes enough of one to tell whose. */
  #unreach(packet: RxPacket, type: number): void {
    const view = this.host.memory.view;
    const code = view.getUint8(packet.transport + ICMP_CODE);
    const inner = (packet.transport + ICMP_HLEN) | 0;
    const quoted = (packet.length - ICMP_HLEN) | 0;
    const headerLength = quoted >= IP_HLEN ? ipv4HeaderLength(view, inner) : 0;
    if (
      headerLength < IP_HLEN ||
      view.getUint8(inner) >>> 4 !== 4 ||
      quoted < headerLength + 8 ||
      !this.ip.routes.isLocal(view.getInt32(inner + IP_SRC)) ||
      this.ip.routes.broadcastDevice(view.getInt32(inner + IP_DST)) !== null
    ) {
      this.host.mib.count(IcmpMib.InErrors);
      return;
    }
    const errno = icmpErrno(type, code);
    // That a reassembly timed out somewhere means nothing to whoever sent the fragments.
    if (
      (errno === 0 && type !== ICMP_SOURCE_QUENCH) ||
      (type === ICMP_TIME_EXCEEDED && code === ICMP_EXC_FRAGTIME)
    )
      return;
    let info = 0;
    if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) {
      // ip_no_pmtu_disc: 1 believes that something is too large, not how large it may be; 2 nothing; 3 only protocols that
      // check what is quoted, as TCP does.
      const { ipNoPmtuDisc } = this.host.sysctl;
      const checked = view.getUint8(inner + IP_PROTOCOL) === IPPROTO_TCP;
      if (ipNoPmtuDisc === 2 || (ipNoPmtuDisc === 3 && !checked)) return;
      if (ipNoPmtuDisc !== 1) info = view.getUint16(packet.transport + ICMP_NEXT_HOP_MTU);
    }
    const { complaint } = this.ip;
    complaint.from = packet.src;
    complaint.to = packet.dst;
    complaint.device = packet.device;
    complaint.ttl = packet.ttl;
    complaint.tos = packet.tos;
    complaint.end = (packet.transport + packet.length) | 0;
    this.ip.error(inner, errno, icmpFatal(type, code), type, code, info);
  }
}

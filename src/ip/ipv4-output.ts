// IPv4 on its way out (ip_output.c): the header in front of what a transport wrote into the claimed slot, the Ethernet header
// in front of that, and fragments of datagrams that are too large for the path.

import type { Host } from '../core/host.js';
import { Ip as IpMib, LinkMib } from '../core/mib.js';
import { dropped } from '../core/trace.js';
import { TX_GSO_TCP4, TX_IPV4_CSUM } from '../link/tx-ring.js';
import type { IpAddress } from '../packet/address.js';
import { addRange, complement } from '../packet/checksum.js';
import { ETH_DST, ETH_HLEN, ETH_P_IP, ETH_SRC, ETH_TYPE, writeMac } from '../packet/ethernet.js';
import { IP_DF, IP_HLEN, IP_MAX_LENGTH, IP_MF, writeIpv4 } from '../packet/ipv4.js';
import { EMSGSIZE, ENETDOWN, ENOBUFS } from '../uapi/errno.js';
import { IPPROTO_UDP } from '../uapi/socket.js';
import type { NetDevice } from './device.js';
import type { Neighbour } from './neighbour.js';
import type { Route } from './routes.js';

/** The device's own queue is full (linux/netdevice.h). */
export const NET_XMIT_DROP = 1;

/**
 * In the place of flags of a GSO frame, for a packet that is none and is sent by no connected socket: an identification of 0, if it
 * may not be fragmented (ip_select_ident, RFC 6864).
 */
export const TX_NO_ID = 1 << 30;

/** Where the transport header stands in a frame. */
const TRANSPORT = ETH_HLEN + IP_HLEN;

export class Ipv4Output {
  readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  /** Claims a transmit slot: where the transport header goes, or -1 when the ring is full (counted). */
  begin(route: Route): number {
    const device = route.device;
    const frame = device.tx.claim();
    if (frame < 0) {
      dropped(this.host, 'FULL_RING');
      this.host.mib.count(LinkMib.TxDropped);
      return -1;
    }
    device.frame = frame;
    return (frame + TRANSPORT) | 0;
  }

  /** Completes and commits the claimed slot; see `Ip.send`. */
  send(
    route: Route,
    src: IpAddress,
    dst: IpAddress,
    protocol: number,
    headerLength: number,
    payloadLength: number,
    tos: number,
    ttl: number,
    df: boolean,
    csumOffset: number,
    gsoSize: number,
    gsoFlags: number,
  ): number {
    const total = (IP_HLEN + headerLength + payloadLength) | 0;
    if (total > (gsoSize === 0 ? route.mtu : IP_MAX_LENGTH)) {
      dropped(this.host, 'PKT_TOO_BIG');
      this.host.mib.count(IpMib.FragFails);
      return -EMSGSIZE;
    }
    return this.#emit(
      route,
      src,
      dst,
      protocol,
      headerLength,
      payloadLength,
      tos,
      ttl,
      df,
      csumOffset,
      gsoSize,
      gsoFlags,
    );
  }

  #emit(
    route: Route,
    src: IpAddress,
    dst: IpAddress,
    protocol: number,
    headerLength: number,
    payloadLength: number,
    tos: number,
    ttl: number,
    df: boolean,
    csumOffset: number,
    gsoSize: number,
    gsoFlags: number,
  ): number {
    const total = (IP_HLEN + headerLength + payloadLength) | 0;
    this.host.mib.count(IpMib.OutRequests);
    let id = 0;
    if ((gsoFlags & TX_NO_ID) === 0 || !df) {
      id = route.ipId;
      // Each segment that a GSO frame is cut into takes an id of its own.
      route.ipId = (id + (gsoSize === 0 ? 1 : Math.ceil(payloadLength / gsoSize))) & 0xffff;
    }
    const device = route.device;
    const { view } = this.host.memory;
    const { frame } = device;
    const hops = ttl === 0 ? route.hopLimit : ttl;
    writeIpv4(view, frame + ETH_HLEN, total, tos, id, df ? IP_DF : 0, hops, protocol, src.a, dst.a);
    let flags = TX_IPV4_CSUM;
    if (gsoSize !== 0) flags |= TX_GSO_TCP4 | gsoFlags;
    return csumOffset < 0
      ? this.#transmit(route, (TRANSPORT + headerLength) | 0, payloadLength, 0, 0, gsoSize, flags)
      : this.#transmit(
          route,
          (TRANSPORT + headerLength) | 0,
          payloadLength,
          TRANSPORT,
          csumOffset,
          gsoSize,
          flags,
        );
  }

  /**
   * Sends a datagram that lies whole in packet memory, its transport header first, by reference; in fragments if `df` is
   * false and `mtu` asks for them. The caller frees the memory straight away: the ring's grace period protects it.
   * The checksum field holds the folded pseudo-header sum. 0 or -errno.
   */
  sendDatagram(
    route: Route,
    src: IpAddress,
    dst: IpAddress,
    protocol: number,
    offset: number,
    length: number,
    headerLength: number,
    tos: number,
    ttl: number,
    df: boolean,
    csumOffset: number,
    mtu: number,
  ): number {
    const memory = this.host.memory;
    if (IP_HLEN + length <= mtu) {
      const at = this.begin(route);
      if (at < 0) return -ENOBUFS;
      memory.bytes.copyWithin(at, offset, offset + headerLength);
      if (length > headerLength) route.device.tx.piece(offset + headerLength, length - headerLength);
      return this.#emit(
        route,
        src,
        dst,
        protocol,
        headerLength,
        length - headerLength,
        tos,
        ttl,
        df,
        csumOffset,
        0,
        0,
      );
    }
    const mib = this.host.mib;
    if (df || IP_HLEN + length > IP_MAX_LENGTH) {
      dropped(this.host, 'PKT_TOO_BIG');
      mib.count(IpMib.FragFails);
      return -EMSGSIZE;
    }
    if (csumOffset >= 0) {
      // No NIC can sum over several frames: the checksum is completed here.
      const sum = complement(addRange(memory.view, offset, length, 0));
      memory.view.setUint16(offset + csumOffset, sum === 0 && protocol === IPPROTO_UDP ? 0xffff : sum);
    }
    const most = (mtu - IP_HLEN) & ~7;
    const id = route.ipId;
    route.ipId = (id + 1) & 0xffff;
    mib.count(IpMib.OutRequests);
    for (let done = 0; done < length; done += most) {
      const part = length - done < most ? length - done : most;
      const at = this.begin(route);
      if (at < 0) {
        mib.count(IpMib.FragFails);
        return -ENOBUFS;
      }
      const fragment = (done >> 3) | (done + part < length ? IP_MF : 0);
      writeIpv4(memory.view, at - IP_HLEN, IP_HLEN + part, tos, id, fragment, ttl, protocol, src.a, dst.a);
      route.device.tx.piece(offset + done, part);
      const result = this.#transmit(route, TRANSPORT, part, 0, 0, 0, TX_IPV4_CSUM);
      if (result < 0) {
        mib.count(IpMib.FragFails);
        return result;
      }
      mib.count(IpMib.FragCreates);
    }
    mib.count(IpMib.FragOKs);
    return 0;
  }

  /** Ethernet header, then the ring; or the queue of a neighbour whose address is not known yet. */
  #transmit(
    route: Route,
    headerLength: number,
    payloadLength: number,
    csumStart: number,
    csumOffset: number,
    gsoSize: number,
    flags: number,
  ): number {
    const device = route.device;
    const mib = this.host.mib;
    const frame = device.frame;
    if (!device.up) {
      dropped(this.host, 'DEV_READY');
      mib.count(LinkMib.TxDropped);
      return -ENETDOWN;
    }
    const view = this.host.memory.view;
    view.setUint16(frame + ETH_TYPE, ETH_P_IP);
    writeMac(view, frame + ETH_SRC, device.macHigh, device.macLow);
    if (device.loopback) {
      writeMac(view, frame + ETH_DST, device.macHigh, device.macLow);
    } else if (route.broadcast) {
      writeGroupMac(view, frame + ETH_DST, route.destination.a);
    } else {
      let neighbour = route.neighbour;
      if (neighbour === null || neighbour.dead) {
        neighbour = this.#neighbour(device, route);
        if (neighbour === null) return -ENOBUFS;
      }
      if (route.confirmPending) {
        route.confirmPending = false;
        neighbour.confirmed = this.host.nowMs;
      }
      if (!neighbour.readyToSend()) {
        neighbour.table.enqueue(
          neighbour,
          headerLength,
          payloadLength,
          csumStart,
          csumOffset,
          gsoSize,
          flags,
        );
        neighbour.resolve();
        return 0;
      }
      writeMac(view, frame + ETH_DST, neighbour.macHigh, neighbour.macLow);
    }
    if (device.tx.pending >= device.queueLimit) {
      dropped(this.host, 'QDISC_DROP');
      mib.count(LinkMib.TxDropped);
      return NET_XMIT_DROP;
    }
    mib.count(LinkMib.TxFrames);
    mib.add(LinkMib.TxBytes, headerLength + payloadLength);
    device.tx.commit(frame, headerLength, csumStart, csumOffset, gsoSize, flags);
    return 0;
  }

  #neighbour(device: NetDevice, route: Route): Neighbour | null {
    const neighbour = device.neighbours === null ? null : device.neighbours.lookupOrCreate(route.nextHop);
    route.neighbour = neighbour;
    if (neighbour === null) {
      dropped(this.host, 'NEIGH_CREATEFAIL');
      this.host.mib.count(IpMib.OutDiscards);
    }
    return neighbour;
  }
}

/** Broadcast to everybody; multicast to the group's Ethernet address (RFC 1112 section 6.4). */
function writeGroupMac(view: DataView, at: number, destination: number): void {
  if (destination >>> 28 === 14 && destination !== -1) {
    writeMac(view, at, 0x0100, 0x5e000000 | (destination & 0x7fffff));
  } else {
    writeMac(view, at, 0xffff, -1);
  }
}

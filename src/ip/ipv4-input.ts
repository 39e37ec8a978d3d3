// IPv4 on its way in (ip_rcv, ip_route_input, ip_local_deliver): checks a frame's IP header, decides whether it is for us,
// puts fragments together and hands whole datagrams to their transport. Malformed packets are counted and dropped.

import type { DropReason } from '../core/drop-reason.js';
import type { Host } from '../core/host.js';
import { IpExt, Ip as IpMib } from '../core/mib.js';
import { dropped } from '../core/trace.js';
import { RX_IP_BAD, RX_L4_BAD, RX_L4_OK } from '../link/link.js';
import { addRange, pseudoHeader } from '../packet/checksum.js';
import { ETH_HLEN, macIsGroup } from '../packet/ethernet.js';
import { ICMP_DEST_UNREACH, ICMP_PARAMETERPROB, ICMP_PROT_UNREACH } from '../packet/icmp.js';
import {
  IP_DST,
  IP_FRAGMENT,
  IP_HLEN,
  IP_MF,
  IP_OFFSET_MASK,
  IP_PROTOCOL,
  IP_SRC,
  IP_TOS_FIELD,
  IP_TOTAL_LENGTH,
  IP_TTL_FIELD,
} from '../packet/ipv4.js';
import { UDP_CHECKSUM, UDP_HLEN, UDP_LENGTH } from '../packet/udp.js';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../uapi/socket.js';
import type { NetDevice } from './device.js';
import type { Reassembler } from './fragments.js';
import { checkOptions, OPTIONS_OK, OPTIONS_SOURCE_ROUTE } from './ip-options.js';
import type { IcmpSender, IpProtocol } from './protocol.js';
import type { RoutingTable } from './routes.js';
import type { RxPacket } from './rx-packet.js';

export class Ipv4Input {
  readonly host: Host;
  readonly packet: RxPacket;
  readonly #routes: RoutingTable;
  readonly #fragments: Reassembler;
  readonly #protocols: (IpProtocol | null)[] = new Array<IpProtocol | null>(256).fill(null);
  icmp: IcmpSender | null = null;

  constructor(host: Host, packet: RxPacket, routes: RoutingTable, fragments: Reassembler) {
    this.host = host;
    this.packet = packet;
    this.#routes = routes;
    this.#fragments = fragments;
  }

  register(protocol: number, handler: IpProtocol): void {
    this.#protocols[protocol] = handler;
  }

  protocol(protocol: number): IpProtocol | null {
    return this.#protocols[protocol];
  }

  /** ip_rcv: a frame of type IPv4, whose Ethernet header is at `frame`. */
  receive(device: NetDevice, frame: number, frameLength: number, flags: number, gsoSize: number): void {
    const mib = this.host.mib;
    const view = this.host.memory.view;
    const ip = (frame + ETH_HLEN) | 0;
    const available = (frameLength - ETH_HLEN) | 0;
    mib.count(IpMib.InReceives);
    if (available < IP_HLEN) {
      dropped(this.host, 'PKT_TOO_SMALL');
      mib.count(IpMib.InHdrErrors);
      return;
    }
    const versionIhl = view.getUint8(ip);
    const headerLength = (versionIhl & 15) << 2;
    const total = view.getUint16(ip + IP_TOTAL_LENGTH);
    // A shorter IP length than the frame's is padding to Ethernet's minimum; a longer one is a truncated packet.
    if (
      versionIhl >>> 4 !== 4 ||
      headerLength < IP_HLEN ||
      total > available ||
      total < headerLength ||
      (flags & RX_IP_BAD) !== 0
    ) {
      this.#refuse(ip, headerLength, total, available, (flags & RX_IP_BAD) !== 0);
      return;
    }
    const packet = this.packet;
    packet.frame = frame;
    packet.frameLength = frameLength;
    packet.flags = flags;
    packet.gsoSize = gsoSize;
    packet.network = ip;
    packet.networkLength = total;
    packet.transport = (ip + headerLength) | 0;
    packet.length = (total - headerLength) | 0;
    packet.protocol = view.getUint8(ip + IP_PROTOCOL);
    packet.tos = view.getUint8(ip + IP_TOS_FIELD);
    mib.count(IpExt.InNoECTPkts + (packet.tos & 3));
    packet.ttl = view.getUint8(ip + IP_TTL_FIELD);
    packet.fragment = view.getUint16(ip + IP_FRAGMENT);
    packet.device = device.index;
    packet.loopback = device.loopback;
    packet.broadcast = macIsGroup(view.getUint16(frame));
    packet.src.a = view.getInt32(ip + IP_SRC);
    packet.dst.a = view.getInt32(ip + IP_DST);
    const misdirected = this.#misdirected(device);
    if (misdirected !== null) {
      dropped(this.host, misdirected);
      mib.count(IpMib.InAddrErrors);
      return;
    }
    if (headerLength !== IP_HLEN && !this.#optionsAcceptable(headerLength)) {
      dropped(this.host, 'IP_INHDR');
      return;
    }
    if ((packet.fragment & (IP_MF | IP_OFFSET_MASK)) === 0) this.deliver();
    else if (this.#fragments.add(packet)) {
      this.deliver();
      this.#fragments.release();
    }
  }

  /** What is wrong with a header, in the order in which ip_rcv_core looks. */
  #refuse(ip: number, headerLength: number, total: number, available: number, spoilt: boolean): void {
    const { mib, memory } = this.host;
    let reason: DropReason = 'IP_INHDR';
    if (memory.view.getUint8(ip) >>> 4 === 4 && headerLength >= IP_HLEN) {
      mib.count(IpExt.InNoECTPkts + (memory.view.getUint8(ip + IP_TOS_FIELD) & 3));
      if (headerLength <= available && spoilt) {
        mib.count(IpExt.InCsumErrors);
        reason = 'IP_CSUM';
      } else if (headerLength <= available && total > available) {
        mib.count(IpExt.InTruncatedPkts);
        dropped(this.host, 'PKT_TOO_SMALL');
        return;
      }
    }
    mib.count(IpMib.InHdrErrors);
    dropped(this.host, reason);
  }

  /** ip_route_input_slow: is the destination ours, and the source one that may send to us? Null: yes. */
  #misdirected(device: NetDevice): DropReason | null {
    const packet = this.packet;
    const src = packet.src.a;
    const dst = packet.dst.a;
    const routes = this.#routes;
    if (src >>> 28 >= 14 && (src >>> 28 === 14 || src === -1)) return 'IP_INVALID_SOURCE';
    if (dst === -1) {
      packet.broadcast = true;
      // Only who has no address yet may send from none (DHCP).
      if (device.loopback) return 'IP_INVALID_SOURCE';
      return src === 0 ? null : this.#martian(device, src);
    }
    if (dst === device.broadcast && dst !== 0) packet.broadcast = true;
    else if (dst !== device.address.a && !routes.isLocal(dst)) return 'IP_INADDRERRORS';
    if (!device.loopback && (dst >>> 24 === 127 || src >>> 24 === 127)) return 'IP_LOCALNET';
    return this.#martian(device, src);
  }

  /** fib_validate_source: addresses that no station on a real link can have. Over lo only our own may come. */
  #martian(device: NetDevice, src: number): DropReason | null {
    const routes = this.#routes;
    if (device.loopback) return routes.isLocal(src) ? null : 'IP_INVALID_SOURCE';
    if (routes.isLocal(src)) return 'IP_LOCAL_SOURCE';
    return src >>> 24 === 0 || routes.broadcastDevice(src) !== null ? 'IP_INVALID_SOURCE' : null;
  }

  /** ip_rcv_options */
  #optionsAcceptable(headerLength: number): boolean {
    const { network } = this.packet;
    const wrong = checkOptions(this.host.memory.view, network, headerLength);
    if (wrong === OPTIONS_OK) return true;
    if (wrong !== OPTIONS_SOURCE_ROUTE) {
      this.host.mib.count(IpMib.InHdrErrors);
      this.icmp?.send(this.packet, ICMP_PARAMETERPROB, 0, wrong << 24);
    }
    return false;
  }

  /** ip_local_deliver_finish: `packet` is a whole datagram for us. */
  deliver(): void {
    const packet = this.packet;
    const handler = this.#protocols[packet.protocol];
    if (handler === null) {
      dropped(this.host, 'IP_NOPROTO');
      this.host.mib.count(IpMib.InUnknownProtos);
      this.icmp?.send(packet, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
      return;
    }
    if ((packet.flags & (RX_L4_OK | RX_L4_BAD)) === 0) packet.flags |= this.#verify();
    this.host.mib.count(IpMib.InDelivers);
    handler.receive(packet);
  }

  /** What no NIC has verified (a reassembled datagram, a link without checksums) is verified here. */
  #verify(): number {
    const packet = this.packet;
    const view = this.host.memory.view;
    let length = packet.length;
    let sum = 0;
    switch (packet.protocol) {
      case IPPROTO_UDP:
        if (length < UDP_HLEN || view.getUint16(packet.transport + UDP_CHECKSUM) === 0) return RX_L4_OK;
        if (view.getUint16(packet.transport + UDP_LENGTH) <= length)
          length = view.getUint16(packet.transport + UDP_LENGTH);
        sum = pseudoHeader(packet.src.a, packet.dst.a, IPPROTO_UDP, length);
        break;
      case IPPROTO_TCP:
        sum = pseudoHeader(packet.src.a, packet.dst.a, IPPROTO_TCP, length);
        break;
      case IPPROTO_ICMP:
        break;
      default:
        return RX_L4_OK;
    }
    return addRange(view, packet.transport, length, sum) === 0xffff ? RX_L4_OK : RX_L4_BAD;
  }
}

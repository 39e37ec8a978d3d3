// The network layer as the transports and the stack see it: interfaces, routes, sending, and the entrance of every frame.
// One per stack. It is the receiver of each link: a batch of frames comes in at `receiveBatch` and ends in the transports.

import type { Host } from '../core/host.js';
import { LinkMib } from '../core/mib.js';
import type { Sock } from '../core/sock.js';
import { dropped } from '../core/trace.js';
import {
  type Link,
  type LinkReceiver,
  RX_FLAGS,
  RX_GSO_SIZE,
  RX_LENGTH,
  RX_OFFSET,
  RX_WORDS,
} from '../link/link.js';
import { LoopbackLink } from '../link/loopback.js';
import { ANY_V4, IpAddress, LOOPBACK_V4 } from '../packet/address.js';
import { pseudoHeader } from '../packet/checksum.js';
import { ETH_DST, ETH_HLEN, ETH_P_ARP, ETH_P_IP, ETH_TYPE, macIsGroup, macLow } from '../packet/ethernet.js';
import { ICMP_DEST_UNREACH, ICMP_HLEN, ICMP_HOST_UNREACH, icmpErrorTos } from '../packet/icmp.js';
import {
  IP_DST,
  IP_FRAGMENT,
  IP_HLEN,
  IP_OFFSET_MASK,
  IP_PROTOCOL,
  IP_SRC,
  IP_TOS_FIELD,
  ipv4HeaderLength,
} from '../packet/ipv4.js';
import { EHOSTUNREACH, EINVAL } from '../uapi/errno.js';
import { AF_INET } from '../uapi/socket.js';
import { Arp } from './arp.js';
import { NetDevice } from './device.js';
import { Reassembler } from './fragments.js';
import { Ipv4Input } from './ipv4-input.js';
import { Ipv4Output } from './ipv4-output.js';
import { NeighbourTable, type UnreachableListener } from './neighbour-table.js';
import type { PacketTaps } from './packet-taps.js';
import type { IcmpSender, IpProtocol } from './protocol.js';
import type { RouteMetrics } from './route-metrics.js';
import { type Route, RoutingTable } from './routes.js';
import { RxPacket } from './rx-packet.js';

/** How much of a packet an ICMP error quotes (RFC 1812 section 4.3.2.3). */
const MAX_QUOTE = 576 - IP_HLEN - ICMP_HLEN;

export class Ip implements LinkReceiver, UnreachableListener {
  readonly host: Host;
  /** The packet being received. */
  readonly packet = new RxPacket();
  readonly routes: RoutingTable;
  readonly fragments: Reassembler;
  /** The loopback interface, there in every stack. */
  readonly lo: NetDevice;
  /** Who looks at every frame (ptype_all); null, as nearly always: nobody. */
  taps: PacketTaps | null = null;
  /** The error that `error` is about to hand on: who complained, to which address of ours, and where the quote ends. */
  readonly complaint = { from: ANY_V4, to: ANY_V4, device: 0, ttl: 0, tos: 0, end: 0 };
  /** Told when a link is gone. */
  onLinkDown: (device: NetDevice, error: Error) => void = () => {};

  readonly #loopback: LoopbackLink;
  readonly #input: Ipv4Input;
  readonly #output: Ipv4Output;
  readonly #arp: Arp;
  /** Addresses of a packet that an ICMP error quotes. */
  readonly #quoted = new RxPacket();

  constructor(host: Host) {
    this.host = host;
    this.routes = new RoutingTable(host);
    this.fragments = new Reassembler(host, this.packet);
    this.#input = new Ipv4Input(host, this.packet, this.routes, this.fragments);
    this.#output = new Ipv4Output(host);
    this.#arp = new Arp(host, this.routes);
    this.#loopback = new LoopbackLink(host);
    this.#loopback.attach(this, host.memory);
    this.lo = new NetDevice(1, this.#loopback, LOOPBACK_V4, 8);
    this.routes.addDevice(this.lo);
    // A run of timers is a softirq: what timers send over lo is received when they are done, not inside them.
    // After a program has kept the loop busy, what was waited for may have come long ago: no timeout before that is looked at.
    let received = false;
    host.wheel.onWake = () => {
      for (const device of this.routes.devices) {
        if (!device.up || device.link.takeIn?.() !== true) continue;
        device.link.requestFlush();
        received = true;
      }
    };
    const { onRunStart, onRunEnd } = host.wheel;
    host.wheel.onRunStart = () => {
      this.#loopback.hold();
      onRunStart();
    };
    host.wheel.onRunEnd = () => {
      // Answers may carry what was put off: the programs that were woken come first, and the link flushes after them.
      if (!received) onRunEnd();
      received = false;
      this.#loopback.release();
    };
  }

  /** Hands packets of `protocol` to `handler`, and ICMP errors about packets we sent with it. */
  register(protocol: number, handler: IpProtocol): void {
    this.#input.register(protocol, handler);
  }

  /** ICMP, which IP asks to complain about packets. */
  set icmp(icmp: IcmpSender) {
    this.#input.icmp = icmp;
    this.fragments.icmp = icmp;
  }

  /** icmp_send about the packet being received; nothing where no ICMP is registered. */
  complain(type: number, code: number, info: number): void {
    this.#input.icmp?.send(this.packet, type, code, info);
  }

  /** Attaches a link and gives it an address: the interface, whose subnet is routed from now on. */
  addInterface(link: Link, address: IpAddress, prefix: number): NetDevice {
    if (!Number.isInteger(prefix) || prefix < 0 || prefix > 32) {
      throw new RangeError(`the prefix length of ${address}/${prefix} must be a whole number from 0 to 32`);
    }
    if (address.isAny || address.isMulticast || address.isLimitedBroadcast || this.isLocal(address)) {
      throw new RangeError(
        `${address} cannot be the address of interface ${link.name}: it must be a free unicast address`,
      );
    }
    if (link.mtu < 68 || link.mtu > 65536) {
      throw new RangeError(`the MTU of ${link.name} is ${link.mtu}; IPv4 needs 68 to 65535 bytes (RFC 791)`);
    }
    link.attach(this, this.host.memory);
    const device = new NetDevice(this.routes.devices.length + 1, link, address.clone(), prefix);
    device.neighbours = new NeighbourTable(this.host, device, this.#arp, this);
    this.routes.addDevice(device);
    return device;
  }

  /** Adds a route: 0, -EINVAL, or -ENETUNREACH where no interface reaches the gateway. 0.0.0.0/0 is the default route. */
  addRoute(network: IpAddress, prefix: number, gateway: IpAddress, metrics?: RouteMetrics): number {
    return this.routes.add(network, prefix, gateway, metrics);
  }

  /** Adds a static neighbour; `mac` has 6 bytes. 0 or -EINVAL. */
  addNeighbour(device: NetDevice, address: IpAddress, mac: Uint8Array): number {
    const neighbour = mac.length === 6 ? device.neighbours?.lookupOrCreate(address.a) : null;
    if (neighbour === null || neighbour === undefined) return -EINVAL;
    const view = new DataView(mac.buffer, mac.byteOffset, 6);
    neighbour.makePermanent(view.getUint16(0), macLow(view, 0));
    return 0;
  }

  /** One of our addresses, 127.0.0.0/8 included. */
  isLocal(address: IpAddress): boolean {
    return this.routes.isLocal(address.a);
  }

  /** The broadcast address of one of our subnets, or 255.255.255.255. */
  isBroadcast(address: IpAddress): boolean {
    return address.isLimitedBroadcast || this.routes.broadcastDevice(address.a) !== null;
  }

  /** Our address on the interface with this index; null if there is none. */
  addressOnDevice(index: number): IpAddress | null {
    return this.routes.devices[index - 1]?.address ?? null;
  }

  /** Index of the interface of this name; -1: there is none. */
  deviceIndex(name: string): number {
    return this.routes.devices.find((device) => device.name === name)?.index ?? -1;
  }

  /** Name of the interface of this index; '' if there is none. */
  deviceName(index: number): string {
    return this.routes.devices[index - 1]?.name ?? '';
  }

  /** ip_route_output: the way to `destination`; null where none leads (ENETUNREACH). */
  route(destination: IpAddress): Route | null {
    return this.routes.output(destination);
  }

  /** The same for a sock, which may be bound to an interface or keep off gateways. */
  routeOf(sk: Sock, wanted: IpAddress): Route | null {
    const destination = wanted.isAny ? this.#self(sk) : wanted;
    const onLink = sk.extras?.dontRoute === true;
    return sk.boundDevice === 0 && !onLink
      ? this.routes.output(destination)
      : this.routes.outputBound(destination, sk.boundDevice, onLink);
  }

  /** Whom a sock means that names nobody (ip_route_output_key_hash_rcu): itself, by the address that it has, or would have. */
  #self(sk: Sock): IpAddress {
    if (!sk.saddr.isAny) return sk.saddr;
    const own = sk.boundDevice === 0 ? LOOPBACK_V4 : this.routes.devices[sk.boundDevice - 1].address;
    return own.isAny ? LOOPBACK_V4 : own;
  }

  /** Claims a transmit slot: the offset at which the transport header goes (60 bytes), or -1 when the ring is full. */
  begin(route: Route): number {
    return this.#output.begin(route);
  }

  /** Folded sum of the pseudo-header of either family, for the checksum field of a segment of `length` bytes. */
  pseudoSum(src: IpAddress, dst: IpAddress, protocol: number, length: number): number {
    return pseudoHeader(src.a, dst.a, protocol, length);
  }

  /**
   * Writes the IPv4 and Ethernet headers of the claimed slot and commits it; `ttl` 0 is the default. The transport's checksum
   * field holds the folded pseudo-header sum (`csumOffset` < 0: no checksum wanted). `gsoFlags`: 0, TX_ECN or TX_ACCECN. Frames for a neighbour not known yet wait.
   * 0; NET_XMIT_DROP (1) when the device's own queue is full; -EMSGSIZE when it is too large for the path, -ENETDOWN, -ENOBUFS.
   */
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
    return this.#output.send(
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

  /** Sends a whole datagram out of packet memory, in fragments if it must be and may; see Ipv4Output.sendDatagram. */
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
    mtu: number = route.mtu,
  ): number {
    return this.#output.sendDatagram(
      route,
      src,
      dst,
      protocol,
      offset,
      length,
      headerLength,
      tos,
      ttl,
      df,
      csumOffset,
      mtu,
    );
  }

  receiveBatch(link: Link, descriptors: Int32Array, count: number): void {
    const device = this.#deviceOf(link);
    this.host.refresh();
    if (device === null) return;
    const runsPrograms = link.runsPrograms === true;
    if (runsPrograms) this.host.inBatch = true;
    if (this.taps !== null) this.taps.received(device, descriptors, count);
    this.#loopback.hold();
    for (let i = 0, at = 0; i < count; i++, at += RX_WORDS) {
      this.#frame(
        device,
        descriptors[at + RX_OFFSET],
        descriptors[at + RX_LENGTH],
        descriptors[at + RX_FLAGS],
        descriptors[at + RX_GSO_SIZE],
      );
    }
    this.#loopback.release();
    if (runsPrograms) this.host.batchDone();
  }

  flushDeferred(): void {
    this.host.refresh();
    this.#loopback.hold();
    this.host.flush();
    this.#loopback.release();
  }

  linkDown(link: Link, error: Error): void {
    const device = this.#deviceOf(link);
    if (device === null || !device.up) return;
    this.routes.downDevice(device);
    device.neighbours?.clear();
    this.onLinkDown(device, error);
  }

  /** Forgets neighbours and fragments, so that no timer and no chunk of theirs is left. */
  close(): void {
    for (const device of this.routes.devices) device.neighbours?.clear();
    this.fragments.clear();
  }

  /** icmp_unreach's last step: an error about a packet whose IP header is quoted at `network` reaches its transport. */
  error(network: number, errno: number, fatal: boolean, type: number, code: number, info: number): void {
    const view = this.host.memory.view;
    const handler = this.#input.protocol(view.getUint8(network + IP_PROTOCOL));
    if (handler === null) return;
    const quoted = this.#quoted;
    quoted.src.a = view.getInt32(network + IP_SRC);
    quoted.dst.a = view.getInt32(network + IP_DST);
    handler.error(
      quoted.src,
      quoted.dst,
      network + ipv4HeaderLength(view, network),
      errno,
      fatal,
      type,
      code,
      info,
    );
  }

  /** ipv4_link_failure: ARP got no answer, so the sender learns what a router would have told it. */
  neighbourUnreachable(frame: number, length: number): void {
    const network = (frame + ETH_HLEN) | 0;
    if ((this.host.memory.view.getUint16(network + IP_FRAGMENT) & IP_OFFSET_MASK) !== 0) return;
    const { complaint } = this;
    complaint.from = new IpAddress(AF_INET, this.host.memory.view.getInt32(network + IP_SRC));
    complaint.to = complaint.from;
    complaint.device = this.lo.index;
    complaint.ttl = this.host.sysctl.ipDefaultTtl;
    complaint.tos = icmpErrorTos(this.host.memory.view.getUint8(network + IP_TOS_FIELD));
    complaint.end = (frame + Math.min(length, ETH_HLEN + MAX_QUOTE)) | 0;
    this.error(network, EHOSTUNREACH, false, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
  }

  #deviceOf(link: Link): NetDevice | null {
    const devices = this.routes.devices;
    for (let i = 0; i < devices.length; i++) if (devices[i].link === link) return devices[i];
    return null;
  }

  /** eth_type_trans and the hand-over to the protocol: only what is addressed to us goes on. */
  #frame(device: NetDevice, frame: number, length: number, flags: number, gsoSize: number): void {
    const mib = this.host.mib;
    mib.count(LinkMib.RxFrames);
    mib.add(LinkMib.RxBytes, length);
    if (length < ETH_HLEN) {
      dropped(this.host, 'PKT_TOO_SMALL');
      mib.count(LinkMib.RxDropped);
      return;
    }
    const view = this.host.memory.view;
    const high = view.getUint16(frame + ETH_DST);
    if ((high !== device.macHigh || macLow(view, frame + ETH_DST) !== device.macLow) && !macIsGroup(high)) {
      dropped(this.host, 'OTHERHOST');
      mib.count(LinkMib.RxDropped);
      return;
    }
    const type = view.getUint16(frame + ETH_TYPE);
    if (type === ETH_P_IP) this.#input.receive(device, frame, length, flags, gsoSize);
    else if (type === ETH_P_ARP) this.#arp.receive(device, frame, length);
    else {
      dropped(this.host, 'UNHANDLED_PROTO');
      mib.count(LinkMib.RxUnknown);
    }
  }
}

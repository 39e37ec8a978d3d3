// Makes the frame of a packet that the script injects: script numbers become live ones, checksums are filled in.

import { IpAddress } from '../../packet/address.js';
import { addRange, complement, pseudoHeader } from '../../packet/checksum.js';
import { ETH_HLEN, ETH_P_IP, ETH_TYPE } from '../../packet/ethernet.js';
import { fillIpv4 } from '../../packet/frame-checksum.js';
import {
  ICMP_CHECKSUM,
  ICMP_CODE,
  ICMP_HLEN,
  ICMP_NEXT_HOP_MTU,
  ICMP_REST,
  ICMP_TYPE,
} from '../../packet/icmp.js';
import { IP_DST, IP_HLEN, IP_SRC, writeIpv4 } from '../../packet/ipv4.js';
import {
  TCP_ACK,
  TCP_ACK_SEQ,
  TCP_CHECKSUM,
  TCP_DATA_OFFSET,
  TCP_DST_PORT,
  TCP_FLAGS,
  TCP_HLEN,
  TCP_SEQ,
  TCP_SRC_PORT,
  TCP_SYN,
  TCP_URGENT,
  TCP_WINDOW,
} from '../../packet/tcp.js';
import { UDP_CHECKSUM, UDP_DST_PORT, UDP_HLEN, UDP_LENGTH, UDP_SRC_PORT } from '../../packet/udp.js';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../../uapi/socket.js';
import {
  AE,
  type IcmpPacket,
  type IpInfo,
  type Packet,
  type TcpOption,
  type TcpPacket,
  type UdpPacket,
} from './ast.js';
import { type Flow, shift } from './flow.js';
import { encodeOptions } from './tcp-option-bytes.js';

const TTL = 255;
const QUOTED = 8;
const ECN_BITS: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };

/** Why a packet of the script cannot be made. */
export class UnmappablePacket extends Error {}

/** The live frame; throws UnmappablePacket when an echoed timestamp was never sent. `ecrScaled`: --tcp_ts_ecr_scaled. */
export function buildFrame(packet: Packet, flow: Flow, mac: Uint8Array, ecrScaled: boolean): Uint8Array {
  switch (packet.kind) {
    case 'tcp':
      return buildTcp(packet, flow, mac, ecrScaled);
    case 'udp':
      return buildUdp(packet, flow, mac);
    case 'icmp':
      return buildIcmp(packet, flow, mac);
  }
}

function word(ip: string): number {
  return IpAddress.parse(ip)?.a ?? 0;
}

/** An Ethernet frame with an IPv4 header from the peer to us and `length` zero bytes behind it. */
function ipv4Frame(flow: Flow, mac: Uint8Array, ip: IpInfo, protocol: number, length: number): DataView {
  const bytes = new Uint8Array(ETH_HLEN + IP_HLEN + length);
  bytes.set(mac);
  bytes.set([0x02, 0, 0, 0, 0, 1], 6);
  const view = new DataView(bytes.buffer);
  view.setUint16(ETH_TYPE, ETH_P_IP);
  const tos = ip.tos ?? (ip.ecn === undefined ? 0 : (ECN_BITS[ip.ecn] ?? 0));
  const [src, dst] = [word(flow.remote.ip), word(flow.local.ip)];
  writeIpv4(view, ETH_HLEN, IP_HLEN + length, tos, 0, 0, ip.ttl ?? TTL, protocol, src, dst);
  fillIpv4(view, ETH_HLEN);
  return view;
}

/** Fills in the TCP checksum of a segment whose IPv4 header stands right before it, without options. */
export function fillTcp(view: DataView, tcp: number, length: number): void {
  const src = view.getInt32(ETH_HLEN + IP_SRC);
  const dst = view.getInt32(ETH_HLEN + IP_DST);
  view.setUint16(tcp + TCP_CHECKSUM, 0);
  const sum = pseudoHeader(src, dst, IPPROTO_TCP, length);
  view.setUint16(tcp + TCP_CHECKSUM, complement(addRange(view, tcp, length, sum)));
}

function buildTcp(packet: TcpPacket, flow: Flow, mac: Uint8Array, ecrScaled: boolean): Uint8Array {
  const syn = (packet.flags & TCP_SYN) !== 0;
  const hasAck = (packet.flags & TCP_ACK) !== 0;
  const options = encodeOptions(
    (packet.options ?? []).map((each) => liveOption(each, flow, syn, hasAck, ecrScaled)),
  );
  const header = TCP_HLEN + options.length;
  const view = ipv4Frame(flow, mac, packet.ip, IPPROTO_TCP, header + packet.length);
  const at = ETH_HLEN + IP_HLEN;
  view.setUint16(at + TCP_SRC_PORT, packet.ports?.src ?? flow.remote.port);
  view.setUint16(at + TCP_DST_PORT, packet.ports?.dst ?? flow.local.port);
  view.setUint32(at + TCP_SEQ, shift(packet.seq, flow.remoteOffset(syn)));
  view.setUint32(at + TCP_ACK_SEQ, hasAck ? shift(packet.ack, flow.localOffset(syn)) : packet.ack);
  view.setUint8(at + TCP_DATA_OFFSET, ((header >> 2) << 4) | (packet.flags & AE ? 1 : 0));
  view.setUint8(at + TCP_FLAGS, packet.flags & 0xff);
  view.setUint16(at + TCP_WINDOW, packet.window ?? 0);
  view.setUint16(at + TCP_URGENT, packet.urgent);
  const bytes = new Uint8Array(view.buffer);
  bytes.set(options, at + TCP_HLEN);
  fillTcp(view, at, header + packet.length);
  return bytes;
}

/** SACK blocks speak of our sequence numbers, `ecr` of our timestamps. */
function liveOption(
  option: TcpOption,
  flow: Flow,
  syn: boolean,
  hasAck: boolean,
  scaled: boolean,
): TcpOption {
  if (option.kind === 'sack') {
    const offset = flow.localOffset(syn);
    const blocks = option.blocks.map(([l, r]): [number, number] => [shift(l, offset), shift(r, offset)]);
    return { kind: 'sack', blocks };
  }
  if (option.kind !== 'TS' || !hasAck) return option;
  const ecr = flow.echoed(option.ecr, scaled);
  if (ecr !== null) return { ...option, ecr };
  throw new UnmappablePacket(`no segment has left with the timestamp ${option.ecr} that this one echoes`);
}

function buildUdp(packet: UdpPacket, flow: Flow, mac: Uint8Array): Uint8Array {
  const length = UDP_HLEN + packet.length;
  const view = ipv4Frame(flow, mac, packet.ip, IPPROTO_UDP, length);
  const at = ETH_HLEN + IP_HLEN;
  view.setUint16(at + UDP_SRC_PORT, packet.ports?.src ?? flow.remote.port);
  view.setUint16(at + UDP_DST_PORT, packet.ports?.dst ?? flow.local.port);
  view.setUint16(at + UDP_LENGTH, length);
  const sum = pseudoHeader(word(flow.remote.ip), word(flow.local.ip), IPPROTO_UDP, length);
  view.setUint16(at + UDP_CHECKSUM, complement(addRange(view, at, length, sum)) || 0xffff);
  return new Uint8Array(view.buffer);
}

function buildIcmp(packet: IcmpPacket, flow: Flow, mac: Uint8Array): Uint8Array {
  const { quote } = packet;
  const length = quote.protocol === 'raw' ? Math.max(quote.length, ICMP_HLEN) : ICMP_HLEN + IP_HLEN + QUOTED;
  const view = ipv4Frame(flow, mac, packet.ip, IPPROTO_ICMP, length);
  const at = ETH_HLEN + IP_HLEN;
  view.setUint8(at + ICMP_TYPE, packet.type);
  view.setUint8(at + ICMP_CODE, packet.code);
  if (packet.mtu !== null) view.setUint16(at + ICMP_NEXT_HOP_MTU, packet.mtu);
  if (packet.id !== 0) view.setUint16(at + ICMP_REST, packet.id);
  if (quote.protocol !== 'raw')
    writeQuote(view, at + ICMP_HLEN, quote.protocol, quote.seq, quote.length, flow);
  view.setUint16(at + ICMP_CHECKSUM, complement(addRange(view, at, length, 0)));
  return new Uint8Array(view.buffer);
}

/** The IP header and first 8 bytes of a packet of ours; its length is made up of what the script says was in it. */
function writeQuote(
  view: DataView,
  at: number,
  protocol: 'tcp' | 'udp',
  seq: number,
  length: number,
  flow: Flow,
): void {
  const isTcp = protocol === 'tcp';
  const total = IP_HLEN + (isTcp ? TCP_HLEN : UDP_HLEN) + length;
  const [src, dst] = [word(flow.local.ip), word(flow.remote.ip)];
  writeIpv4(view, at, total, 0, 0, 0, TTL, isTcp ? IPPROTO_TCP : IPPROTO_UDP, src, dst);
  fillIpv4(view, at);
  view.setUint16(at + IP_HLEN + TCP_SRC_PORT, flow.local.port);
  view.setUint16(at + IP_HLEN + TCP_DST_PORT, flow.remote.port);
  if (isTcp) view.setUint32(at + IP_HLEN + TCP_SEQ, shift(seq, flow.localOffset(false)));
  else view.setUint16(at + IP_HLEN + UDP_LENGTH, UDP_HLEN + length);
}

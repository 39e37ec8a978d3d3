// A frame that left the stack, read and put into the script's numbers, so that it can be compared with a line of the script
// and printed as one.

import { type ParsedFrame, parseFrame } from '../../packet/parse.js';
import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG } from '../../packet/tcp.js';
import { AE, type Packet, type TcpOption } from './ast.js';
import { type Flow, shift } from './flow.js';
import { icmpText } from './icmp-names.js';
import { decodeOptions, optionText } from './tcp-option-bytes.js';

export interface SeenTcp {
  flags: number;
  seq: number;
  ack: number;
  window: number;
  urgent: number;
  options: TcpOption[];
  /** Bytes of the header's data offset that its three reserved bits share. */
  reserved: number;
}

/** What left, in script numbers. */
export interface Seen {
  at: number;
  frame: ParsedFrame;
  /** Null for UDP and ICMP. */
  tcp: SeenTcp | null;
  length: number;
}

/** Reads a caught frame; null if it is no IPv4 packet. */
export function readSeen(bytes: Uint8Array, at: number): { frame: ParsedFrame; at: number } | null {
  const frame = parseFrame(bytes);
  return frame?.ipv4 === undefined ? null : { frame, at };
}

/** Puts a frame of `flow` into the script's numbers. */
export function toScript(bytes: Uint8Array, frame: ParsedFrame, at: number, flow: Flow): Seen {
  const { tcp, payload } = frame;
  if (tcp === undefined) return { at, frame, tcp: null, length: payload.length };
  const offsetByte = bytes[(frame.ipv4?.transport ?? 0) + 12];
  const flags = tcp.flags | (offsetByte & 1 ? AE : 0);
  const syn = (flags & TCP_SYN) !== 0;
  const ours = -flow.localOffset(syn) | 0;
  const theirs = -flow.remoteOffset(syn) | 0;
  return {
    at,
    frame,
    length: payload.length,
    tcp: {
      flags,
      seq: shift(tcp.seq, ours),
      ack: (flags & TCP_ACK) !== 0 ? shift(tcp.ack, theirs) : tcp.ack,
      window: tcp.window,
      urgent: tcp.urgent,
      options: decodeOptions(tcp.options).map((option) => mapSack(option, theirs)),
      reserved: offsetByte & 0x0e,
    },
  };
}

function mapSack(option: TcpOption, offset: number): TcpOption {
  if (option.kind !== 'sack') return option;
  return {
    kind: 'sack',
    blocks: option.blocks.map(([l, r]): [number, number] => [shift(l, offset), shift(r, offset)]),
  };
}

const LETTERS: readonly (readonly [number, string])[] = [
  [TCP_SYN, 'S'],
  [TCP_FIN, 'F'],
  [TCP_RST, 'R'],
  [TCP_PSH, 'P'],
  [TCP_URG, 'U'],
  [TCP_ECE, 'E'],
  [TCP_CWR, 'W'],
  [AE, 'A'],
  [TCP_ACK, '.'],
];

export function flagsText(flags: number): string {
  return LETTERS.reduce((text, [bit, letter]) => (flags & bit ? text + letter : text), '') || '-';
}

function optionsText(options: readonly TcpOption[]): string {
  return options.length === 0 ? '' : ` <${options.map(optionText).join(',')}>`;
}

function tcpText(
  tcp: Omit<SeenTcp, 'reserved' | 'window'> & { window: number | null },
  length: number,
): string {
  const ack = (tcp.flags & TCP_ACK) !== 0 || tcp.ack !== 0 ? ` ack ${tcp.ack}` : '';
  const window = tcp.window === null ? '' : ` win ${tcp.window}`;
  const urgent = tcp.urgent === 0 ? '' : ` urg ${tcp.urgent}`;
  const end = (tcp.seq + length) >>> 0;
  return `${flagsText(tcp.flags)} ${tcp.seq}:${end}(${length})${ack}${window}${urgent}${optionsText(tcp.options)}`;
}

/** As a script would write it. */
export function seenText(seen: Seen): string {
  const { frame, tcp, length } = seen;
  const ecn = ['', '[ect1] ', '[ect0] ', '[ce] '][(frame.ipv4?.tos ?? 0) & 3];
  if (tcp !== null) return ecn + tcpText(tcp, length);
  if (frame.icmp !== undefined) {
    const mtu = frame.icmp.type === 3 && frame.icmp.code === 4 ? ` mtu ${frame.icmp.rest & 0xffff}` : '';
    return `icmp ${icmpText(frame.icmp.type, frame.icmp.code)}${mtu}`;
  }
  if (frame.udp !== undefined) return `udp (${length})`;
  return `protocol ${frame.ipv4?.protocol} (${length})`;
}

/** A packet of the script in the same spelling. */
export function packetText(packet: Packet): string {
  if (packet.kind === 'udp') return `udp (${packet.length})`;
  if (packet.kind === 'icmp') {
    const mtu = packet.mtu === null ? '' : ` mtu ${packet.mtu}`;
    return `icmp ${icmpText(packet.type, packet.code)}${mtu}`;
  }
  const ecn = packet.ip.ecn === undefined || packet.ip.ecn === 'noecn' ? '' : `[${packet.ip.ecn}] `;
  const text = tcpText({ ...packet, options: packet.options ?? [] }, packet.length);
  return ecn + text + (packet.options === null ? ' <...>' : '');
}

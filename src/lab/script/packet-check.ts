// Compares what left the stack with what the script expects: every field of the headers, the options in their order, the
// payload. Says what differs, in one line, or nothing.

import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_PSH } from '../../packet/tcp.js';
import { AE, type IpInfo, type Packet, type TcpOption, type TcpPacket } from './ast.js';
import { flagsText, type Seen, type SeenTcp } from './seen-packet.js';
import { optionText } from './tcp-option-bytes.js';

const ECN_BITS = AE | TCP_CWR | TCP_ECE;

/** How far a timestamp may be off, in its own ticks; null: it is not looked at. */
export type TimestampCheck = {
  tickUs: number;
  toleranceUs: number;
  toScript: (live: number) => number;
} | null;

/** What is wrong, or null. */
export function checkPacket(seen: Seen, expected: Packet, timestamps: TimestampCheck): string | null {
  const { frame } = seen;
  const { ipv4 } = frame;
  if (ipv4 === undefined) return 'it is no IPv4 packet';
  if (!ipv4.checksumOk) return 'its IP header checksum is wrong';
  if (!frame.l4ChecksumOk) return 'its checksum is wrong';
  if (ipv4.headerLength !== 20) return `its IP header has ${ipv4.headerLength} bytes instead of 20`;
  const ip = checkIp(ipv4.tos, ipv4.ttl, expected.ip);
  if (ip !== null) return ip;
  if (expected.kind === 'tcp') {
    return seen.tcp === null ? 'it is no TCP segment' : checkTcp(seen, seen.tcp, expected, timestamps);
  }
  if (expected.kind === 'udp') {
    if (frame.udp === undefined) return 'it is no UDP datagram';
    return checkLength(seen.length, expected.length) ?? checkPayload(frame.payload);
  }
  if (frame.icmp === undefined) return 'it is no ICMP message';
  if (frame.icmp.type !== expected.type || frame.icmp.code !== expected.code)
    return `type ${frame.icmp.type} code ${frame.icmp.code} instead of type ${expected.type} code ${expected.code}`;
  const mtu = frame.icmp.rest & 0xffff;
  return expected.mtu !== null && mtu !== expected.mtu ? `mtu ${mtu} instead of ${expected.mtu}` : null;
}

function checkIp(tos: number, ttl: number, expected: IpInfo): string | null {
  if (expected.tos !== undefined && tos !== expected.tos)
    return `tos 0x${tos.toString(16)} instead of 0x${expected.tos.toString(16)}`;
  if (expected.ttl !== undefined && ttl !== expected.ttl) return `ttl ${ttl} instead of ${expected.ttl}`;
  if (expected.ecn === undefined) return null;
  const mark = (['noecn', 'ect1', 'ect0', 'ce'] as const)[tos & 3];
  const fits = expected.ecn === 'ect01' ? mark === 'ect0' || mark === 'ect1' : mark === expected.ecn;
  return fits ? null : `marked ${mark} instead of ${expected.ecn}`;
}

function checkTcp(seen: Seen, tcp: SeenTcp, expected: TcpPacket, timestamps: TimestampCheck): string | null {
  if (tcp.flags !== expected.flags) {
    if (expected.ace !== null && (tcp.flags & ~ECN_BITS) === (expected.flags & ~ECN_BITS))
      return `ACE ${ace(tcp.flags)} instead of ${expected.ace}`;
    return `flags ${flagsText(tcp.flags)} instead of ${flagsText(expected.flags)}`;
  }
  if (tcp.reserved !== 0) return 'reserved bits of the TCP header are set';
  if (tcp.seq !== expected.seq) return `seq ${tcp.seq} instead of ${expected.seq}`;
  if (tcp.ack !== expected.ack) {
    const field = (tcp.flags & TCP_ACK) !== 0 ? 'ack' : 'the acknowledgement field is';
    return `${field} ${tcp.ack} instead of ${expected.ack}`;
  }
  if (expected.window !== null && tcp.window !== expected.window)
    return `win ${tcp.window} instead of ${expected.window}`;
  if (tcp.urgent !== expected.urgent) return `urg ${tcp.urgent} instead of ${expected.urgent}`;
  return (
    checkLength(seen.length, expected.length) ??
    (expected.options === null ? null : checkOptions(tcp.options, expected.options, timestamps)) ??
    checkPayload(seen.frame.payload)
  );
}

function ace(flags: number): number {
  return (flags & AE ? 4 : 0) | (flags & TCP_CWR ? 2 : 0) | (flags & TCP_ECE ? 1 : 0);
}

function checkLength(actual: number, expected: number): string | null {
  return actual === expected ? null : `${actual} bytes of payload instead of ${expected}`;
}

function checkOptions(
  actual: readonly TcpOption[],
  expected: readonly TcpOption[],
  timestamps: TimestampCheck,
): string | null {
  const text = (options: readonly TcpOption[]): string => `<${options.map(optionText).join(',')}>`;
  if (actual.length !== expected.length || actual.some((option, i) => option.kind !== expected[i].kind))
    return `options ${text(actual)} instead of ${text(expected)}`;
  for (const [i, option] of actual.entries()) {
    const wanted = expected[i];
    if (option.kind === 'TS' && wanted.kind === 'TS') {
      if (option.ecr !== wanted.ecr) return `timestamp ${wanted.ecr} is not echoed, but ${option.ecr}`;
      const wrong = checkTimestamp(option.val, wanted.val, timestamps);
      if (wrong !== null) return wrong;
    } else if (optionText(option) !== optionText(wanted)) {
      return `option ${optionText(option)} instead of ${optionText(wanted)}`;
    }
  }
  return null;
}

function checkTimestamp(live: number, expected: number, check: TimestampCheck): string | null {
  if (check === null) return null;
  const actual = check.toScript(live);
  const off = Math.abs((actual - expected) | 0) * check.tickUs;
  return off <= check.toleranceUs ? null : `TS val ${actual} instead of ${expected}, ${off / 1000} ms off`;
}

/** Every byte that scripts write is 0. */
function checkPayload(payload: Uint8Array): string | null {
  const at = payload.findIndex((byte) => byte !== 0);
  return at < 0 ? null : `byte ${at} of the payload is ${payload[at]}, not 0`;
}

/** Whether a further segment continues the ones before it, so that a script may have written them as one; what hinders it, or null. */
export function checkContinuation(previous: Seen, next: Seen, isLast: boolean): string | null {
  const [a, b] = [previous.tcp, next.tcp];
  if (a === null || b === null) return 'only TCP segments can be parts of one line';
  const vary = TCP_FIN | TCP_PSH | TCP_CWR;
  if ((a.flags & ~vary) !== (b.flags & ~vary))
    return `flags ${flagsText(b.flags)} after ${flagsText(a.flags)}`;
  if (b.seq !== (a.seq + previous.length) >>> 0)
    return `seq ${b.seq} after ${a.seq} with ${previous.length} bytes`;
  if (a.ack !== b.ack) return `ack ${b.ack} after ack ${a.ack}`;
  if (a.window !== b.window) return `win ${b.window} after win ${a.window}`;
  if (a.options.length !== b.options.length) return 'its options are others than those before it';
  if (a.urgent !== b.urgent) return `urg ${b.urgent} after urg ${a.urgent}`;
  if (!isLast && next.length !== previous.length) return `${next.length} bytes after ${previous.length}`;
  return null;
}

/** Several segments as the one that a script expects: numbers from the first, FIN and PSH from the last. */
export function aggregate(parts: readonly Seen[]): Seen {
  const [first, last] = [parts[0], parts[parts.length - 1]];
  if (parts.length === 1 || first.tcp === null || last.tcp === null) return first;
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const payload = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    payload.set(part.frame.payload, at);
    at += part.length;
  }
  const ends = TCP_FIN | TCP_PSH;
  const flags = (first.tcp.flags & ~ends) | (last.tcp.flags & ends);
  return { ...first, length: total, frame: { ...first.frame, payload }, tcp: { ...first.tcp, flags } };
}

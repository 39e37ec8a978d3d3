// One line of text for a frame, in tcpdump's manner: for traces, and for tests that read as conversations.

import { ARPOP_REQUEST } from './arp.js';
import { type ParsedFrame, type ParsedIcmp, parseFrame } from './parse.js';
import { formatTcpFlags } from './tcp.js';

/** `10.0.0.1.4242 > 10.0.0.2.7: UDP, length 5`; marks of what is wrong (`bad checksum`) at the end. */
export function formatFrame(bytes: Uint8Array): string {
  const frame = parseFrame(bytes);
  if (frame === null) return `runt frame, length ${bytes.length}`;
  if (frame.arp !== undefined) {
    const { operation, senderIp, senderMac, targetIp } = frame.arp;
    return operation === ARPOP_REQUEST
      ? `ARP, who-has ${targetIp} tell ${senderIp}`
      : `ARP, reply ${senderIp} is-at ${senderMac}`;
  }
  if (frame.ipv4 === undefined) {
    return `${frame.src} > ${frame.dst}, type 0x${frame.type.toString(16).padStart(4, '0')}, length ${bytes.length}`;
  }
  const wrong = `${frame.ipv4.checksumOk ? '' : ', bad IP checksum'}${frame.l4ChecksumOk ? '' : ', bad checksum'}`;
  return formatIpv4(frame) + wrong;
}

function formatIpv4(frame: ParsedFrame): string {
  const { ipv4, icmp, udp, tcp, payload } = frame;
  if (ipv4 === undefined) return '';
  const { src, dst } = ipv4;
  if (ipv4.mf || ipv4.offset !== 0) {
    return `${src} > ${dst}: fragment ${ipv4.offset}+${payload.length}${ipv4.mf ? ', more' : ''}`;
  }
  if (icmp !== undefined) return `${src} > ${dst}: ICMP ${formatIcmp(icmp)}, length ${payload.length + 8}`;
  if (udp !== undefined)
    return `${src}.${udp.srcPort} > ${dst}.${udp.dstPort}: UDP, length ${payload.length}`;
  if (tcp !== undefined) {
    const seq = payload.length > 0 ? `${tcp.seq}:${(tcp.seq + payload.length) >>> 0}` : `${tcp.seq}`;
    return (
      `${src}.${tcp.srcPort} > ${dst}.${tcp.dstPort}: Flags [${formatTcpFlags(tcp.flags)}], seq ${seq}, ` +
      `ack ${tcp.ack}, win ${tcp.window}, length ${payload.length}`
    );
  }
  return `${src} > ${dst}: protocol ${ipv4.protocol}, length ${payload.length}`;
}

const ICMP_NAMES: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'unreachable',
  4: 'source quench',
  5: 'redirect',
  8: 'echo request',
  11: 'time exceeded',
  12: 'parameter problem',
};

function formatIcmp({ type, code, rest }: ParsedIcmp): string {
  const name = ICMP_NAMES[type] ?? `type ${type}`;
  if (type === 0 || type === 8) return `${name}, id ${rest >>> 16}, seq ${rest & 0xffff}`;
  if (type === 3 && code === 4) return `${name} code 4, mtu ${rest & 0xffff}`;
  return `${name} code ${code}`;
}

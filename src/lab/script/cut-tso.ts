// Cuts one TCP segment of many times the MSS into frames, as a device with TSO or the kernel's GSO does: FIN and PSH stay with
// the last, CWR with the first (or all: `keepCwr`), identifiers and sequence numbers count on.

import { ETH_HLEN } from '../../packet/ethernet.js';
import { fillIpv4 } from '../../packet/frame-checksum.js';
import { IP_ID, IP_TOTAL_LENGTH, ipv4HeaderLength } from '../../packet/ipv4.js';
import { TCP_CWR, TCP_FIN, TCP_FLAGS, TCP_PSH, TCP_SEQ, tcpHeaderLength } from '../../packet/tcp.js';
import { fillTcp } from './packet-build.js';

export function cutTso(frame: Uint8Array, mss: number, keepCwr: boolean): Uint8Array[] {
  const whole = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const tcp = ETH_HLEN + ipv4HeaderLength(whole, ETH_HLEN);
  const headers = tcp + tcpHeaderLength(whole, tcp);
  const flags = whole.getUint8(tcp + TCP_FLAGS);
  const segments: Uint8Array[] = [];
  for (let from = headers; from < frame.length; from += mss) {
    const to = Math.min(from + mss, frame.length);
    const segment = new Uint8Array(headers + to - from);
    segment.set(frame.subarray(0, headers));
    segment.set(frame.subarray(from, to), headers);
    const view = new DataView(segment.buffer);
    const isFirst = from === headers;
    const isLast = to === frame.length;
    view.setUint16(ETH_HLEN + IP_TOTAL_LENGTH, segment.length - ETH_HLEN);
    view.setUint16(ETH_HLEN + IP_ID, whole.getUint16(ETH_HLEN + IP_ID) + segments.length);
    view.setUint32(tcp + TCP_SEQ, whole.getUint32(tcp + TCP_SEQ) + from - headers);
    view.setUint8(
      tcp + TCP_FLAGS,
      flags & ~(isFirst || keepCwr ? 0 : TCP_CWR) & ~(isLast ? 0 : TCP_FIN | TCP_PSH),
    );
    fillIpv4(view, ETH_HLEN);
    fillTcp(view, tcp, segment.length - tcp);
    segments.push(segment);
  }
  return segments;
}

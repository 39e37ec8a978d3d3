// Segments that are signed (RFC 2385), which nobody here asks for (tcp_inbound_hash): who sends one takes us for somebody else, and
// is not answered. Nor is a list of options that cannot be read to the end, where a signature might have stood.

import { TcpExt } from '../core/mib.js';
import { dropped } from '../core/trace.js';
import type { Segment } from './segment.js';
import type { TcpShared } from './tcp-shared.js';

const OPT_EOL = 0;
const OPT_NOP = 1;
const OPT_MD5SIG = 19;
const OLEN_MD5SIG = 18;

/** Headers with room for a signature are at least so long. */
export const SIGNED_HLEN = 20 + OLEN_MD5SIG;

/** False: the segment is dropped for what its options are, and counted. */
export function authAcceptable(tcp: TcpShared, segment: Segment): boolean {
  const { host } = tcp;
  const { view } = host.memory;
  const end = segment.data;
  for (let at = segment.offset + 20; end - at >= OLEN_MD5SIG; ) {
    const kind = view.getUint8(at);
    if (kind === OPT_EOL) return true;
    if (kind === OPT_NOP) {
      at++;
      continue;
    }
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > end) {
      dropped(host, 'TCP_AUTH_HDR');
      return false;
    }
    if (kind === OPT_MD5SIG && length === OLEN_MD5SIG) {
      host.mib.count(TcpExt.TCPMD5Unexpected);
      dropped(host, 'TCP_MD5UNEXPECTED');
      return false;
    }
    at += length;
  }
  return true;
}

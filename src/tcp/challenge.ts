// How often invalid segments are answered: bare ones once in tcp_invalid_ratelimit for each sock, and the challenges of RFC 5961 only
// so often in all. receive, validate and state come by here, so that nobody can make us send as much as they do.

import { TcpExt } from '../core/mib.js';
import { below } from '../core/random.js';
import type { TcpSock } from './sock.js';
import type { TcpShared } from './tcp-shared.js';
import { sendAck, sendReflectingAck } from './transmit.js';

/** tcp_challenge_ack_limit that is none. */
const INT_MAX = 0x7fffffff;

/** __tcp_oow_rate_limited: true when this answer would come too soon after the last; pure ACK floods get one in 500 ms. */
export function oowRateLimited(tcp: TcpShared, last: number, carriesData: boolean, counter: number): boolean {
  if (carriesData || last === 0) return false;
  const elapsed = (tcp.host.nowMs - last) | 0;
  if (elapsed < 0 || elapsed >= tcp.host.sysctl.tcpInvalidRatelimit) return false;
  tcp.host.mib.count(counter);
  return true;
}

/** tcp_send_challenge_ack (RFC 5961 section 7): rate-limited per connection and in all. `reflecting`: it answers a SYN. */
export function sendChallengeAck(sk: TcpSock, reflecting = false): void {
  const { tcp, host } = sk;
  if (oowRateLimited(tcp, sk.lastOowAckTime, false, TcpExt.TCPACKSkippedChallenge)) return;
  sk.lastOowAckTime = host.nowMs || 1;
  if (host.sysctl.tcpChallengeAckLimit !== INT_MAX && !spendChallenge(tcp)) return;
  host.mib.count(TcpExt.TCPChallengeACK);
  if (reflecting) sendReflectingAck(sk);
  else sendAck(sk);
}

/** One of this second's challenges, if any is left; how many there are is not for others to count (CVE-2016-5696). */
function spendChallenge(tcp: TcpShared): boolean {
  const { host } = tcp;
  const second = (host.nowMs / 1000) | 0;
  if (second !== tcp.challengeSecond) {
    const limit = host.sysctl.tcpChallengeAckLimit;
    tcp.challengeSecond = second;
    tcp.challengeLeft = ((limit + 1) >> 1) + below(host.random, Math.max(limit, 1));
  }
  if (tcp.challengeLeft <= 0) return false;
  tcp.challengeLeft--;
  return true;
}

// What a UDP socket finds in its error queue: ICMP errors (ip_icmp_error), its own (ip_local_error), timestamps of what it sent
// (__skb_tstamp_tx), completions of MSG_ZEROCOPY.

import { ErrorEntry } from '../core/error-queue.js';
import type { SockExtras } from '../core/sock-extras.js';
import type { Ip } from '../ip/ip.js';
import type { IpAddress } from '../packet/address.js';
import { ETH_HLEN } from '../packet/ethernet.js';
import { IP_HLEN } from '../packet/ipv4.js';
import { UDP_HLEN } from '../packet/udp.js';
import { EMSGSIZE, ENOMSG } from '../uapi/errno.js';
import {
  SCM_TSTAMP_SCHED,
  SCM_TSTAMP_SND,
  SO_EE_ORIGIN_ICMP,
  SO_EE_ORIGIN_LOCAL,
  SO_EE_ORIGIN_TIMESTAMPING,
  SOF_TIMESTAMPING_OPT_ID,
  SOF_TIMESTAMPING_OPT_TSONLY,
  SOF_TIMESTAMPING_TX_SCHED,
  SOF_TIMESTAMPING_TX_SOFTWARE,
} from '../uapi/errqueue.js';
import { MSG_ZEROCOPY } from '../uapi/socket.js';
import type { UdpSock } from './udp-sock.js';

/** An ICMP error, `ip.complaint`, about a datagram to `daddr`.`dport` whose UDP header is quoted at `transport`. */
export function queueIcmpError(
  sk: UdpSock,
  extras: SockExtras,
  ip: Ip,
  daddr: IpAddress,
  dport: number,
  transport: number,
  errno: number,
  type: number,
  code: number,
  info: number,
): void {
  const { complaint } = ip;
  const entry = ErrorEntry.about(errno, SO_EE_ORIGIN_ICMP, type, code, info);
  entry.payload = sk.host.memory.bytes.slice(transport + UDP_HLEN, complaint.end);
  entry.address = daddr.clone();
  entry.port = dport;
  entry.complainedBy(complaint);
  extras.errorQueue.add(sk, entry, sk.rmemAlloc);
}

/** A datagram was too large for a path of `mtu` bytes, and may not be fragmented. */
export function queueTooLarge(sk: UdpSock, extras: SockExtras, daddr: IpAddress, mtu: number): void {
  if (!extras.recvErr) return;
  const entry = ErrorEntry.about(EMSGSIZE, SO_EE_ORIGIN_LOCAL, 0, 0, mtu);
  entry.address = daddr.clone();
  entry.port = sk.dport;
  extras.errorQueue.add(sk, entry, sk.rmemAlloc);
}

/** The datagram of `total` bytes from its UDP header at `at` on was handed to interface `device`, headers at `frame`. */
export function reportSent(
  sk: UdpSock,
  extras: SockExtras,
  tsflags: number,
  frame: number,
  at: number,
  total: number,
  device: number,
): void {
  const scheduled = (tsflags & SOF_TIMESTAMPING_TX_SCHED) !== 0;
  const sent = (tsflags & SOF_TIMESTAMPING_TX_SOFTWARE) !== 0;
  if (scheduled || sent) {
    const key = (extras.tsflags & SOF_TIMESTAMPING_OPT_ID) !== 0 ? extras.tskey++ : 0;
    if (scheduled) queueStamp(sk, extras, SCM_TSTAMP_SCHED, key, frame, at, total, device);
    if (sent) queueStamp(sk, extras, SCM_TSTAMP_SND, key, frame, at, total, device);
  }
}

/** Whether the program is to be told when what it sends is done with (SOCK_ZEROCOPY). */
export function asksZerocopy(sk: UdpSock, flags: number): boolean {
  return (flags & MSG_ZEROCOPY) !== 0 && sk.extras?.zerocopy === true;
}

/** A datagram of `sends` that asked for MSG_ZEROCOPY is gone. They were copied, so the program's buffers have long been free. */
export function zerocopyDone(sk: UdpSock, sends: number): void {
  if (sk.extras === null || sends === 0) return;
  const { extras } = sk;
  const first = extras.zckey;
  extras.zckey = (first + sends) >>> 0;
  extras.errorQueue.zerocopyDone(sk, first, (first + sends - 1) >>> 0, true);
}

function queueStamp(
  sk: UdpSock,
  extras: SockExtras,
  kind: number,
  key: number,
  frame: number,
  at: number,
  total: number,
  device: number,
): void {
  const { host } = sk;
  const only = (extras.tsflags & SOF_TIMESTAMPING_OPT_TSONLY) !== 0;
  if (!only && host.sysctl.tstampAllowData === 0 && sk.uid !== 0) return;
  const entry = ErrorEntry.about(ENOMSG, SO_EE_ORIGIN_TIMESTAMPING, 0, 0, kind);
  entry.data = key;
  entry.realUs = host.realUs(host.nowUs);
  if (!only) {
    const { bytes } = host.memory;
    const headers = ETH_HLEN + IP_HLEN;
    entry.payload = new Uint8Array(headers + total);
    entry.payload.set(bytes.subarray(frame, frame + headers));
    entry.payload.set(bytes.subarray(at, at + total), headers);
    entry.sentBy(device);
  }
  extras.errorQueue.add(sk, entry, sk.rmemAlloc);
}

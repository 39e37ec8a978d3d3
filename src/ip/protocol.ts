// What stands on IPv4: the transports that packets are handed to, and ICMP, which IP itself asks to complain about packets.

import type { IpAddress } from '../packet/address.js';
import type { RxPacket } from './rx-packet.js';

/** A transport (struct net_protocol). */
export interface IpProtocol {
  /** A whole datagram for us; offsets in `packet`. RX_L4_BAD in its flags: the checksum is wrong. Must not throw. */
  receive(packet: RxPacket): void;
  /**
   * ICMP error about a packet we sent. `transport`: offset of the quoted transport header (at least 8 bytes are there).
   * `errno` is positive, from icmp_err_convert, `fatal` as that table says; `info`: next-hop MTU of ICMP_FRAG_NEEDED.
   */
  error(
    src: IpAddress,
    dst: IpAddress,
    transport: number,
    errno: number,
    fatal: boolean,
    type: number,
    code: number,
    info: number,
  ): void;
}

/** icmp_send: tells the sender of `packet` what is wrong with it, within the rules and rate limits of RFC 1122 3.2.2. */
export interface IcmpSender {
  send(packet: RxPacket, type: number, code: number, info: number): void;
}

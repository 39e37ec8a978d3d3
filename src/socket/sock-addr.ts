// Socket addresses as programs write them (struct sockaddr_in): text and port, since nothing above ip/ deals in 32 bits.

import type { IpAddress } from '../packet/address.js';
import { AF_INET } from '../uapi/socket.js';

/** `address` in text form (`192.0.2.1`), `port` in host order. accept4, getsockname and recvfrom write into one. */
export interface SockAddr {
  /** AF_INET. */
  family: number;
  /** `192.0.2.1`; `0.0.0.0` is any. */
  address: string;
  /** 0 to 65535; bind takes 0 for any that is free. */
  port: number;
}

/** sizeof(struct sockaddr_in), and of its family alone: what a given length is measured against. */
export const SOCKADDR_IN_SIZE = 16;
export const SA_FAMILY_SIZE = 2;

/** move_addr_to_user */
export function writeSockAddr(to: SockAddr, address: IpAddress, port: number): void {
  to.family = AF_INET;
  to.address = address.toString();
  to.port = port;
}

/** A port a sockaddr_in can hold. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 0xffff;
}

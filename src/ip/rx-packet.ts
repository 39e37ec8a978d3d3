// The packet being received (what struct sk_buff carries up): one instance per stack, overwritten for each, so that the way
// of a frame allocates nothing. Offsets are into packet memory.

import { IpAddress } from '../packet/address.js';
import { AF_INET } from '../uapi/socket.js';

export class RxPacket {
  /** Ethernet frame. */
  frame = 0;
  frameLength = 0;
  /** RX_* verdict of the NIC. */
  flags = 0;
  /** Size of the segments that the NIC or the host's TSO merged into this one; 0 if none. */
  gsoSize = 0;
  /** IP header, and the length of the whole IP packet. */
  network = 0;
  networkLength = 0;
  /** Transport header, and the bytes from there to the end of the packet. */
  transport = 0;
  length = 0;
  protocol = 0;
  tos = 0;
  ttl = 0;
  /** Flags and offset of the IPv4 fragment field; for a reassembled datagram 0. */
  fragment = 0;
  /** Index of the interface it came in by. */
  device = 0;
  /** It came through the loopback interface. */
  loopback = false;
  /** Addressed to a broadcast or multicast address, of Ethernet (pkt_type != PACKET_HOST) or of IP. */
  broadcast = false;
  readonly src = new IpAddress(AF_INET, 0);
  readonly dst = new IpAddress(AF_INET, 0);
}

// The internet family (inet_create): which types and protocols of socket there are, and what stands behind each.

import type { Ip } from '../ip/ip.js';
import type { Tcp } from '../tcp/tcp.js';
import { EINVAL, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from '../uapi/errno.js';
import { IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_STREAM } from '../uapi/socket.js';
import type { Udp } from '../udp/udp.js';
import { InetDgramOps } from './inet-dgram.js';
import { InetStreamOps } from './inet-stream.js';
import { Socket } from './socket.js';

/** One more than the last socket type, and than the last protocol. */
const SOCK_MAX = 11;
const IPPROTO_MAX = 263;

export class InetFamily {
  readonly #tcp: Tcp;
  readonly #udp: Udp;
  readonly #stream: InetStreamOps;
  readonly #dgram: InetDgramOps;

  constructor(ip: Ip, tcp: Tcp, udp: Udp) {
    this.#tcp = tcp;
    this.#udp = udp;
    this.#stream = new InetStreamOps(tcp, ip);
    this.#dgram = new InetDgramOps(udp, ip);
  }

  /** A new socket owned by `uid`: -EINVAL, -ESOCKTNOSUPPORT or -EPROTONOSUPPORT if there is none of the kind. */
  create(type: number, protocol: number, uid: number): Socket | number {
    if (type < 0 || type >= SOCK_MAX || protocol < 0 || protocol >= IPPROTO_MAX) return -EINVAL;
    let socket: Socket;
    if (type === SOCK_STREAM) {
      if (protocol !== 0 && protocol !== IPPROTO_TCP) return -EPROTONOSUPPORT;
      socket = new Socket(this.#stream, this.#tcp.createSock());
    } else if (type === SOCK_DGRAM) {
      if (protocol !== 0 && protocol !== IPPROTO_UDP) return -EPROTONOSUPPORT;
      socket = new Socket(this.#dgram, this.#udp.createSock());
    } else {
      return -ESOCKTNOSUPPORT;
    }
    socket.sk.uid = uid;
    return socket;
  }
}

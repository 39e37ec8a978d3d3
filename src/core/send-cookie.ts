// What holds for one datagram alone (struct ipcm_cookie): the socket's options, unless a control message says otherwise.

import type { IpAddress } from '../packet/address.js';
import type { Sock } from './sock.js';

export class SendCookie {
  tsflags = 0;
  tos = 0;
  /** 0: the route's. */
  ttl = 0;
  /** Interface it must leave by; 0: any. */
  device = 0;
  /** Source address; null: the socket's or the route's. */
  source: IpAddress | null = null;

  /** ipcm_init_sk */
  constructor(sk: Sock) {
    this.tsflags = sk.extras === null ? 0 : sk.extras.tsflags;
    this.tos = sk.tos;
    this.ttl = sk.ttl;
    this.device = sk.boundDevice;
  }
}

// Datagram sockets over UDP (inet_dgram_ops). Connecting one only names its peer; listen and accept are not for it.

import { SendCookie } from '../core/send-cookie.js';
import { SHUTDOWN_MASK, type Sock } from '../core/sock.js';
import type { Ip } from '../ip/ip.js';
import { IpAddress } from '../packet/address.js';
import { EAFNOSUPPORT, EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP } from '../uapi/errno.js';
import { AF_INET, AF_UNSPEC, IPPROTO_UDP, MSG_ERRQUEUE, MSG_TRUNC, UDP_CORK } from '../uapi/socket.js';
import { TCP_CLOSE } from '../uapi/tcp.js';
import type { Udp } from '../udp/udp.js';
import { Sender, type UdpSock } from '../udp/udp-sock.js';
import type { ControlMessage } from './control-message.js';
import { inetBind } from './inet-bind.js';
import { inetGetname } from './inet-getname.js';
import { getKept, keptOption, setKept } from './kept-options.js';
import { INT_SIZE, intOf } from './option-values.js';
import type { MessageInfo, OptionResult, OptionValue, ProtoOps } from './proto-ops.js';
import { recvError } from './recv-error.js';
import { readSendControl } from './send-control.js';
import { isPort, SA_FAMILY_SIZE, SOCKADDR_IN_SIZE, type SockAddr, writeSockAddr } from './sock-addr.js';
import type { Socket } from './socket.js';
import { getIpOption, setIpOption } from './sol-ip.js';
import { tellDatagram } from './tell-datagram.js';

export class InetDgramOps implements ProtoOps {
  readonly #udp: Udp;
  readonly ip: Ip;
  /** Where the datagram being received came from; one serves all. */
  readonly #sender = new Sender();
  /** The last destination given as text: programs name the same one again and again. */
  #lastText = '';
  #lastAddress: IpAddress | null = null;

  constructor(udp: Udp, ip: Ip) {
    this.#udp = udp;
    this.ip = ip;
  }

  bind(socket: Socket, address: SockAddr, length: number): number {
    return inetBind(socket.sk, this.ip, this.#udp.ports, address, length);
  }

  connect(socket: Socket, address: SockAddr, length: number): number {
    if (length < SA_FAMILY_SIZE) return -EINVAL;
    const sk = socket.sk as UdpSock;
    if (address.family === AF_UNSPEC) return this.#udp.disconnect(sk);
    const bound = this.#udp.autobind(sk);
    if (bound < 0) return bound;
    if (length < SOCKADDR_IN_SIZE) return -EINVAL;
    if (address.family !== AF_INET) return -EAFNOSUPPORT;
    const destination = this.#parse(address.address);
    if (destination === null || !isPort(address.port)) return -EINVAL;
    return this.#udp.connect(sk, destination, address.port);
  }

  listen(): number {
    return -EOPNOTSUPP;
  }

  accept(): number {
    return -EOPNOTSUPP;
  }

  getname(socket: Socket, address: SockAddr, peer: number): number {
    return inetGetname(socket.sk, address, peer);
  }

  /** inet_shutdown of a datagram socket: the bits, and a wake-up for whoever polls. */
  shutdown(socket: Socket, how: number): number {
    const bits = how + 1;
    if ((bits & ~SHUTDOWN_MASK) !== 0 || bits === 0) return -EINVAL;
    const { sk } = socket;
    sk.shutdown |= bits;
    sk.stateChange();
    return sk.state === TCP_CLOSE ? -ENOTCONN : 0;
  }

  send(
    socket: Socket,
    buffer: Uint8Array,
    count: number,
    flags: number,
    to: SockAddr | null,
    control: readonly ControlMessage[] | null = null,
  ): number {
    const sk = socket.sk as UdpSock;
    const bound = this.#udp.autobind(sk);
    if (bound < 0) return bound;
    let cookie: SendCookie | null = null;
    if (control !== null && control.length > 0) {
      cookie = new SendCookie(sk);
      const error = readSendControl(sk, control, cookie, true);
      if (error < 0) return error;
    }
    if (to === null) return this.#udp.output.send(sk, buffer, count, flags, null, 0, cookie);
    if (to.family !== AF_INET && to.family !== AF_UNSPEC) return -EAFNOSUPPORT;
    const destination = this.#parse(to.address);
    if (destination === null || !isPort(to.port)) return -EINVAL;
    return this.#udp.output.send(sk, buffer, count, flags, destination, to.port, cookie);
  }

  recv(socket: Socket, buffer: Uint8Array, count: number, flags: number, info: MessageInfo | null): number {
    const { sk } = socket;
    if ((flags & MSG_ERRQUEUE) !== 0) return recvError(sk, buffer, count, info);
    const sender = this.#sender;
    sender.length = -1;
    const result = this.#udp.recv(socket.sk as UdpSock, buffer, count, flags, sender);
    if (info !== null && sender.length >= 0) {
      if (sk.extras !== null) tellDatagram(sk as UdpSock, sk.extras, sender, info);
      if (info.name !== null) writeSockAddr(info.name, sender.address, sender.port);
      if (sender.cut) info.flags |= MSG_TRUNC;
    }
    return result;
  }

  ioctl(socket: Socket, request: number, out: { value: number }): number {
    return this.#udp.ioctl(socket.sk as UdpSock, request, out);
  }

  setsockopt(socket: Socket, level: number, name: number, value: OptionValue, length: number): number {
    if (level !== IPPROTO_UDP) return setIpOption(socket.sk, level, name, value, length);
    if (length < INT_SIZE) return -EINVAL;
    if (name === UDP_CORK) {
      this.#udp.output.setCorked(socket.sk as UdpSock, intOf(value) !== 0);
      return 0;
    }
    const kept = keptOption(level, name);
    return kept === undefined ? -ENOPROTOOPT : setKept(socket.sk, kept, intOf(value));
  }

  getsockopt(socket: Socket, level: number, name: number, out: OptionResult): number {
    const sk = socket.sk as UdpSock;
    if (level === IPPROTO_UDP) {
      if (name === UDP_CORK) {
        out.value = Number(sk.corked);
        return 0;
      }
      const kept = keptOption(level, name);
      return kept === undefined ? -ENOPROTOOPT : getKept(sk, kept, out);
    }
    return getIpOption(sk, level, name, out, sk.route === null ? 0 : sk.route.mtu);
  }

  setKeepalive(): void {}

  setRcvlowat(sk: Sock, value: number): void {
    sk.rcvlowat = value === 0 ? 1 : value;
  }

  writeSpace(sk: Sock): void {
    sk.wakeSpace();
  }

  rerouted(sk: Sock): void {
    (sk as UdpSock).route = null;
  }

  release(socket: Socket): void {
    this.#udp.close(socket.sk as UdpSock);
  }

  #parse(text: string): IpAddress | null {
    if (text !== this.#lastText) {
      this.#lastText = text;
      this.#lastAddress = IpAddress.parse(text);
    }
    return this.#lastAddress;
  }
}

// Stream sockets over TCP (inet_stream_ops): what connect, listen, accept, shutdown and their errors mean to a program. Each
// call holds the sock's lock, so that segments it provokes over loopback wait until it is over.

import { SendCookie } from '../core/send-cookie.js';
import { RCV_SHUTDOWN, SHUTDOWN_MASK, type Sock } from '../core/sock.js';
import type { Ip } from '../ip/ip.js';
import type { ProcessMemory } from '../memory/process-memory.js';
import { IpAddress } from '../packet/address.js';
import type { TcpSock } from '../tcp/sock.js';
import type { Tcp } from '../tcp/tcp.js';
import { armKeepalive, clearKeepalive } from '../tcp/tcp-timer.js';
import { stampOf } from '../tcp/tx-marks.js';
import type { TcpZerocopyReceive } from '../tcp/zerocopy-receive.js';
import {
  EAFNOSUPPORT,
  EAGAIN,
  EALREADY,
  ECONNABORTED,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETUNREACH,
  ENOTCONN,
  EOPNOTSUPP,
} from '../uapi/errno.js';
import { AF_INET, AF_UNSPEC, IPPROTO_TCP, MSG_ERRQUEUE, MSG_FASTOPEN, MSG_OOB } from '../uapi/socket.js';
import { TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT, TCP_ZEROCOPY_RECEIVE } from '../uapi/tcp.js';
import type { ControlMessage } from './control-message.js';
import { inetBind } from './inet-bind.js';
import { inetGetname } from './inet-getname.js';
import type { MessageInfo, OptionResult, OptionValue, ProtoOps } from './proto-ops.js';
import { recvError } from './recv-error.js';
import { readSendControl } from './send-control.js';
import { isPort, SA_FAMILY_SIZE, SOCKADDR_IN_SIZE, type SockAddr } from './sock-addr.js';
import { type Socket, SS_CONNECTED, SS_CONNECTING, SS_DISCONNECTING, SS_UNCONNECTED } from './socket.js';
import { getIpOption, setIpOption } from './sol-ip.js';
import { getTcpOption, setTcpOption } from './sol-tcp.js';
import { listenFastOpen } from './sol-tcp-fastopen.js';
import { setStreamRcvlowat, streamWriteSpace } from './stream-space.js';
import { tellStream } from './tell-stream.js';

/** A handshake of ours is under way. */
export function handshaking(sk: Sock): boolean {
  return sk.state === TCP_SYN_SENT || sk.state === TCP_SYN_RECV;
}

/** A send with which the connection begins: by its flag, or because connect() waits for it. */
export function sendsFastOpen(sk: TcpSock, flags: number): boolean {
  return (flags & MSG_FASTOPEN) !== 0 || sk.fastopen?.deferred === true;
}

export class InetStreamOps implements ProtoOps {
  readonly tcp: Tcp;
  readonly ip: Ip;

  constructor(tcp: Tcp, ip: Ip) {
    this.tcp = tcp;
    this.ip = ip;
  }

  bind(socket: Socket, address: SockAddr, length: number): number {
    return inetBind(socket.sk, this.ip, this.tcp.ports, address, length);
  }

  connect(socket: Socket, address: SockAddr, length: number): number {
    const sk = socket.sk as TcpSock;
    this.tcp.lock(sk);
    let result = this.connectStart(socket, address, length);
    if ((result === -EINPROGRESS || result === -EALREADY) && !handshaking(sk)) {
      result = this.connectDone(socket);
    }
    this.tcp.release(sk);
    return result;
  }

  /**
   * __inet_stream_connect up to where it may sleep; the caller holds the lock. -EINPROGRESS and -EALREADY are provisional:
   * once the handshake is over `connectDone` says how it ended. `inSend`: a send connects, to an address or to where the sock
   * was about to connect to.
   */
  connectStart(socket: Socket, address: SockAddr | null, length: number, inSend = false): number {
    const sk = socket.sk as TcpSock;
    if (address !== null && length < SA_FAMILY_SIZE) return -EINVAL;
    if (address !== null && address.family === AF_UNSPEC) {
      sk.ownExtras().disconnects++;
      this.#disconnect(socket, sk);
      return 0;
    }
    switch (socket.state) {
      case SS_CONNECTED:
        return -EISCONN;
      case SS_CONNECTING:
        // A connection that waits for its first data (TCP_FASTOPEN_CONNECT) passes for one that is there.
        if (sk.fastopen?.deferred) return inSend ? -EINPROGRESS : -EISCONN;
        return -EALREADY;
      case SS_UNCONNECTED:
        break;
      default:
        return -EINVAL;
    }
    if (sk.state !== TCP_CLOSE) return -EISCONN;
    if (address === null || length < SOCKADDR_IN_SIZE) return -EINVAL;
    if (address.family !== AF_INET) return -EAFNOSUPPORT;
    const destination = IpAddress.parse(address.address);
    if (destination === null || !isPort(address.port)) return -EINVAL;
    if (destination.isMulticast || this.ip.isBroadcast(destination)) return -ENETUNREACH;
    const error = this.tcp.connect(sk, destination, address.port);
    if (error < 0) return error;
    socket.state = SS_CONNECTING;
    return sk.fastopen?.deferred ? 0 : -EINPROGRESS;
  }

  /** The rest of __inet_stream_connect: the attempt is over, and how; the caller holds the lock. */
  connectDone(socket: Socket): number {
    const sk = socket.sk as TcpSock;
    if (sk.state !== TCP_CLOSE) {
      socket.state = SS_CONNECTED;
      return 0;
    }
    // Whoever took the error first (SO_ERROR, recv) leaves this caller with a connection that is just gone.
    const error = sk.takeError() || -ECONNABORTED;
    socket.state = this.tcp.disconnect(sk) === 0 ? SS_UNCONNECTED : SS_DISCONNECTING;
    return error;
  }

  #disconnect(socket: Socket, sk: TcpSock): number {
    const error = this.tcp.disconnect(sk);
    socket.state = error === 0 ? SS_UNCONNECTED : SS_DISCONNECTING;
    return error;
  }

  /** inet_listen */
  listen(socket: Socket, backlog: number): number {
    const sk = socket.sk as TcpSock;
    this.tcp.lock(sk);
    const result = this.#listen(socket, sk, backlog);
    this.tcp.release(sk);
    return result;
  }

  #listen(socket: Socket, sk: TcpSock, wanted: number): number {
    if (socket.state !== SS_UNCONNECTED) return -EINVAL;
    // The backlog is unsigned, so that -1 asks for as much as there may be.
    const backlog = Math.min(wanted >>> 0, sk.host.sysctl.somaxconn);
    if (sk.state === TCP_LISTEN) {
      this.tcp.setBacklog(sk, backlog);
      return 0;
    }
    if (sk.state !== TCP_CLOSE) return -EINVAL;
    listenFastOpen(this.tcp, sk, backlog);
    return this.tcp.listenStart(sk, backlog);
  }

  accept(socket: Socket): Sock | number {
    const sk = socket.sk as TcpSock;
    this.tcp.lock(sk);
    const result = sk.state !== TCP_LISTEN ? -EINVAL : (this.tcp.accept(sk) ?? -EAGAIN);
    this.tcp.release(sk);
    return result;
  }

  getname(socket: Socket, address: SockAddr, peer: number): number {
    return inetGetname(socket.sk, address, peer);
  }

  /** inet_shutdown */
  shutdown(socket: Socket, how: number): number {
    const bits = how + 1;
    if ((bits & ~SHUTDOWN_MASK) !== 0 || bits === 0) return -EINVAL;
    const sk = socket.sk as TcpSock;
    this.tcp.lock(sk);
    const result = this.#shutdown(socket, sk, bits);
    // Whoever polls hears of it in any case, even that a socket which is not connected hangs up.
    sk.stateChange();
    this.tcp.release(sk);
    return result;
  }

  #shutdown(socket: Socket, sk: TcpSock, bits: number): number {
    if (socket.state === SS_CONNECTING) {
      const over = handshaking(sk) || sk.state === TCP_CLOSE;
      socket.state = over ? SS_DISCONNECTING : SS_CONNECTED;
    }
    if (sk.state === TCP_SYN_SENT || (sk.state === TCP_LISTEN && (bits & RCV_SHUTDOWN) !== 0)) {
      return this.#disconnect(socket, sk);
    }
    if (sk.state === TCP_LISTEN) return 0;
    const result = sk.state === TCP_CLOSE ? -ENOTCONN : 0;
    sk.shutdown |= bits;
    this.tcp.shutdown(sk, bits);
    return result;
  }

  send(
    socket: Socket,
    buffer: Uint8Array,
    count: number,
    flags: number,
    to: SockAddr | null,
    control: readonly ControlMessage[] | null = null,
  ): number {
    const sk = socket.sk as TcpSock;
    if (control !== null && control.length > 0) {
      const cookie = new SendCookie(sk);
      const error = readSendControl(sk, control, cookie, false);
      if (error < 0) return error;
      if (cookie.tsflags !== 0 || sk.extras !== null) sk.ownExtras().writeTsflags = cookie.tsflags;
    }
    this.tcp.lock(sk);
    const result = sendsFastOpen(sk, flags)
      ? this.#sendFastOpen(socket, sk, buffer, count, flags, to)
      : this.tcp.send(sk, buffer, count, flags);
    this.tcp.release(sk);
    if (control !== null && sk.extras !== null) sk.extras.writeTsflags = -1;
    return result;
  }

  /** tcp_sendmsg_fastopen, not sleeping: what the SYN takes is all, unless the connection is there already. */
  #sendFastOpen(
    socket: Socket,
    sk: TcpSock,
    buffer: Uint8Array,
    count: number,
    flags: number,
    to: SockAddr | null,
  ): number {
    const error = this.fastOpenBegin(sk, buffer, count, to);
    if (error < 0) return error;
    let result = this.connectStart(socket, to, SOCKADDR_IN_SIZE, true);
    if ((result === -EINPROGRESS || result === -EALREADY) && !handshaking(sk)) {
      result = this.connectDone(socket);
    }
    const taken = this.tcp.fastOpenDone(sk, flags);
    if (result === -EINPROGRESS && taken > 0) return taken;
    return result < 0 ? result : this.tcp.send(sk, buffer, count, flags);
  }

  /** What a send hands over for the SYN, before it connects. 0, -EOPNOTSUPP, or -EALREADY while another's is under way. */
  fastOpenBegin(sk: TcpSock, buffer: Uint8Array, count: number, to: SockAddr | null): number {
    if (to !== null && to.family === AF_UNSPEC) return -EOPNOTSUPP;
    return this.tcp.fastOpen(sk, buffer, count);
  }

  recv(socket: Socket, buffer: Uint8Array, count: number, flags: number, info: MessageInfo | null): number {
    const sk = socket.sk as TcpSock;
    if ((flags & MSG_ERRQUEUE) !== 0) return recvError(sk, buffer, count, info);
    this.tcp.lock(sk);
    const result = this.tcp.recv(sk, buffer, count, flags);
    this.tcp.release(sk);
    if (info !== null && result > 0 && (flags & MSG_OOB) !== 0) info.flags |= MSG_OOB;
    if (sk.extras !== null && result >= 0) tellStream(sk, sk.extras, result, flags, info);
    return result;
  }

  ioctl(socket: Socket, request: number, out: { value: number }): number {
    return this.tcp.ioctl(socket.sk as TcpSock, request, out);
  }

  setsockopt(socket: Socket, level: number, name: number, value: OptionValue, length: number): number {
    const sk = socket.sk as TcpSock;
    if (level !== IPPROTO_TCP) return setIpOption(sk, level, name, value, length);
    this.tcp.lock(sk);
    const result = setTcpOption(this.tcp, sk, name, value, length);
    this.tcp.release(sk);
    return result;
  }

  getsockopt(socket: Socket, level: number, name: number, out: OptionResult, mm: ProcessMemory): number {
    const sk = socket.sk as TcpSock;
    if (level === IPPROTO_TCP && name === TCP_ZEROCOPY_RECEIVE) return this.#zerocopyReceive(sk, out, mm);
    if (level === IPPROTO_TCP) return getTcpOption(this.tcp, sk, name, out);
    return getIpOption(sk, level, name, out, sk.route === null ? 0 : sk.route.mtu);
  }

  #zerocopyReceive(sk: TcpSock, out: OptionResult, mm: ProcessMemory): number {
    if (typeof out.value !== 'object' || out.value === null) return -EINVAL;
    this.tcp.lock(sk);
    const result = this.tcp.zerocopyReceive(sk, out.value as TcpZerocopyReceive, mm);
    this.tcp.release(sk);
    if (sk.extras !== null) stampOf(sk, sk.extras, sk.copiedSeq);
    return result;
  }

  /** tcp_set_keepalive */
  setKeepalive(sk: Sock, on: boolean): void {
    const tcp = sk as TcpSock;
    if (tcp.state === TCP_CLOSE || tcp.state === TCP_LISTEN) return;
    if (on && !tcp.keepOpen) {
      armKeepalive(tcp, (tcp.tuning.keepIdle || tcp.host.sysctl.tcpKeepaliveTime) * 1000);
    } else if (!on) {
      clearKeepalive(tcp);
    }
  }

  setRcvlowat(sk: Sock, value: number): void {
    setStreamRcvlowat(sk as TcpSock, value);
  }

  writeSpace(sk: Sock): void {
    streamWriteSpace(sk as TcpSock);
  }

  rerouted(sk: Sock): void {
    const tcp = sk as TcpSock;
    if (tcp.route !== null) tcp.route = this.ip.routeOf(tcp, tcp.daddr) ?? tcp.route;
  }

  release(socket: Socket): void {
    const sk = socket.sk as TcpSock;
    this.tcp.lock(sk);
    this.tcp.close(sk);
  }

  /** The first half of `release`, for a caller that can wait: true if SO_LINGER asks for that, until `closing` is over. */
  releaseStart(socket: Socket): boolean {
    const sk = socket.sk as TcpSock;
    this.tcp.lock(sk);
    const lingers = this.tcp.startClose(sk);
    if (lingers) this.tcp.release(sk);
    return lingers;
  }

  /** Data or FIN of a socket being released is not acknowledged yet. */
  closing(socket: Socket): boolean {
    return this.tcp.isClosing(socket.sk as TcpSock);
  }

  releaseFinish(socket: Socket): void {
    const sk = socket.sk as TcpSock;
    this.tcp.lock(sk);
    this.tcp.finishClose(sk);
  }
}

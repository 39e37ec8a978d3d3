// The TCP of one stack (tcp_prot): what IP hands segments to and what sockets call. It assembles the engine: receive.ts for
// what comes in, connect, listener, sendmsg, recvmsg and close for what the application wants, timers.ts for what time does.

import type { Host } from '../core/host.js';
import { SHUTDOWN_MASK } from '../core/sock.js';
import { ends, traceAccept, traceRecvmsg, traceSendmsg, traceZerocopyReceive } from '../core/trace.js';
import type { NetDevice } from '../ip/device.js';
import type { Ip } from '../ip/ip.js';
import type { IpProtocol } from '../ip/protocol.js';
import type { RxPacket } from '../ip/rx-packet.js';
import type { ProcessMemory } from '../memory/process-memory.js';
import type { IpAddress } from '../packet/address.js';
import { EADDRINUSE, EALREADY, EINVAL, ENETDOWN, ENOTTY, EOPNOTSUPP } from '../uapi/errno.js';
import { IPPROTO_TCP, SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD } from '../uapi/socket.js';
import { TCP_CLOSE, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT } from '../uapi/tcp.js';
import {
  closing,
  destroy,
  doneWithError,
  endTimeWait,
  finishClose,
  setState,
  startClose,
  tcpDisconnect,
  tcpShutdown,
} from './close.js';
import type { CongestionControl } from './congestion/congestion.js';
import { CongestionControls } from './congestion/registry.js';
import { sendFirstSyn, tcpConnect } from './connect.js';
import { initDelayedAck, sendWaitingAck } from './delayed-ack.js';
import { FastOpenRequest, TFO_CLIENT_ENABLE } from './fastopen/fastopen.js';
import { type TcpInfo, tcpInfo } from './info.js';
import { ListenState } from './listen/listen-state.js';
import { dropRequest, requestExpired } from './listen/listener.js';
import { defaultTcpMem } from './memory.js';
import { icmpError } from './path/icmp-error.js';
import { receiveSegment, runBacklog } from './receive.js';
import { resumeSending } from './recovery/retransmit.js';
import { tcpInq, tcpRecv } from './recvmsg.js';
import { tcpSend } from './sendmsg.js';
import { TcpSock } from './sock.js';
import { TcpShared } from './tcp-shared.js';
import { timerExpired } from './timers.js';
import { markSynData } from './tx-marks.js';
import { type TcpZerocopyReceive, tcpZerocopyReceive } from './zerocopy-receive.js';

export class Tcp extends TcpShared implements IpProtocol {
  readonly controls: CongestionControls;

  constructor(host: Host, ip: Ip) {
    super(host, ip);
    this.controls = new CongestionControls(host.sysctl);
    const { sysctl, memory } = host;
    if (sysctl.tcpMem[1] === 0) sysctl.tcpMem = defaultTcpMem(memory.capacity);
    this.controlNamed = (name) => this.congestionControl(name);
    this.timerExpired = timerExpired;
    this.requestExpired = requestExpired;
    this.timeWaitExpired = endTimeWait;
    ip.register(IPPROTO_TCP, this);
    host.onFlush(this);
  }

  receive(packet: RxPacket): void {
    receiveSegment(this, packet);
  }

  error(
    src: IpAddress,
    dst: IpAddress,
    transport: number,
    errno: number,
    _fatal: boolean,
    type: number,
    code: number,
    info: number,
  ): void {
    icmpError(this, src, dst, transport, errno, type, code, info);
  }

  /** End of a batch: acknowledgements that no answer has carried, and segments that found the ring full. */
  runDeferred(): void {
    const list = this.takeDeferred();
    for (let i = 0; i < list.length; i++) {
      const sk = list[i];
      sk.deferred = false;
      if (sk.sendDeferred) {
        sk.sendDeferred = false;
        resumeSending(sk);
      }
      if (!sk.ackDeferred) continue;
      sk.ackDeferred = false;
      if (sk.state !== TCP_CLOSE) sendWaitingAck(sk);
    }
    // Emptied so, it keeps its memory, and calls nobody: 7 ns instead of 56.
    while (list.length > 0) list.pop();
    this.memory.notify();
  }

  createSock(): TcpSock {
    const sk = new TcpSock(this.host, this, this.controls.default);
    const { tcpRtoMaxMs, tcpMinRtoUs } = this.host.sysctl;
    if (tcpRtoMaxMs !== sk.tuning.rtoMaxMs) sk.ownTuning().rtoMaxMs = tcpRtoMaxMs;
    if (tcpMinRtoUs !== sk.tuning.rtoMinUs) sk.ownTuning().rtoMinUs = tcpMinRtoUs;
    return sk;
  }

  /** lock_sock: loopback segments for it wait until `release`. */
  lock(sk: TcpSock): void {
    sk.owned = true;
  }

  /** release_sock */
  release(sk: TcpSock): void {
    if (sk.backlog !== null) {
      // What the backlog provokes may arrive at once and joins the queue behind it, as in __release_sock.
      while (sk.backlog.bytes > 0) runBacklog(sk);
    }
    sk.owned = false;
  }

  /** 0, -ENETUNREACH, -EADDRNOTAVAIL. The caller has checked the state; SYN_SENT afterwards. */
  connect(sk: TcpSock, daddr: IpAddress, dport: number): number {
    return tcpConnect(sk, daddr, dport);
  }

  /**
   * tcp_sendmsg_fastopen's first half: `data` is for the SYN of the connect that follows, or of the one that has waited for it.
   * 0, -EOPNOTSUPP or -EALREADY.
   */
  fastOpen(sk: TcpSock, data: Uint8Array, size: number): number {
    if ((this.host.sysctl.tcpFastopen & TFO_CLIENT_ENABLE) === 0) return -EOPNOTSUPP;
    const state = sk.ownFastOpen();
    if (state.request !== null) return -EALREADY;
    state.request = new FastOpenRequest(data, size);
    if (state.deferred && sk.state === TCP_SYN_SENT) sendFirstSyn(sk);
    return 0;
  }

  /** Its second half: the call ends, or goes on with what is left. How many bytes the SYN took. */
  fastOpenDone(sk: TcpSock, flags: number): number {
    const state = sk.fastopen;
    if (state === null || state.request === null) return 0;
    const { copied } = state.request;
    if (copied > 0 && sk.extras !== null) markSynData(sk, sk.extras, flags, copied);
    state.request = null;
    state.deferred = false;
    state.writePending = false;
    return copied;
  }

  /** inet_csk_listen_start: claims the port as a listener's. 0 or -EADDRINUSE. */
  listenStart(sk: TcpSock, backlog: number): number {
    sk.listener = new ListenState(backlog);
    sk.fastopen?.queue?.clear();
    initDelayedAck(sk);
    sk.state = TCP_LISTEN;
    if (this.ports.portOf(sk) !== 0) {
      if (!this.ports.recheck(sk)) return this.#listenFailed(sk);
    } else {
      const port = this.ports.bind(sk, 0);
      if (port < 0) return this.#listenFailed(sk);
      sk.sport = port;
    }
    this.listeners.insert(sk);
    return 0;
  }

  #listenFailed(sk: TcpSock): number {
    sk.listener = null;
    sk.state = TCP_CLOSE;
    return -EADDRINUSE;
  }

  /** listen() on a listener: what stands in the queues stays, even above the new backlog. */
  setBacklog(sk: TcpSock, backlog: number): void {
    if (sk.listener !== null) sk.listener.backlog = backlog;
  }

  /** A congestion control by the name that TCP_CONGESTION and the sysctl use, or null. */
  congestionControl(name: string): CongestionControl | null {
    return this.controls.get(name);
  }

  /** The oldest child whose handshake is complete, or null (inet_csk_accept). */
  accept(sk: TcpSock): TcpSock | null {
    if (sk.listener === null) return null;
    const child = sk.listener.shift();
    if (child !== null && traceAccept.on) {
      traceAccept.emit(this.host, { ...ends(child), length: sk.listener.acceptLength });
    }
    return child;
  }

  /** Bytes taken, -EAGAIN, -EPIPE or the pending error; see sendmsg.ts. */
  send(sk: TcpSock, buffer: Uint8Array, length: number, flags: number): number {
    if (traceSendmsg.on) traceSendmsg.emit(this.host, { ...ends(sk), length });
    return tcpSend(sk, buffer, length, flags);
  }

  /** Bytes copied, 0 at the end, -EAGAIN, -ENOTCONN or the pending error; see recvmsg.ts. */
  recv(sk: TcpSock, buffer: Uint8Array, length: number, flags: number): number {
    const result = tcpRecv(sk, buffer, length, flags);
    if (traceRecvmsg.on) traceRecvmsg.emit(this.host, { ...ends(sk), result });
    return result;
  }

  /** 0, -EINVAL, -EFAULT, -ENOTCONN or -EIO; see zerocopy-receive.ts. */
  zerocopyReceive(sk: TcpSock, zc: TcpZerocopyReceive, mm: ProcessMemory): number {
    const result = tcpZerocopyReceive(sk, zc, mm);
    if (traceZerocopyReceive.on) {
      traceZerocopyReceive.emit(this.host, { ...ends(sk), result, length: result < 0 ? 0 : zc.length });
    }
    return result;
  }

  /** The caller has set the bits in `sk.shutdown`; sends the FIN that SEND_SHUTDOWN asks for. */
  shutdown(sk: TcpSock, how: number): void {
    tcpShutdown(sk, how);
  }

  /** tcp_disconnect */
  disconnect(sk: TcpSock): number {
    return tcpDisconnect(sk);
  }

  /** First half of close: true if SO_LINGER wants to wait until `isClosing` turns false, at most `sk.lingerMs`. */
  startClose(sk: TcpSock): boolean {
    return startClose(sk);
  }

  /** FIN sent and not acknowledged yet (sk_stream_closing). */
  isClosing(sk: TcpSock): boolean {
    return closing(sk);
  }

  /** Second half of close: the sock is an orphan from here on, or gone. Includes `release`. */
  finishClose(sk: TcpSock): void {
    finishClose(sk, runBacklog);
    sk.owned = false;
  }

  /** tcp_close without lingering. */
  close(sk: TcpSock): void {
    startClose(sk);
    finishClose(sk, runBacklog);
    sk.owned = false;
  }

  /** SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK: 0 and the value in `out`, -EINVAL on a listener, -ENOTTY for others. */
  ioctl(sk: TcpSock, request: number, out: { value: number }): number {
    const young = sk.state === TCP_SYN_SENT || sk.state === TCP_SYN_RECV;
    switch (request) {
      case SIOCINQ:
        if (sk.state === TCP_LISTEN) return -EINVAL;
        out.value = tcpInq(sk);
        return 0;
      case SIOCATMARK:
        out.value = sk.rx.urgData !== 0 && sk.rx.urgSeq === sk.copiedSeq ? 1 : 0;
        return 0;
      case SIOCOUTQ:
        if (sk.state === TCP_LISTEN) return -EINVAL;
        out.value = young ? 0 : (sk.writeSeq - sk.sndUna) | 0;
        return 0;
      case SIOCOUTQNSD:
        if (sk.state === TCP_LISTEN) return -EINVAL;
        out.value = young ? 0 : (sk.writeSeq - sk.sndNxt) | 0;
        return 0;
      default:
        return -ENOTTY;
    }
  }

  info(sk: TcpSock): TcpInfo {
    return tcpInfo(sk);
  }

  /** A link is gone for good: so are the connections over it. */
  linkDown(device: NetDevice): void {
    this.host.refresh();
    for (const sk of [...this.established]) if (sk.route?.device === device) doneWithError(sk, ENETDOWN);
  }

  /** Ends everything without a word to anybody; the stack is closing. */
  destroyAll(): void {
    for (const request of [...this.requests]) dropRequest(request);
    for (const tw of [...this.timeWaits]) endTimeWait(tw);
    for (const sk of [...this.established, ...this.listeners]) {
      sk.shutdown = SHUTDOWN_MASK;
      setState(sk, TCP_CLOSE);
      destroy(sk);
    }
  }

  /** How much the protocol holds, for listings and tests (/proc/net/sockstat). */
  get counts(): { established: number; requests: number; timeWait: number; orphans: number } {
    return {
      established: this.established.count,
      requests: this.requests.count,
      timeWait: this.timeWaits.count,
      orphans: this.orphans,
    };
  }
}

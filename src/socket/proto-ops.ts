// What a kind of socket can do (struct proto_ops). Nothing here sleeps: where a blocking call would, the result is -EAGAIN
// (or connect's provisional error), and the blocking calls of kernel/ sleep and ask again.

import type { Sock } from '../core/sock.js';
import type { Ip } from '../ip/ip.js';
import type { ProcessMemory } from '../memory/process-memory.js';
import type { ControlMessage } from './control-message.js';
import type { SockAddr } from './sock-addr.js';
import type { Socket } from './socket.js';

/** struct linger: value of SO_LINGER. */
export interface Linger {
  /** Not 0: a close that may sleep does so until all is acknowledged; with a time of 0 every close is a reset. */
  l_onoff: number;
  /** Seconds that it sleeps at most. */
  l_linger: number;
}

/** struct timeval. */
export interface Timeval {
  /** Seconds. */
  tv_sec: number;
  /** Microseconds beside them, 0 to 999,999. */
  tv_usec: number;
}

/** Value of a socket option: most are ints; SO_LINGER a Linger, time-outs a Timeval, TCP_CONGESTION a name, TCP_FASTOPEN_KEY bytes. */
export type OptionValue = number | string | Linger | Timeval | Uint8Array;

/** Where getsockopt puts its answer; `TCP_INFO` and `SO_MEMINFO` answer with an object, `TCP_ZEROCOPY_RECEIVE` fills in the one there. */
export interface OptionResult {
  /** Set by getsockopt, if it does not fail. */
  value: number | string | object;
}

/** Where recvfrom and recvmsg learn more than the data (struct msghdr). */
export interface MessageInfo {
  /** Filled with the sender's address, where the protocol tells one. */
  name: SockAddr | null;
  /** MSG_TRUNC, MSG_OOB, MSG_EOR … */
  flags: number;
  /** Filled with control messages; null: there is no room for any. */
  control: ControlMessage[] | null;
  /** Bytes of room for them, as a C program would count. */
  controlRoom: number;
}

/** A message header without room for anything but, perhaps, an address: what recv and recvfrom have. */
export function plainInfo(name: SockAddr | null): MessageInfo | null {
  return name === null ? null : { name, flags: 0, control: null, controlRoom: 0 };
}

/** Results: >= 0, or -errno. */
export interface ProtoOps {
  readonly ip: Ip;
  bind(socket: Socket, address: SockAddr, length: number): number;
  /** Provisional -EINPROGRESS or -EALREADY where a blocking caller would sleep until `connectDone`. */
  connect(socket: Socket, address: SockAddr, length: number): number;
  listen(socket: Socket, backlog: number): number;
  /** The new socket's sock, already attached to no socket; or -errno. */
  accept(socket: Socket): Sock | number;
  /** `peer`: 0 its own name, 1 its peer's, 2 its peer's even if the connection is over (accept). */
  getname(socket: Socket, address: SockAddr, peer: number): number;
  shutdown(socket: Socket, how: number): number;
  /** `to` null: the connected peer. `control`: what sendmsg says beside, or null. */
  send(
    socket: Socket,
    buffer: Uint8Array,
    count: number,
    flags: number,
    to: SockAddr | null,
    control?: readonly ControlMessage[] | null,
  ): number;
  recv(socket: Socket, buffer: Uint8Array, count: number, flags: number, info: MessageInfo | null): number;
  ioctl(socket: Socket, request: number, out: { value: number }): number;
  setsockopt(socket: Socket, level: number, name: number, value: OptionValue, length: number): number;
  /** `mm`: the caller's memory (current->mm), for what is lent instead of copied. */
  getsockopt(socket: Socket, level: number, name: number, out: OptionResult, mm: ProcessMemory): number;
  /** What SOL_SOCKET options do beyond setting a field. */
  setKeepalive(sk: Sock, on: boolean): void;
  setRcvlowat(sk: Sock, value: number): void;
  writeSpace(sk: Sock): void;
  /** The way it sends must be looked up anew (sk_dst_reset). */
  rerouted(sk: Sock): void;
  /** The file is gone. With SO_LINGER the caller may have waited (see `startClose`). */
  release(socket: Socket): void;
}

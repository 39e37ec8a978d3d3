// The public face of tapstack. Whatever is not exported here is nobody's business but the stack's own.

export type { Random } from './core/random.js';
export { SeededRandom } from './core/random.js';
export { epollEvents } from './eventpoll/ep-send-events.js';
export type { EpollEvent } from './eventpoll/epitem.js';
export type { Blocking } from './kernel/blocking.js';
export type { DoctorCode, DoctorWarning } from './kernel/doctor.js';
export { EFD_SEMAPHORE } from './kernel/eventfd.js';
export type { InterfaceOptions, RouteOptions } from './kernel/interface-options.js';
export type {
  Listener,
  ListenerCounters,
  ListenerLimits,
  PendingHandshake,
  WaitingConnection,
} from './kernel/listener-handle.js';
export type { Process, ProcessOptions } from './kernel/process.js';
export type { SleepOptions } from './kernel/sleep.js';
export type { SocketRow } from './kernel/socket-rows.js';
export type { MessageHeader } from './kernel/sys-message.js';
export type { PollFd } from './kernel/sys-poll.js';
export type { Syscalls } from './kernel/syscalls.js';
export {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  type Itimerspec,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
  type Timespec,
} from './kernel/timerfd.js';
export type { Link, LinkReceiver } from './link/link.js';
export { CaptureLink, capture } from './link/pcap-link.js';
export type { PcapngTarget } from './link/pcapng.js';
export { TapLink, type TapOptions } from './link/tap.js';
export {
  createWire,
  type WireFault,
  type WireLink,
  type WireOptions,
  type WireVerdict,
} from './link/wire.js';
export type {
  ControlData,
  ControlMessage,
  ExtendedError,
  PacketInfo,
  StampTime,
  Timestamping,
} from './socket/control-message.js';
export type { Linger, OptionResult, OptionValue, Timeval } from './socket/proto-ops.js';
export type { SockAddr } from './socket/sock-addr.js';
export { Stack, type StackOptions } from './stack.js';
export {
  CA_EVENT_COMPLETE_CWR,
  CA_EVENT_CWND_RESTART,
  CA_EVENT_ECN_IS_CE,
  CA_EVENT_ECN_NO_CE,
  CA_EVENT_LOSS,
  CA_EVENT_TX_START,
  CongestionControl,
  isCwndLimited,
} from './tcp/congestion/congestion.js';
export { Cubic } from './tcp/congestion/cubic.js';
export { additiveIncrease, Reno, slowStart } from './tcp/congestion/reno.js';
export type { TcpInfo } from './tcp/info.js';
export type { AcceptOverflow, OnSyn, SynOverflow, SynVerdict, WakeOrder } from './tcp/listen/steering.js';
export type { ConnectionEnd, SynDetails } from './tcp/listen/syn-details.js';
export type { RateSample } from './tcp/rate.js';
export type { TcpSock } from './tcp/sock.js';
export type { TcpZerocopyReceive } from './tcp/zerocopy-receive.js';
export { type Alarm, type Clock, RealClock, VirtualClock } from './time/clock.js';
export * from './uapi/errno.js';
export * from './uapi/errqueue.js';
export * from './uapi/fcntl.js';
export * from './uapi/poll.js';
export * from './uapi/socket.js';
export * from './uapi/tcp.js';
export { tuneV8 } from './v8-flags.js';

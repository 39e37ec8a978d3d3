// What is said over a control socket. A caller connects, writes one line of JSON (a request), and reads one line of JSON (the
// answer); `trace` goes on with a line for each event, `capture` with pieces of a pcapng file, until either side has had enough.

import type { NicStats } from '../link/native-nic.js';
import type { TcpInfo } from '../tcp/info.js';

/** Raised when an older caller would misunderstand what it reads. */
export const CONTROL_VERSION = 1;
/** A request is no longer than this. */
export const MAX_REQUEST = 64 * 1024;

export type ControlRequest =
  | { method: 'hello' }
  | { method: 'sockets' }
  | { method: 'counters' }
  | { method: 'interfaces' }
  | { method: 'routes' }
  | { method: 'trace'; points?: string[]; port?: number }
  | { method: 'capture'; count?: number; snaplen?: number; interfaces?: string[] };

export type ControlAnswer<T> = { result: T } | { error: string };

/** Whom one has reached. */
export interface Hello {
  version: number;
  pid: number;
  /** Where that number holds, see `pidNamespace`. */
  pidNamespace: string;
  /** What the program called itself. */
  name: string;
  /** Its command line. */
  command: string[];
  /** Seconds since the stack was made known. */
  uptime: number;
  interfaces: string[];
}

export interface Endpoint {
  /** Null: any. */
  address: string | null;
  port: number;
}

/** Which timer runs, when it is due, and how often it has been due in vain (idiag_timer). */
export interface TimerDetail {
  name: 'on' | 'keepalive' | 'timewait' | 'persist';
  ms: number;
  count: number;
}

/** One socket, with all that `ss` may be asked to show. */
export interface SocketDetail {
  protocol: 'tcp' | 'udp';
  /** A TCP state as in uapi/tcp.ts; of UDP UNCONN or ESTABLISHED. */
  state: string;
  local: Endpoint;
  peer: Endpoint;
  /** Index and name of the interface it is bound to; null: none. */
  device: string | null;
  /** Bytes received and not read; of a listener, connections waiting for accept(). */
  recvq: number;
  /** Bytes not acknowledged; of a listener, its backlog. */
  sendq: number;
  /** Who has it open. `process` is the number of the process on this stack. */
  users: { process: number; fd: number }[];
  uid: number;
  /** A number of its own as long as it lives; 0: no program has it. */
  inode: number;
  /** SO_COOKIE, once that was asked for; else 0. */
  cookie: number;
  timer: TimerDetail | null;
  /** SK_MEMINFO_*, bytes. */
  memory: Record<string, number> | null;
  congestion: string | null;
  /** What the congestion control tells of itself (TCP_CC_INFO). */
  congestionInfo: Record<string, number> | null;
  info: TcpInfo | null;
  /** Of a listener: peers in the middle of their handshake, and peers waiting for accept(), oldest first. */
  synQueue?: string[];
  acceptQueue?: string[];
  /** Of a listener that pauses: what it does with SYNs. */
  paused?: 'dropping' | 'refusing';
}

export interface InterfaceDetail {
  index: number;
  name: string;
  mtu: number;
  mac: string;
  address: string;
  prefix: number;
  up: boolean;
  loopback: boolean;
  /** csum, tso4, ecn: what the device does for the stack. */
  offloads: string[];
  /** Frames in its transmit ring, and how many it holds. */
  txQueued: number;
  txSlots: number;
  /** The device's own counters; null where it has none (loopback, a wire in memory). */
  stats: NicStats | null;
  neighbours: { address: string; mac: string | null; state: string }[];
}

export interface RouteDetail {
  /** `10.0.0.0/24`; `default`. */
  destination: string;
  gateway: string | null;
  interface: string;
  /** Our address there. */
  source: string;
  /** Those that were set, as `ip route` names them. */
  metrics: Record<string, number | string | boolean>;
}

/**
 * A trace event as a line: its point, microseconds of the stack's clock, and what the point tells. The last has `dropped` for its
 * point, and as `count` how many came faster than they were read.
 */
export interface TraceLine {
  point: string;
  time: number;
  [field: string]: unknown;
}

/** Ends a capture. */
export interface CaptureEnd {
  frames: number;
  /** Frames that came faster than they were read. */
  dropped: number;
}

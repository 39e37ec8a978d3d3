// What a packet script says, once it is read: options, commands, and events in their order. The parser makes it, the runner
// walks it; nothing here knows of a stack.

export interface Place {
  /** Both count from 1. */
  line: number;
  column: number;
}

/** Why a script could not be read, and where. */
export class ScriptSyntaxError extends Error {
  readonly place: Place;

  constructor(place: Place, message: string) {
    super(message);
    this.name = 'ScriptSyntaxError';
    this.place = place;
  }
}

export type TimeKind = 'absolute' | 'relative' | 'any' | 'absolute-range' | 'relative-range';

/** When an event is due, in microseconds: from the start of the script, or from the event before it. `to` ends a range. */
export interface EventTime {
  kind: TimeKind;
  from: number;
  to: number;
}

interface EventBase {
  time: EventTime;
  place: Place;
  /** As written, on one line. */
  text: string;
}

export interface PacketEvent extends EventBase {
  kind: 'packet';
  packet: Packet;
}

export interface CallEvent extends EventBase {
  kind: 'call';
  name: string;
  args: Expression[];
  result: Expression;
  /** Name of the expected error, or null. */
  errno: string | null;
  /** For a call that may sleep: when it must return (microseconds, counted as the event's time is); null for others. */
  until: number | null;
}

export interface CommandEvent extends EventBase {
  kind: 'command';
  command: string;
}

export interface CodeEvent extends EventBase {
  kind: 'code';
  code: string;
}

export type ScriptEvent = PacketEvent | CallEvent | CommandEvent | CodeEvent;

export interface ScriptOption {
  name: string;
  value: string | null;
  place: Place;
}

export interface ShellText {
  text: string;
  place: Place;
}

export interface Script {
  path: string;
  options: ScriptOption[];
  init: ShellText | null;
  events: ScriptEvent[];
  cleanup: ShellText | null;
}

/** What a packet's IP header says, as far as it is written. */
export interface IpInfo {
  ecn?: 'noecn' | 'ect0' | 'ect1' | 'ect01' | 'ce';
  tos?: number;
  ttl?: number;
  flowLabel?: number;
}

export interface Ports {
  src: number;
  dst: number;
}

interface PacketBase {
  /** `in`: injected into the stack; `out`: must be seen leaving it. */
  direction: 'in' | 'out';
  ip: IpInfo;
  /** Outer headers by name (`gre`, `ipv4` …), which the runner cannot make. */
  encapsulation: string[];
}

/** Bits of the TCP header's flags, AE included (RFC 3168, draft-ietf-tcpm-accurate-ecn). */
export const AE = 0x100;

export interface TcpPacket extends PacketBase {
  kind: 'tcp';
  ports: Ports | null;
  flags: number;
  /** The three ECN bits as one field, if written as a digit. */
  ace: number | null;
  seq: number;
  length: number;
  ack: number;
  /** Raw 16 bits; null when not written. */
  window: number | null;
  urgent: number;
  /** null: any options. */
  options: TcpOption[] | null;
}

export interface UdpPacket extends PacketBase {
  kind: 'udp';
  ports: Ports | null;
  length: number;
}

export interface IcmpPacket extends PacketBase {
  kind: 'icmp';
  /** Named as ICMPv6 does. */
  isIcmp6: boolean;
  type: number;
  code: number;
  mtu: number | null;
  id: number;
  /** What it quotes: a TCP segment, a UDP datagram, or nothing but `length` bytes in all. */
  quote: { protocol: 'tcp' | 'udp' | 'raw'; seq: number; length: number };
}

export type Packet = TcpPacket | UdpPacket | IcmpPacket;

export type TcpOption =
  | { kind: 'nop' }
  | { kind: 'eol' }
  | { kind: 'mss'; value: number }
  | { kind: 'wscale'; value: number }
  | { kind: 'sackOK' }
  | { kind: 'sack'; blocks: [number, number][] }
  | { kind: 'TS'; val: number; ecr: number }
  | { kind: 'md5'; digest: Uint8Array }
  | { kind: 'FO'; cookie: Uint8Array }
  | { kind: 'FOEXP'; cookie: Uint8Array }
  | { kind: 'ECN'; counters: { name: 'e0b' | 'ceb' | 'e1b'; value: number }[] }
  | { kind: 'other'; number: number; data: Uint8Array };

/** An argument or result of a system call. */
export type Expression =
  | { kind: 'ellipsis' }
  | { kind: 'integer'; value: number }
  | { kind: 'word'; name: string }
  | { kind: 'string'; value: string }
  | { kind: 'or'; left: Expression; right: Expression }
  | { kind: 'assign'; name: string; value: Expression }
  | { kind: 'list'; items: Expression[] }
  /** `{name=value, …}`; a field may carry a count, as `msg_iov(2)`. */
  | { kind: 'struct'; fields: Field[] }
  | { kind: 'call'; name: string; args: Expression[] };

export interface Field {
  name: string;
  count: Expression | null;
  value: Expression;
}

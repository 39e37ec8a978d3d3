// A TCP to talk to segment by segment: the test is the peer on the wire and the program on the socket, under a virtual clock.
// Sequence numbers are relative to each side's SYN (which is 0), times are milliseconds since the last `mark`.

import { expect } from 'vitest';
import { Sysctl, type Sysctl as SysctlFields } from '../../src/core/sysctl.js';
import { LINK_F_CSUM, LINK_F_TSO4 } from '../../src/link/link.js';
import { PacketMemory } from '../../src/memory/packet-memory.js';
import type { IpAddress } from '../../src/packet/address.js';
import { Tcp } from '../../src/tcp/tcp.js';
import { TCP_STATE_NAMES } from '../../src/uapi/tcp.js';
import { address, OUR_ADDRESS, PEER_ADDRESS, PEER_MAC, type TestStack, testStack } from '../ip/stack.js';
import { mac } from '../packet/build.js';
import { Program } from './program.js';
import { type ParsedSegment, parseSegment, type SegmentFields, tcpFrame } from './segments.js';

export { LINK_F_CSUM, LINK_F_TSO4, PacketMemory };

/** What the peer says. `data` may be text, bytes, or a number of bytes. What is left out follows from the conversation. */
export interface Said extends Partial<Omit<SegmentFields, 'data'>> {
  data?: string | Uint8Array | number;
}

/** What the stack said; `at`: when. Options that were absent are absent here. */
export type Heard = ParsedSegment & { at: number; length: number; gso: number };

/** What a test expects of it: any part. `data` as text. */
export type Expected = Partial<Omit<Heard, 'data'>> & { data?: string | number };

export interface ConversationOptions {
  mtu?: number;
  features?: number;
  /** Slots of the transmit ring. */
  slots?: number;
  /** Bytes of packet memory. */
  memory?: number;
  sysctl?: Partial<Omit<SysctlFields, 'get' | 'set' | 'all'>>;
}

/** How the peer opens: what it puts into its SYN (or SYN-ACK), and the port it uses. */
export interface Opening {
  mss?: number | null;
  wscale?: number | null;
  sackOk?: boolean;
  ts?: boolean;
  win?: number;
  port?: number;
}

const text = new TextDecoder('latin1');
/** The peer's initial sequence number: its stream crosses zero soon, and INT_MIN is never far. */
const PEER_ISN = -300;
const FIRST_PORT = 40000;

const OUR_IP = address(OUR_ADDRESS);
const ALPHABET = Uint8Array.from({ length: 1 << 18 }, (_, i) => 97 + (i % 26));

/** `length` bytes: abc…xyzabc… */
export function fill(length: number): Uint8Array {
  return ALPHABET.slice(0, length);
}

/** One connection as the peer sees it. */
export class Peer {
  readonly #talk: Conversation;
  readonly port: number;
  readonly theirPort: number;
  readonly address: IpAddress;
  /** Next sequence number to send, and to acknowledge (relative). */
  nxt = 0;
  heardTo = 0;
  win = 65535;
  /** The peer puts timestamps on its segments; its clock, and the last of ours that it saw. */
  ts = false;
  tsClock = 5000;
  tsSeen = 0;
  isn = PEER_ISN;
  /** Our initial sequence number, once heard. */
  theirIsn: number | null = null;
  readonly inbox: Heard[] = [];

  constructor(talk: Conversation, port: number, theirPort: number, from = PEER_ADDRESS) {
    this.#talk = talk;
    this.port = port;
    this.theirPort = theirPort;
    this.address = address(from);
  }

  /** The frame of a segment; the peer's notion of the conversation moves on. */
  frame(said: Said): Uint8Array {
    const { flags = 'A' } = said;
    const seq = said.seq ?? this.nxt;
    const data =
      typeof said.data === 'number'
        ? fill(said.data)
        : typeof said.data === 'string'
          ? encode(said.data)
          : said.data;
    const length = data?.length ?? 0;
    const end = seq + length + (flags.includes('S') ? 1 : 0) + (flags.includes('F') ? 1 : 0);
    if (end > this.nxt) this.nxt = end;
    const ack = said.ack ?? (flags.includes('A') ? this.heardTo : 0);
    const base = flags.includes('A') || said.ack !== undefined ? (this.theirIsn ?? 0) : 0;
    const ts =
      said.ts ?? (this.ts ? ([this.tsClock, flags.includes('A') ? this.tsSeen : 0] as const) : undefined);
    return tcpFrame(this.address, this.port, OUR_IP, this.theirPort, {
      ...said,
      data,
      flags,
      seq: (this.isn + seq) | 0,
      ack: (base + ack) | 0,
      win: said.win ?? this.win,
      ts,
      sack: said.sack?.map(([a, b]) => [(base + a) | 0, (base + b) | 0] as const),
    });
  }

  /** Segments arrive, as one batch. */
  sends(...said: Said[]): this {
    this.#talk.deliver(said.map((one) => this.frame(one)));
    return this;
  }

  /** The next segment from the stack is this one. */
  hears(expected: Expected = {}): Heard {
    const heard = this.inbox.shift();
    if (heard === undefined) throw new Error(`nothing was heard, but ${describe(expected)} was expected`);
    const actual: Record<string, unknown> = {};
    for (const key of Object.keys(expected)) {
      const value = heard[key as keyof Heard];
      actual[key] =
        key === 'data' ? (typeof expected.data === 'number' ? heard.length : text.decode(heard.data)) : value;
    }
    expect(actual, `heard ${describe(heard)}`).toEqual(expected);
    return heard;
  }

  hearsNothing(): this {
    expect(this.inbox.map(describe)).toEqual([]);
    return this;
  }

  /** Everything heard since, in short: `SA 0:1 ack 1`. */
  heard(): string[] {
    return this.inbox.splice(0).map(describe);
  }

  /** When segments came, with `flags` if given; the inbox is emptied. */
  times(flags?: string): number[] {
    return this.inbox
      .splice(0)
      .filter((heard) => flags === undefined || heard.flags === flags)
      .map((heard) => heard.at);
  }

  /** Called by the conversation for each segment to this peer. */
  take(segment: ParsedSegment, gso: number): void {
    const isSyn = segment.flags.includes('S');
    if (isSyn || this.theirIsn === null) this.theirIsn = segment.flags.includes('R') ? 0 : segment.seq;
    if (segment.flags === 'R') this.theirIsn ??= 0;
    const base = this.theirIsn ?? 0;
    const seq = (segment.seq - base) | 0;
    const ack = segment.flags.includes('A') ? (segment.ack - this.isn) | 0 : 0;
    const { data } = segment;
    const end = seq + data.length + (isSyn ? 1 : 0) + (segment.flags.includes('F') ? 1 : 0);
    // The peer acknowledges what came without a hole.
    if (seq <= this.heardTo && end > this.heardTo) this.heardTo = end;
    if (segment.ts !== undefined) this.tsSeen = segment.ts[0];
    const sack = segment.sack?.map(([a, b]) => [(a - this.isn) | 0, (b - this.isn) | 0] as const);
    const heard = { ...segment, seq, ack, length: data.length, at: this.#talk.since, gso } as Heard;
    if (sack !== undefined) heard.sack = sack;
    this.inbox.push(heard);
  }
}

function encode(said: string): Uint8Array {
  return Uint8Array.from(said, (letter) => letter.charCodeAt(0));
}

export function describe(heard: Expected | Heard): string {
  const { flags = '?', seq = 0, ack = 0, length = 0, sack } = heard;
  const blocks = sack?.map(([a, b]) => ` ${a}-${b}`).join('') ?? '';
  return `${flags} ${seq}:${seq + length} ack ${ack}${blocks === '' ? '' : ` sack${blocks}`}`;
}

export class Conversation {
  readonly stack: TestStack;
  readonly tcp: Tcp;
  readonly #peers = new Map<number, Peer>();
  /** Frames that were no TCP segment to a known peer. */
  readonly strays: Uint8Array[] = [];
  #nextPort = FIRST_PORT;
  #marked = 0;

  constructor(options: ConversationOptions = {}) {
    this.stack = testStack(options);
    const { host, ip, clock } = this.stack;
    // Timestamps count from the clock itself (value 2), so that tests can tell them.
    Object.assign(host.sysctl, new Sysctl(), { tcpTimestamps: 2 }, options.sysctl);
    ip.addNeighbour(ip.routes.devices[1], address(PEER_ADDRESS), mac(PEER_MAC));
    clock.advance(1_000_000_000);
    host.refresh();
    this.tcp = new Tcp(host, ip);
    this.mark();
  }

  get host() {
    return this.stack.host;
  }

  /** From here on `at` and `since` count. */
  mark(): void {
    this.#marked = this.stack.clock.now();
  }

  get since(): number {
    return Math.floor((this.stack.clock.now() - this.#marked) / 1000);
  }

  /** A new peer connection to port 80, or to `theirPort`. */
  peer(port = this.#nextPort++, theirPort = 80): Peer {
    const peer = new Peer(this, port, theirPort);
    this.#peers.set(port, peer);
    return peer;
  }

  program(sk = this.tcp.createSock()): Program {
    return new Program(this, sk);
  }

  /** A listener on port 80. */
  listen(backlog = 16, port = 80): Program {
    const program = this.program();
    program.sk.sport = this.tcp.ports.bind(program.sk, port);
    // SOCK_BINDPORT_LOCK
    program.sk.userlocks |= 8;
    expect(this.tcp.listenStart(program.sk, backlog)).toBe(0);
    return program;
  }

  /** Frames arrive as one batch. */
  deliver(frames: readonly Uint8Array[], flags = 0, gsoSize = 0): void {
    this.stack.link.deliver(frames, flags, gsoSize);
    this.collect();
  }

  /** The program's turn is over: what was put off is done. */
  settle(): void {
    this.stack.ip.flushDeferred();
    this.collect();
  }

  /** Lets time pass; what is sent meanwhile carries its time. */
  after(ms: number): this {
    const { clock, host } = this.stack;
    const end = clock.now() + ms * 1000;
    while (clock.step(end)) {
      this.stack.ip.flushDeferred();
      this.collect();
    }
    clock.moveTo(end);
    host.refresh();
    return this;
  }

  /** Takes everything off the wire and hands it to the peers. */
  collect(): void {
    for (const { bytes: frame, gsoSize } of this.stack.link.take()) {
      const isTcp = frame[12] === 8 && frame[13] === 0 && frame[23] === 6;
      const packet = frame.subarray(14, 14 + ((frame[16] << 8) | frame[17]));
      const segment = isTcp ? parseSegment(packet.subarray(20)) : null;
      const peer = segment === null ? undefined : this.#peers.get(segment.dport);
      if (segment === null || peer === undefined) this.strays.push(frame);
      else peer.take(segment, gsoSize);
    }
    this.stack.ip.flushDeferred();
    if (this.stack.link.tx.pending > 0) this.collect();
  }

  /** A connection that the peer opened and the program accepted; nothing is left to hear. */
  established(opening: Opening = {}, listener = this.#listener()): { peer: Peer; program: Program } {
    const peer = this.peer(opening.port);
    this.handshake(peer, opening);
    return { peer, program: listener.accept() };
  }
  #listening: Program | null = null;

  #listener(): Program {
    this.#listening ??= this.listen();
    return this.#listening;
  }

  /** The listener that `established` opens. */
  get listener(): Program {
    return this.#listener();
  }

  handshake(peer: Peer, opening: Opening = {}): void {
    peer.sends(this.syn(peer, opening));
    peer.hears({ flags: 'SA', seq: 0, ack: 1 });
    peer.sends({});
  }

  /** The peer's SYN, with MSS 1460 and a window of 65535, and nothing else unless asked for. */
  syn(peer: Peer, opening: Opening = {}): Said {
    const { mss = 1460, wscale, sackOk, ts, win } = opening;
    peer.ts = ts === true;
    if (win !== undefined) peer.win = win;
    const said: Said = { flags: 'S', seq: 0 };
    if (mss !== null) said.mss = mss;
    if (wscale !== undefined && wscale !== null) said.wscale = wscale;
    if (sackOk) said.sackOk = true;
    return said;
  }

  /** The program connects to the peer's port; its SYN is there to be heard. */
  connecting(port = 7000): { peer: Peer; program: Program } {
    const program = this.program();
    const from = this.peer(port, 0);
    expect(program.connect(port)).toBe(0);
    const peer = new Peer(this, port, program.sk.sport);
    peer.inbox.push(...from.inbox);
    peer.theirIsn = from.theirIsn;
    peer.heardTo = from.heardTo;
    peer.tsSeen = from.tsSeen;
    this.#peers.set(port, peer);
    return { peer, program };
  }

  /** A connection that the program opened. */
  connected(opening: Opening = {}): { peer: Peer; program: Program } {
    const { peer, program } = this.connecting(opening.port);
    peer.hears({ flags: 'S' });
    peer.sends({ ...this.syn(peer, opening), flags: 'SA' });
    peer.hears({ flags: 'A', seq: 1, ack: 1 });
    program.wakes();
    return { peer, program };
  }

  counter(group: string, name: string): number {
    return this.host.mib.snapshot()[group][name];
  }

  /** Nothing is left of any connection: no memory, no timer, nobody in a table. */
  expectNothingLeft(): void {
    expect(this.tcp.counts).toEqual({ established: 0, requests: 0, timeWait: 0, orphans: 0 });
    expect([this.host.memory.used, this.tcp.memory.allocated]).toEqual([0, 0]);
    expect(this.host.wheel.size).toBe(0);
  }
}

export function conversation(options: ConversationOptions = {}): Conversation {
  return new Conversation(options);
}

export function stateName(state: number): string {
  return TCP_STATE_NAMES[state];
}

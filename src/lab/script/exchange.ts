// The script's end of the wire: it injects the packets that the stack is to receive and waits for those that must leave it.
// Keeps the ladder of all that passed.

import type { ParsedFrame } from '../../packet/parse.js';
import { TCP_ACK, TCP_SYN } from '../../packet/tcp.js';
import type { Packet, PacketEvent, Ports, TcpPacket } from './ast.js';
import type { CallContext } from './call-context.js';
import { Flow } from './flow.js';
import { type Rung, Unmet } from './outcome.js';
import { buildFrame, UnmappablePacket } from './packet-build.js';
import { aggregate, checkContinuation, checkPacket, type TimestampCheck } from './packet-check.js';
import type { Caught } from './script-link.js';
import { packetText, readSeen, type Seen, seenText, toScript } from './seen-packet.js';
import { checkTime, type Due, type Timetable } from './timing.js';
import type { World } from './world.js';

/** How long after its time a packet is waited for, microseconds. */
const GIVE_UP_US = 2_000_000;
/** The same for `*`. */
const ANY_TIME_US = 3_600_000_000;

/** A frame that left, and its place in the ladder. */
interface Waiting {
  caught: Caught;
  frame: ParsedFrame;
  rung: Rung;
}

export class Exchange {
  readonly ladder: Rung[] = [];
  readonly #world: World;
  readonly #context: CallContext;
  readonly #timetable: Timetable;
  /** Left the stack; no line of the script has asked for them yet. */
  readonly #waiting: Waiting[] = [];

  constructor(world: World, context: CallContext, timetable: Timetable) {
    this.#world = world;
    this.#context = context;
    this.#timetable = timetable;
    world.link.onFrame = (caught) => this.#sawFrame(caught);
  }

  #sawFrame(caught: Caught): void {
    const seen = readSeen(caught.bytes, caught.at);
    if (seen === null) return;
    const rung: Rung = { at: this.#world.scriptTime(caught.at), side: '?', text: '', line: null };
    this.ladder.push(rung);
    this.#waiting.push({ caught, frame: seen.frame, rung });
  }

  /** The ladder, with what nobody asked for written out too. */
  finish(): Rung[] {
    for (const { caught, frame, rung } of this.#waiting) {
      const flow = newestFirst(this.#context.flows).find((each) => belongs(frame, each));
      rung.text = seenText(toScript(caught.bytes, frame, caught.at, flow ?? this.#stranger(null)));
      if (flow === undefined || flow !== this.#context.underTest) rung.text += portsText(frame);
    }
    return this.ladder;
  }

  /** Injects a packet of the script. */
  inject(event: PacketEvent): void {
    const { packet } = event;
    const flow = this.#inboundFlow(packet);
    if (packet.kind === 'tcp') receivedBy(flow, packet);
    const frame = this.#build(packet, flow);
    const text =
      packetText(packet) +
      (packet.kind !== 'icmp' && packet.ports !== null ? writtenPorts(packet.ports) : '');
    this.ladder.push({ at: this.#world.now, side: '<', text, line: event.place.line });
    this.#world.link.inject(frame);
  }

  #build(packet: Packet, flow: Flow): Uint8Array {
    try {
      return buildFrame(packet, flow, this.#world.link.mac, this.#context.config.tsEcrScaled);
    } catch (error) {
      if (error instanceof UnmappablePacket) throw new Unmet(error.message);
      throw error;
    }
  }

  /** Waits for a packet of the script. @throws Unmet if another comes, none does, or at the wrong time */
  async expect(event: PacketEvent, due: Due): Promise<void> {
    const { packet } = event;
    const flow = this.#outboundFlow(packet);
    const giveUp = due.toleranceUs === null ? this.#world.now + ANY_TIME_US : due.to + GIVE_UP_US;
    const parts: Seen[] = [];
    let length = 0;
    do {
      const waiting = await this.#next(flow, packet, giveUp);
      if (waiting === null) throw this.#missing(packet, parts, giveUp);
      const seen = this.#take(waiting, flow, packet, event.place.line);
      if (parts.length > 0) this.#continues(parts[parts.length - 1], seen, length, packet);
      parts.push(seen);
      length += seen.length;
      if (seen.length === 0) break;
    } while (packet.kind === 'tcp' && length < packet.length && !this.#context.config.strictSegments);
    const whole = aggregate(parts);
    rememberTimestamp(whole, packet, flow);
    const wrong = checkPacket(whole, packet, this.#timestampCheck(flow, due));
    if (wrong !== null) throw new Unmet(wrong, packetText(packet), seenText(whole));
    checkTime(due, this.#world.scriptTime(parts[0].at), 'the packet left', event.time);
  }

  #missing(packet: Packet, parts: readonly Seen[], giveUp: number): Unmet {
    const until = `waited until ${giveUp / 1e6} s`;
    if (parts.length === 0)
      return new Unmet(`no such packet left the stack (${until})`, packetText(packet), 'nothing');
    const got = parts.map(seenText).join(', then ');
    return new Unmet(`the rest of the data never left the stack (${until})`, packetText(packet), got);
  }

  #continues(previous: Seen, next: Seen, before: number, packet: Packet): void {
    const total = packet.kind === 'icmp' ? 0 : packet.length;
    const hindrance = checkContinuation(previous, next, before + next.length >= total);
    if (hindrance === null) return;
    throw new Unmet(
      `the segments that left are not one row of ${total} bytes: ${hindrance}`,
      packetText(packet),
      `${seenText(previous)}, then ${seenText(next)}`,
    );
  }

  /** The oldest packet of `flow` that nobody has asked for; time passes until there is one. */
  async #next(flow: Flow, packet: Packet, giveUp: number): Promise<Waiting | null> {
    for (;;) {
      const at = this.#waiting.findIndex(
        ({ frame }) => couldBe(frame, flow, packet) && !this.#isAnothers(frame, flow),
      );
      if (at >= 0) return this.#waiting.splice(at, 1)[0];
      if (!(await this.#world.step(giveUp))) return null;
    }
  }

  /** A SYN that an earlier socket sends again is not the one of a socket that is about to connect. */
  #isAnothers(frame: ParsedFrame, flow: Flow): boolean {
    return (
      this.#context.flows.some((each) => each !== flow && each.local.port !== 0 && belongs(frame, each)) &&
      !belongs(frame, flow)
    );
  }

  /** What the script learns from a packet before it compares it: ports and initial sequence numbers. */
  #take({ caught, frame, rung }: Waiting, flow: Flow, packet: Packet, line: number): Seen {
    flow.local.port ||= frame.tcp?.srcPort ?? frame.udp?.srcPort ?? 0;
    const syn = packet.kind === 'tcp' && (packet.flags & TCP_SYN) !== 0;
    if (syn && frame.tcp !== undefined && (frame.tcp.flags & TCP_SYN) !== 0) {
      flow.scriptIsn = packet.seq;
      flow.liveIsn = frame.tcp.seq | 0;
      if (flow.state === 'packet-received') flow.state = 'synack-sent';
      if (flow.state === 'connecting') flow.state = 'syn-sent';
    }
    const seen = toScript(caught.bytes, frame, caught.at, flow);
    rung.side = '>';
    rung.line = line;
    rung.text =
      seenText(seen) + (packet.kind !== 'icmp' && packet.ports !== null ? writtenPorts(packet.ports) : '');
    return seen;
  }

  #timestampCheck(flow: Flow, due: Due): TimestampCheck {
    const { tsTickUs } = this.#context.config;
    if (tsTickUs === 0) return null;
    // The first timestamp seen fixes the scale, so it always fits.
    return {
      tickUs: tsTickUs,
      toleranceUs: this.#timetable.tolerance(due.from),
      toScript: (live) => flow.scriptTimestamp(live),
    };
  }

  /** Whose packet it is that the script injects: a listener's first makes a connection, whose packets are all that follow. */
  #inboundFlow(packet: Packet): Flow {
    if (packet.kind !== 'icmp' && packet.ports !== null)
      return this.#flowByPorts(packet.ports.dst, packet.ports.src, packet);
    const flow = this.#context.underTest;
    if (flow !== null && (flow.state !== 'listening' || packet.kind !== 'tcp')) {
      if (flow.protocol === 'udp') this.#completeUdp(flow);
      return flow;
    }
    if (packet.kind !== 'tcp') throw new Unmet('there is no socket yet that this packet could belong to');
    const child = this.#stranger(null);
    child.local.port =
      flow === null || flow.local.port === 0 ? this.#context.config.bindPort : flow.local.port;
    child.remote.port = this.#context.ephemeralPort();
    this.#context.underTest = this.#context.addFlow(child);
    return child;
  }

  /** A bound datagram socket that has sent nothing yet: its peer is the remote address. */
  #completeUdp(flow: Flow): void {
    flow.local.port ||= this.#context.config.bindPort;
    flow.remote.port ||= this.#context.config.connectPort;
  }

  #outboundFlow(packet: Packet): Flow {
    if (packet.kind !== 'icmp' && packet.ports !== null)
      return this.#flowByPorts(packet.ports.src, packet.ports.dst, packet);
    const flow = this.#context.underTest;
    if (flow === null) throw new Unmet('there is no socket yet that this packet could come from');
    return flow;
  }

  /** The connection between these ports; strangers get one whose numbers are absolute. */
  #flowByPorts(local: number, remote: number, packet: Packet): Flow {
    const known = newestFirst(this.#context.flows).find(
      (flow) => flow.local.port === local && flow.remote.port === remote,
    );
    if (known !== undefined) return known;
    const flow = this.#stranger(packet);
    flow.local.port = local;
    flow.remote.port = remote;
    return this.#context.addFlow(flow);
  }

  #stranger(packet: Packet | null): Flow {
    const { localIp, remoteIp } = this.#context.config;
    const protocol = packet?.kind === 'udp' ? 'udp' : 'tcp';
    return new Flow(protocol, { ip: localIp, port: 0 }, { ip: remoteIp, port: 0 });
  }
}

/** What a packet that the script injects changes in what it knows of the connection. */
function receivedBy(flow: Flow, packet: TcpPacket): void {
  const syn = (packet.flags & TCP_SYN) !== 0;
  const hasAck = (packet.flags & TCP_ACK) !== 0;
  if (flow.state === 'new') {
    flow.state = 'packet-received';
    flow.remoteIsn = packet.ports === null || syn ? packet.seq | 0 : 0;
  } else if (flow.state === 'synack-sent' && hasAck) {
    flow.state = 'synack-acked';
  } else if (flow.state === 'syn-sent' && syn) {
    flow.remoteIsn = packet.seq | 0;
    if (hasAck) flow.state = 'syn-acked';
  }
}

/** Whether a frame that left belongs to `flow`. */
function belongs(frame: ParsedFrame, flow: Flow): boolean {
  const ports = flow.protocol === 'tcp' ? frame.tcp : frame.udp;
  return (
    ports !== undefined &&
    frame.ipv4?.dst === flow.remote.ip &&
    ports.dstPort === flow.remote.port &&
    ports.srcPort === flow.local.port
  );
}

/** Whether it can be meant by a line of the script: of that connection, or the first SYN of one that is being opened. */
function couldBe(frame: ParsedFrame, flow: Flow, packet: Packet): boolean {
  if (packet.kind === 'icmp') return frame.icmp !== undefined && frame.ipv4?.dst === flow.remote.ip;
  if (belongs(frame, flow)) return true;
  if (flow.local.port !== 0 && flow.state !== 'connecting') return false;
  if (frame.ipv4?.dst !== flow.remote.ip) return false;
  if (flow.protocol === 'udp') return frame.udp !== undefined && frame.udp.dstPort === flow.remote.port;
  const syn = frame.tcp !== undefined && (frame.tcp.flags & (TCP_SYN | TCP_ACK)) === TCP_SYN;
  return syn && frame.tcp?.dstPort === flow.remote.port && flow.state === 'connecting';
}

function rememberTimestamp(seen: Seen, packet: Packet, flow: Flow): void {
  if (packet.kind !== 'tcp' || packet.options === null) return;
  const script = packet.options.find((option) => option.kind === 'TS');
  const live = seen.tcp?.options.find((option) => option.kind === 'TS');
  if (script?.kind === 'TS' && live?.kind === 'TS') flow.sawTimestamp(script.val, live.val);
}

function writtenPorts(ports: Ports): string {
  return `  (${ports.src} > ${ports.dst})`;
}

function portsText(frame: ParsedFrame): string {
  const ports = frame.tcp ?? frame.udp;
  return ports === undefined ? '' : `  (${ports.srcPort} > ${ports.dstPort})`;
}

/** Ports come back: the youngest connection of a pair of them is meant. */
function newestFirst(flows: readonly Flow[]): Flow[] {
  return [...flows].reverse();
}

// Plays a conversation to the stack, under a virtual clock, on a link whose other end is the peer.

import { drain } from '../../dist/lab/drain.js';
import { ScriptLink } from '../../dist/lab/script/script-link.js';
import { RX_IP_BAD, RX_L4_BAD, RX_L4_OK } from '../../dist/link/link.js';
import { L4_BAD, L4_OK, verifyIpv4, verifyTransport } from '../../dist/packet/frame-checksum.js';
import { Stack } from '../../dist/stack.js';
import { VirtualClock } from '../../dist/time/clock.js';
import { TimerWheel } from '../../dist/time/timer-wheel.js';
import { dice } from './dice.mjs';
import { framesOf, newWire, pattern, textOf } from './frames.mjs';
import { arpFramesOf, arpText, icmpFramesOf, otherText } from './packets.mjs';
import { toldText } from './told.mjs';

const AF_INET = 2;
const IPPROTO_TCP = 6;
const STREAM = 1 | 0o4000; // SOCK_NONBLOCK
const US = '10.9.0.1';
const PEER = '10.9.1.1';
const PORT = 10_000;
const EVENTS = 0x20c7; // all that POSIX and Linux know of
/** The shortest step is a millisecond. */
const JITTER_US = 600;

/** One by which timers come round late, and know it. */
class LateClock extends VirtualClock {
  #us;

  constructor(us) {
    super();
    this.#us = us;
  }

  setAlarm(alarm, at) {
    super.setAlarm(alarm, alarm instanceof TimerWheel ? at + this.#us : at);
  }
}

/**
 * What the stack answered: a line for each step. `fields`: of TCP_INFO; `late`: microseconds that timers are behind; `jitter`: a seed of
 * how much each step is, as with real time (0: none).
 */
export async function playToStack(conversation, fields, seed, late = 0, jitter = 0) {
  const clock = new LateClock(late);
  clock.moveTo(100_000_000);
  const link = new ScriptLink(clock, 1500);
  const neighbours = conversation.arp ? {} : { [PEER]: '02:00:00:00:00:01' };
  const sysctl = {
    'net.ipv4.tcp_no_metrics_save': 1,
    'net.ipv4.tcp_challenge_ack_limit': 0x7fffffff,
    'net.ipv4.tcp_autocorking': 0,
  };
  for (const [name, value] of Object.entries(conversation.sysctl))
    sysctl[`net.ipv4.${name.replaceAll('/', '.')}`] = value;
  const stack = new Stack({ clock, seed, memory: 24 << 20, link, address: `${US}/16`, neighbours, sysctl });
  const side = new StackSide(stack, link, conversation, fields);
  const lines = [];
  const { below } = dice(jitter);
  let due = clock.now();
  for (const step of conversation.steps) {
    const answer = await side.take(step);
    await settle(link);
    due += step.ms * 1000;
    const now = due + (jitter === 0 ? 0 : below(JITTER_US));
    while (clock.step(now)) await settle(link);
    clock.moveTo(now);
    lines.push([answer, ...side.heard.splice(0)].join(' | '));
  }
  await stack.close();
  return lines;
}

/** Those that are not 0, by 'Group.Name', as kernel.py has them. */
function countersText(snmp) {
  return Object.entries(snmp)
    .filter(([group]) => group !== 'Link' && group !== 'Arp')
    .flatMap(([group, counters]) =>
      Object.entries(counters)
        .filter(([, value]) => value !== 0)
        .map(([name, value]) => `${group}.${name}=${value}`),
    )
    .sort()
    .join(' ');
}

async function settle(link) {
  do await drain();
  while (link.settled());
}

/** A NIC's. */
function verdictOn(frame) {
  const view = new DataView(frame.buffer);
  const transport = verifyTransport(view, 0, frame.length);
  const l4 = transport === L4_BAD ? RX_L4_BAD : transport === L4_OK ? RX_L4_OK : 0;
  return l4 | (verifyIpv4(view, 0, frame.length) ? 0 : RX_IP_BAD);
}

class StackSide {
  /** What the stack sent, as text. */
  heard = [];
  #stack;
  #link;
  #fields;
  #theirs;
  #firstPort;
  #options;
  #jar = { cookie: [] };
  #wires = new Map();
  /** Descriptors by what a conversation calls them: the listener is 'L'. */
  #fds = new Map();

  constructor(stack, link, { role, isn, options, backlog }, fields) {
    this.#stack = stack;
    this.#link = link;
    this.#fields = fields;
    this.#theirs = isn;
    this.#options = options;
    this.#firstPort = role === 'server' ? 40_000 : 80;
    link.onFrame = ({ bytes }) => this.#hear(bytes);
    const { sys } = stack;
    const fd = this.#socket();
    this.#fds.set(role === 'server' ? 'L' : 0, fd);
    if (role === 'server') sys.listen(fd, backlog);
  }

  #socket() {
    const { sys } = this.#stack;
    const fd = sys.socket(AF_INET, STREAM);
    for (const [level, name, value] of this.#options) sys.setsockopt(fd, level, name, value);
    sys.bind(fd, { family: AF_INET, address: US, port: PORT });
    return fd;
  }

  #wire(peer) {
    const theirs = (this.#theirs + peer * 0x1000000) >>> 0;
    if (!this.#wires.has(peer))
      this.#wires.set(peer, newWire(this.#link.mac, theirs, PORT, this.#firstPort + peer, this.#jar));
    return this.#wires.get(peer);
  }

  #hear(bytes) {
    if (bytes[12] === 8 && bytes[13] === 6) this.heard.push(arpText(bytes));
    if (bytes[12] !== 8 || bytes[13] !== 0) return;
    const at = bytes[5] === 1 ? '' : ` at ${bytes[5]}`;
    if (bytes[23] !== IPPROTO_TCP) {
      this.heard.push(otherText(bytes) + at);
      return;
    }
    const peer = bytes[36] * 256 + bytes[37] - this.#firstPort;
    this.heard.push((peer === 0 ? '' : `${peer}: `) + textOf(bytes, this.#wire(peer)) + at);
  }

  async take({ segment, icmp, arp, call, peer = 0, on = 0 }) {
    if (segment !== undefined) this.#inject(framesOf(segment, this.#wire(peer)));
    else if (icmp !== undefined) this.#inject(icmpFramesOf(icmp, this.#wire(peer)));
    else if (arp !== undefined) this.#inject(arpFramesOf(arp, this.#wire(0)));
    else if (call !== undefined) return String(await this.#call(on, ...call));
    return '';
  }

  #inject(frames) {
    for (const frame of frames) this.#link.inject(frame, verdictOn(frame));
  }

  async #call(on, name, ...more) {
    const { sys } = this.#stack;
    if (name === 'counters') return countersText(this.#stack.snmp());
    if (name === 'accept') {
      const listener = this.#fds.get('L');
      const fd = this.#fds.has(on) || listener === undefined ? -1 : sys.accept4(listener, null, 0o4000);
      if (fd >= 0) this.#fds.set(on, fd);
      return Math.min(fd, 0);
    }
    const fd = this.#fds.get(on);
    if (fd === undefined) return 'no descriptor';
    if (name === 'connect') return sys.connect(fd, { family: AF_INET, address: PEER, port: 80 });
    const out = { value: 0 };
    switch (name) {
      case 'sendto':
        return sys.sendto(fd, pattern(0, more[0]), more[0], more[1] | 0x4000, {
          family: AF_INET,
          address: PEER,
          port: 80,
        });
      case 'errors':
        return toldText(sys, fd, more[0]);
      case 'reopen':
        sys.setsockopt(fd, 1, 13, { l_onoff: 1, l_linger: 0 });
        sys.close(fd);
        this.#fds.set(on, this.#socket());
        return 0;
      case 'write':
        return sys.send(fd, pattern(0, more[0]), more[0], more[1] | 0x4000); // MSG_NOSIGNAL
      case 'read': {
        const bytes = new Uint8Array(more[0]);
        const count = sys.recv(fd, bytes, more[0], more[1]);
        return count < 0 ? count : `${count}:${bytes.reduce((sum, byte) => sum + byte, 0) & 0xffff}`;
      }
      case 'close':
        this.#fds.delete(on);
        // Lingers if it was told to; nobody waits for it.
        this.#stack.blocking.close(fd);
        return 0;
      case 'shutdown':
        return sys.shutdown(fd, more[0]);
      case 'listen':
        return sys.listen(fd, more[0]);
      case 'get':
        return sys.getsockopt(fd, ...more, out) || out.value;
      case 'set':
        return sys.setsockopt(fd, ...more);
      case 'linger':
        return sys.setsockopt(fd, 1, 13, { l_onoff: 1, l_linger: more[0] });
      case 'ioctl':
        return sys.ioctl(fd, more[0], out) || out.value;
      case 'error':
        return sys.getsockopt(fd, 1, 4, out) || out.value;
      case 'info':
        return (
          sys.getsockopt(fd, 6, 11, out) ||
          this.#fields.map((field) => `${field}=${out.value[field]}`).join(' ')
        );
      case 'poll': {
        const polled = [{ fd, events: EVENTS, revents: 0 }];
        await sys.poll(polled, 0);
        return polled[0].revents;
      }
      default:
        throw new Error(`no call '${name}'`);
    }
  }
}

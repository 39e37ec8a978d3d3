// Plays a conversation to the stack, under a virtual clock, on a link whose other end is the peer.

import { drain } from '../../dist/lab/drain.js';
import { ScriptLink } from '../../dist/lab/script/script-link.js';
import { Stack } from '../../dist/stack.js';
import { VirtualClock } from '../../dist/time/clock.js';
import { frameOf, pattern, textOf } from './frames.mjs';

const AF_INET = 2;
const STREAM = 1 | 0o4000; // SOCK_NONBLOCK
const US = '10.9.0.1';
const PEER = '10.9.1.1';
const PORT = 10_000;
const EVENTS = 0x20c7; // all that POSIX and Linux know of

/** What the stack answered: a line for each step. `fields`: of TCP_INFO. */
export async function playToStack(conversation, fields, seed) {
  const clock = new VirtualClock();
  clock.moveTo(100_000_000);
  const link = new ScriptLink(clock, 1500);
  const neighbours = { [PEER]: '02:00:00:00:00:01' };
  const sysctl = {
    'net.ipv4.tcp_no_metrics_save': 1,
    'net.ipv4.tcp_challenge_ack_limit': 0x7fffffff,
    'net.ipv4.tcp_autocorking': 0,
  };
  const stack = new Stack({ clock, seed, memory: 24 << 20, link, address: `${US}/16`, neighbours, sysctl });
  const side = new StackSide(stack, link, conversation, fields);
  const lines = [];
  let now = clock.now();
  for (const step of conversation.steps) {
    const answer = await side.take(step);
    await settle(link);
    now += step.ms * 1000;
    while (clock.step(now)) await settle(link);
    clock.moveTo(now);
    lines.push([answer, ...side.heard.splice(0)].join(' | '));
  }
  await stack.close();
  return lines;
}

async function settle(link) {
  do await drain();
  while (link.settled());
}

class StackSide {
  /** Segments that the stack sent, as text. */
  heard = [];
  #stack;
  #link;
  #fields;
  #wire;
  #listener = -1;
  #fd = -1;

  constructor(stack, link, { role, isn, options }, fields) {
    this.#stack = stack;
    this.#link = link;
    this.#fields = fields;
    const peerPort = role === 'server' ? 40_000 : 80;
    this.#wire = { mac: link.mac, ours: 0, theirs: isn, stampSeen: 0, port: PORT, peerPort };
    link.onFrame = ({ bytes }) => this.heard.push(textOf(bytes, this.#wire) ?? 'not TCP');
    const { sys } = stack;
    const fd = sys.socket(AF_INET, STREAM);
    for (const [level, name, value] of options) sys.setsockopt(fd, level, name, value);
    sys.bind(fd, { family: AF_INET, address: US, port: PORT });
    if (role === 'client') this.#fd = fd;
    else {
      this.#listener = fd;
      sys.listen(fd, 8);
    }
  }

  async take({ segment, call }) {
    if (segment !== undefined) this.#link.inject(frameOf(segment, this.#wire));
    else if (call !== undefined) return String(await this.#call(...call));
    return '';
  }

  async #call(name, ...more) {
    const { sys } = this.#stack;
    if (name === 'connect') return sys.connect(this.#fd, { family: AF_INET, address: PEER, port: 80 });
    if (name === 'accept') {
      const fd = this.#fd >= 0 ? -1 : sys.accept4(this.#listener, null, 0o4000);
      if (fd >= 0) this.#fd = fd;
      return Math.min(fd, 0);
    }
    const fd = this.#fd;
    if (fd < 0) return 'no descriptor';
    const out = { value: 0 };
    switch (name) {
      case 'write':
        return sys.send(fd, pattern(0, more[0]), more[0], more[1] | 0x4000); // MSG_NOSIGNAL
      case 'read': {
        const bytes = new Uint8Array(more[0]);
        const count = sys.recv(fd, bytes, more[0], more[1]);
        return count < 0 ? count : `${count}:${bytes.reduce((sum, byte) => sum + byte, 0) & 0xffff}`;
      }
      case 'close':
        this.#fd = -1;
        return sys.close(fd);
      case 'shutdown':
        return sys.shutdown(fd, more[0]);
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

// The generator's moves on sockets: making, connecting, accepting, sending, receiving, ending. Each writes a line or a few,
// or nothing if the world has nothing to do it with.

import type { Handle, OpenFile, World } from './world.js';

export type Move = (world: World) => void;

const sizes = [1, 1, 1, 2, 3, 5, 7, 10, 26, 33, 100];
const receives = [1, 2, 3, 5, 10, 33, 100, 4000];

function size(world: World): number {
  const { dice } = world;
  if (world.largeBytes < 3000 || !dice.chance(0.05)) return dice.pick(sizes);
  const large = 500 + dice.below(2500);
  world.largeBytes -= large;
  return large;
}

function connectFiles(client: OpenFile, server: OpenFile): void {
  client.peer = server;
  server.peer = client;
}

export const pair: Move = (world) => {
  const [a, b] = [world.name('a'), world.name('b')];
  world.emit(`pair ${a} ${b}`);
  const [left, right] = [world.file('stream'), world.file('stream')];
  connectFiles(left, right);
  world.handle(a, left);
  world.handle(b, right);
};

export const listener: Move = (world) => {
  const { dice } = world;
  const name = world.name('l');
  const blocking = dice.chance(0.1);
  world.emit(`${name} = socket${blocking ? '' : ' nonblock'}${dice.chance(0.1) ? ' cloexec' : ''}`);
  if (dice.chance(0.2)) world.emit(`setsockopt ${name} SO_REUSEADDR 1`);
  if (dice.chance(0.9))
    world.emit(`bind ${name} ${dice.pick(['lo:0', 'lo:0', 'any:0', '127.0.0.2:0', 'lo:5000'])}`);
  const setting = dice.chance(0.2) ? dice.pick(inherited) : undefined;
  if (setting !== undefined) world.emit(`setsockopt ${name} ${setting}`);
  world.emit(`listen ${name} ${dice.pick([0, 1, 1, 3, 8, 8, 8, 64])}`);
  const file = world.file('listener');
  file.blocking = blocking;
  file.defers = setting?.startsWith('TCP_DEFER_ACCEPT') ?? false;
  world.handle(name, file);
};

const inherited = [
  'SO_RCVLOWAT 4',
  'SO_OOBINLINE 1',
  'SO_LINGER 1 0',
  'TCP_NODELAY 1',
  'SO_KEEPALIVE 1',
  'TCP_DEFER_ACCEPT 1',
  'TCP_NOTSENT_LOWAT 1000',
  'SO_PEEK_OFF 2',
];

export const client: Move = (world) => {
  const { dice } = world;
  const target = world.recent('listener');
  const name = world.name('c');
  world.emit(`${name} = socket nonblock`);
  const file = world.file('stream');
  world.handle(name, file);
  if (dice.chance(0.15)) register(world, name);
  if (dice.chance(0.1)) world.emit(`bind ${name} ${dice.pick(['lo:0', 'any:0', 'lo:6000'])}`);
  if (dice.chance(0.05)) {
    world.emit(`shutdown ${name} ${dice.pick(['rd', 'wr', 'rdwr'])}`);
    // It is refused, but the bits stay.
    file.shutRead = true;
  }
  if (target === undefined || dice.chance(0.1)) {
    world.emit(`connect ${name} ${dice.pick(['lo:1', 'lo:1', `@${name}`, 'any:1'])}`);
    return;
  }
  world.emit(`connect ${name} @${target.name}`);
  if (target.open) target.file.waiting.push(file);
};

function register(world: World, name: string): void {
  const epoll = world.choose('epoll');
  if (epoll === undefined) return;
  world.emit(`ctl ${epoll.name} add ${name} IN|OUT|RDHUP|ET`);
  epoll.file.registered.set(name, 'IN|OUT|RDHUP|ET');
}

export const fresh: Move = (world) => {
  const name = world.name('c');
  world.emit(`${name} = socket nonblock`);
  world.handle(name, world.file('stream'));
};

export const accept: Move = (world) => {
  const { dice } = world;
  const from = world.open('listener').filter((handle) => handle.file.waiting.length > 0);
  const any = dice.chance(0.3) ? world.choose('listener', 'stream') : undefined;
  const target = from.length > 0 && dice.chance(0.93) ? dice.pick(from) : any;
  if (target === undefined || !world.mayBlock(target)) return;
  const peer = target.file.waiting.shift();
  // Without a client of the model's the call will most likely fail, and a name that is never bound says so everywhere.
  const name = world.name('s');
  world.emit(`${name} = accept ${target.name} nonblock${dice.chance(0.05) ? ' cloexec' : ''}`);
  const file = world.file('stream');
  if (peer !== undefined) {
    connectFiles(peer, file);
    world.handle(name, file);
  }
};

export const connectAgain: Move = (world) => {
  const { dice } = world;
  const handle = world.recent('stream', 'listener');
  if (handle === undefined || handle.file.filled || !world.mayBlock(handle)) return;
  const listeners = world.open('listener');
  const addresses = ['unspec', 'unspec', 'lo:1', 'lo:1', `@${handle.name}`, 'lo:2'];
  for (const target of listeners) addresses.push(`@${target.name}`);
  const address = dice.pick(addresses);
  // tcp_disconnect moves write_seq by the largest window there was, and SIOCOUTQ shows it.
  if (handle.file.peer !== undefined || address === 'unspec') handle.file.unsized = true;
  world.emit(`connect ${handle.name} ${address}${dice.chance(0.03) ? ` ${dice.below(17)}` : ''}`);
};

/** But for one that may have been shut with handshakes that it put off: on Linux they are there again (docs/differences.md). */
export const listenAgain: Move = (world) => {
  const handle = world.choose('listener', 'stream');
  if (handle === undefined || handle.file.defers) return;
  world.emit(`listen ${handle.name} ${world.dice.pick([0, 1, 4, -1])}`);
};

export const bindAgain: Move = (world) => {
  const handle = world.recent('stream', 'listener');
  if (handle === undefined) return;
  const others = world.open('stream', 'listener');
  const addresses = ['lo:0', 'any:0', 'lo:5000', 'any:5000', '127.0.0.2:5000', '10.9.8.7:0', 'unspec'];
  if (others.length > 0) addresses.push(`@${world.dice.pick(others).name}`);
  world.emit(`bind ${handle.name} ${world.dice.pick(addresses)}`);
};

const ordinaryFlags = ['', '', '', '', '', ' nosignal', ' dontwait'];

const connected = ({ file }: Handle): boolean => file.peer !== undefined && !file.ended && !file.peer.ended;
const unread = ({ file }: Handle): boolean => file.unread > 0;

function sent(handle: Handle, bytes: number): void {
  if (handle.file.peer !== undefined && !handle.file.ended) handle.file.peer.unread += bytes;
}

export const send: Move = (world) => {
  const { dice } = world;
  const handle = world.likely(connected, 'stream');
  if (handle === undefined || handle.file.filled || !world.mayBlock(handle)) return;
  if (dice.chance(0.05)) {
    world.emit(`send ${handle.name} 0`);
    return;
  }
  const bytes = size(world);
  if (dice.chance(0.15)) world.emit(`write ${handle.name} ${bytes}`);
  else world.emit(`send ${handle.name} ${bytes}${dice.pick(ordinaryFlags)}`);
  sent(handle, bytes);
};

export const sendUrgent: Move = (world) => {
  const handle = world.likely(connected, 'stream');
  if (handle === undefined || handle.file.filled || !world.mayBlock(handle)) return;
  world.emit(`send ${handle.name} ${world.dice.pick([1, 1, 2, 5])} oob`);
  sent(handle, 1);
};

/** Reading from a full sender in part frees a part of its buffer, and how much is not comparable: such ones are drained. */
function readable(world: World, handle: Handle): boolean {
  const { file } = handle;
  if (file.peer?.filled) {
    drainFull(world, handle);
    return false;
  }
  return file.sleepers === 0 && world.mayBlock(handle);
}

function drainFull(world: World, handle: Handle): void {
  if (handle.file.peer === undefined || handle.file.sleepers > 0) return;
  world.emit(`drain ${handle.name} q`);
  handle.file.unread = 0;
  handle.file.peer.filled = false;
}

export const receive: Move = (world) => {
  const { dice } = world;
  const handle = world.likely(unread, 'stream');
  if (handle === undefined || !readable(world, handle)) return;
  const bytes = dice.pick(receives);
  const flags = dice.chance(0.25)
    ? ` ${dice.pick(['peek', 'peek', 'trunc', 'waitall', 'dontwait', 'oob', 'peek|trunc', 'oob|peek'])}`
    : '';
  const roll = dice.roll();
  if (roll < 0.1) world.emit(`read ${handle.name} ${bytes}`);
  else if (roll < 0.2) world.emit(`recvmsg ${handle.name} ${bytes}${flags}`);
  else if (roll < 0.23) world.emit(`recv ${handle.name} 0`);
  else if (roll < 0.35) world.emit(`drain ${handle.name}`);
  else world.emit(`recv ${handle.name} ${bytes}${flags}`);
  if (!flags.includes('peek'))
    handle.file.unread = roll >= 0.23 && roll < 0.35 ? 0 : Math.max(0, handle.file.unread - bytes);
};

export const receiveUrgent: Move = (world) => {
  const handle = world.likely(unread, 'stream');
  if (handle === undefined || !readable(world, handle)) return;
  world.emit(world.dice.chance(0.6) ? `recv ${handle.name} 1 oob` : `ioctl ${handle.name} atmark`);
};

export const fill: Move = (world) => {
  const handle = world.likely(connected, 'stream');
  if (handle?.file.peer === undefined || handle.file.filled || handle.file.peer.filled) return;
  // Draining it again is many calls, between which a thread may or may not run.
  if (world.threads.length > 0 || handle.file.peer.shutRead) return;
  // Which end is ready first when it is drained depends on how far a window had grown.
  if (watchedTogether(world, handle.file, handle.file.peer)) return;
  // How far the receive buffer grew over two rounds is a matter of time, and with it whether one read empties the third (tcp_rcv_space_adjust).
  if (handle.file.fills === 2) return;
  world.emit(`fill ${handle.name}`);
  handle.file.filled = true;
  handle.file.fills++;
  handle.file.unsized = true;
  world.filledAt = world.lines.length;
  sent(handle, 100_000);
};

function watchedTogether(world: World, one: OpenFile, other: OpenFile): boolean {
  return world.handles.some(({ file: { kind, registered } }) => {
    if (kind !== 'epoll') return false;
    const files = world.handles.filter(({ name }) => registered.has(name)).map(({ file }) => file);
    return files.includes(one) && files.includes(other);
  });
}

export const drain: Move = (world) => {
  const full = world.open('stream').filter((handle) => handle.file.peer?.filled);
  if (full.length > 0) drainFull(world, world.dice.pick(full));
};

/** Before the sender's probes show. One that cannot be reached any more is forgotten: its other end is gone, and reset. */
export const drainAll: Move = (world) => {
  for (const handle of world.open('stream')) if (handle.file.peer?.filled) drainFull(world, handle);
  for (const { file } of world.handles) file.filled = false;
};

export const shutdown: Move = (world) => {
  const handle = world.likely(connected, 'stream', 'listener');
  if (handle === undefined) return;
  // A listener that is shut ends most of what a script can do with it.
  if (handle.file.kind === 'listener' && world.dice.chance(0.7)) return;
  if (handle.file.peer?.filled) return;
  const how = world.dice.chance(0.02)
    ? world.dice.pick(['3', '-1'])
    : world.dice.pick(['wr', 'wr', 'wr', 'rd', 'rdwr']);
  world.emit(`shutdown ${handle.name} ${how}`);
  if (how !== 'rd') handle.file.ended = true;
  if (how !== 'wr') handle.file.shutRead = true;
};

export const close: Move = (world) => {
  const handle = world.recent();
  if (handle === undefined) return;
  if ((handle.file.kind === 'listener' || handle.file.kind === 'epoll') && world.dice.chance(0.7)) return;
  world.emit(`close ${handle.name}`);
  world.closed(handle);
};

export const reset: Move = (world) => {
  const handle = world.likely(connected, 'stream');
  if (handle === undefined) return;
  world.emit(`setsockopt ${handle.name} SO_LINGER 1 0`);
  if (world.dice.chance(0.2)) return;
  world.emit(`close ${handle.name}`);
  world.closed(handle);
};

export const dup: Move = (world) => {
  const { dice } = world;
  const handle = world.recent();
  if (handle === undefined) return;
  const name = world.name('d');
  const target = dice.chance(0.25) ? dice.pick(world.handles) : undefined;
  if (target !== undefined && world.anyFilled) return;
  if (target === undefined) world.emit(`${name} = dup ${handle.name}`);
  else {
    world.emit(`${name} = dup2 ${handle.name} ${dice.chance(0.2) ? 40 + dice.below(10) : target.name}`);
    world.closed(target);
  }
  world.handle(name, handle.file);
};

export const flags: Move = (world) => {
  const { dice } = world;
  const handle = world.recent('stream', 'listener');
  if (handle === undefined) return;
  if (dice.chance(0.5)) {
    world.emit(`fcntl ${handle.name}`);
    return;
  }
  handle.file.blocking = dice.chance(0.5);
  world.emit(`fcntl ${handle.name} ${handle.file.blocking ? 'block' : 'nonblock'}`);
};

export const pipe: Move = (world) => {
  const [r, w] = [world.name('r'), world.name('w')];
  world.emit(`pipe ${r} ${w}`);
  world.handle(r, world.file('pipe'));
  world.handle(w, world.file('pipe'));
};

export const pipeData: Move = (world) => {
  const handle = world.recent('pipe', 'eventfd');
  if (handle === undefined) return;
  if (handle.file.kind === 'eventfd')
    world.emit(world.dice.chance(0.5) ? `read ${handle.name} 8` : `poll ${handle.name}`);
  else if (handle.name.startsWith('w')) world.emit(`write ${handle.name} ${world.dice.pick(sizes)}`);
  else world.emit(`read ${handle.name} ${world.dice.pick(receives)}`);
};

export const eventfd: Move = (world) => {
  const name = world.name('v');
  world.emit(`${name} = eventfd ${world.dice.below(3)}`);
  world.handle(name, world.file('eventfd'));
};

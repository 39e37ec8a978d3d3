// The generator's moves on readiness: epoll sets, waits, polls, options, and threads that sleep.

import type { Dice } from './dice.js';
import type { Move } from './moves.js';
import type { Handle, World } from './world.js';

const interests = [
  'IN', 'IN', 'IN', 'IN|RDHUP', 'IN|OUT', 'IN|OUT|RDHUP', 'IN|OUT|RDHUP', 'OUT', 'OUT', 'RDHUP', 'PRI', 'IN|PRI', '0',
  'RDNORM', 'WRNORM', 'IN|OUT|PRI|RDHUP|RDNORM|WRNORM', 'HUP', 'ERR', 'RDBAND|MSG',
]; // biome-ignore format: a list to choose from
const modes = [
  '',
  '',
  '',
  '|ET',
  '|ET',
  '|ET',
  '|ONESHOT',
  '|ET|ONESHOT',
  '|EXCLUSIVE',
  '|ET|EXCLUSIVE',
  '|WAKEUP',
];
const addable = ['stream', 'listener', 'epoll', 'pipe', 'eventfd'] as const;

const mask = (dice: Dice): string => `${dice.pick(interests)}${dice.pick(modes)}`;

export const epoll: Move = (world) => {
  const name = world.name('e');
  world.emit(`${name} = epoll_create1${world.dice.chance(0.1) ? ' cloexec' : ''}`);
  world.handle(name, world.file('epoll'));
};

function register(world: World, set: Handle, target: Handle, wanted: string): void {
  if (target.file.filled || target.file.peer?.filled) return;
  if (target.file.kind === 'epoll') {
    if (world.threads.length > 0) return;
    world.nested = true;
  }
  const data = world.dice.chance(0.05) ? ` ${world.dice.below(100)}` : '';
  world.emit(`ctl ${set.name} add ${target.name} ${wanted}${data}`);
  set.file.registered.set(target.name, wanted);
}

/** EXCLUSIVE goes with few others, and a set takes what it takes; now and then a wrong one, for its errno. */
function sensible(dice: Dice, target: Handle, wanted: string): string {
  if (!wanted.includes('EXCLUSIVE') || dice.chance(0.1)) return wanted;
  if (target.file.kind === 'epoll') return wanted.replace('|EXCLUSIVE', '');
  return dice.pick([
    'IN|EXCLUSIVE',
    'IN|OUT|EXCLUSIVE',
    'OUT|EXCLUSIVE',
    'IN|ET|EXCLUSIVE',
    'IN|OUT|ET|EXCLUSIVE',
  ]);
}

export const add: Move = (world) => {
  const { dice } = world;
  const set = world.choose('epoll');
  if (set === undefined) return;
  const target = world.likely(
    ({ name, file }) =>
      !set.file.registered.has(name) && (file.kind !== 'epoll' || dice.chance(0.3)) && file !== set.file,
    ...addable,
  );
  if (target !== undefined) register(world, set, target, sensible(dice, target, mask(dice)));
};

/** Several at once, so that ready lists have an order to get wrong. */
export const addMany: Move = (world) => {
  const { dice } = world;
  const set = world.choose('epoll');
  if (set === undefined) return;
  const mode = mask(dice);
  for (const target of world.open('stream', 'listener')) {
    if (set.file.registered.has(target.name) || dice.chance(0.4)) continue;
    register(world, set, target, sensible(dice, target, dice.chance(0.8) ? mode : mask(dice)));
  }
};

/** A set and one of its members, mostly. */
function member(world: World): [Handle, Handle] | undefined {
  const set = world.set();
  if (set === undefined) return undefined;
  const target = world.likely(({ name }) => set.file.registered.has(name), ...addable);
  return target === undefined ? undefined : [set, target];
}

export const modify: Move = (world) => {
  const { dice } = world;
  const chosen = member(world);
  if (chosen === undefined) return;
  const [set, target] = chosen;
  const old = set.file.registered.get(target.name) ?? '';
  if (old.includes('EXCLUSIVE') && dice.chance(0.8)) return;
  const wanted = dice.chance(0.25) && old !== '' ? old : mask(dice);
  if (wanted.includes('EXCLUSIVE') && dice.chance(0.9)) return;
  world.emit(`ctl ${set.name} mod ${target.name} ${wanted}${dice.chance(0.05) ? ` ${dice.below(100)}` : ''}`);
};

export const remove: Move = (world) => {
  const chosen = member(world);
  if (chosen === undefined) return;
  world.emit(`ctl ${chosen[0].name} del ${chosen[1].name}`);
  chosen[0].file.registered.delete(chosen[1].name);
};

export const wait: Move = (world) => {
  const { dice } = world;
  const set = world.set();
  if (set === undefined) return;
  if (dice.chance(0.04))
    world.emit(`pwait2 ${set.name} ${1 + dice.below(8)} 0 ${dice.pick([0, 1000, 3_000_000])}`);
  else if (dice.chance(0.06)) world.emit(`wait ${set.name} ${1 + dice.below(8)} ${dice.pick([1, 5, 8])}`);
  else if (dice.chance(0.3)) world.emit(`wait ${set.name} ${dice.pick([1, 1, 2, 2, 3, 4])}`);
  else world.emit(`wait ${set.name}`);
};

/** Every epoll set, so that nothing that happened stays unseen. */
export const waitAll: Move = (world) => {
  for (const set of world.open('epoll')) if (set.file.registered.size > 0) world.emit(`wait ${set.name}`);
};

export const poll: Move = (world) => {
  const handle = world.recent(...addable);
  if (handle === undefined) return;
  if (world.dice.chance(0.1)) world.emit(`select ${handle.name}`);
  else world.emit(`poll ${handle.name}${world.dice.chance(0.15) ? ` ${world.dice.pick(interests)}` : ''}`);
};

export const look: Move = (world) => {
  const { dice } = world;
  const handle = world.recent('stream', 'listener');
  if (handle === undefined) return;
  const sized = !handle.file.unsized && !handle.file.peer?.unsized;
  const looks = [
    'state',
    'state',
    'getsockopt SO_ERROR',
    'getsockopt SO_ERROR',
    'getsockname',
    'getpeername',
  ];
  if (sized) looks.push('ioctl inq', 'ioctl outq', 'ioctl outqnsd', 'ioctl atmark');
  if (handle.file.kind === 'listener') looks.push('info unacked sacked', 'getsockopt SO_ACCEPTCONN');
  const [operation, ...rest] = dice.pick(looks).split(' ');
  world.emit([operation, handle.name, ...rest].join(' '));
};

const settings = [
  'SO_RCVLOWAT 1', 'SO_RCVLOWAT 2', 'SO_RCVLOWAT 5', 'SO_RCVLOWAT 10', 'SO_RCVLOWAT 0', 'SO_SNDBUF 1000',
  'SO_SNDBUF 20000', 'SO_SNDBUF 100000', 'TCP_NOTSENT_LOWAT 1', 'TCP_NOTSENT_LOWAT 1000', 'TCP_NOTSENT_LOWAT 0',
  'SO_OOBINLINE 1', 'SO_OOBINLINE 0', 'TCP_NODELAY 1', 'SO_KEEPALIVE 1', 'SO_REUSEADDR 1', 'SO_REUSEPORT 1',
  'SO_LINGER 1 0', 'SO_LINGER 0 0', 'SO_LINGER 1 1', 'SO_RCVTIMEO 20', 'TCP_LINGER2 -1', 'TCP_LINGER2 5',
  'TCP_USER_TIMEOUT 5000', 'TCP_KEEPIDLE 0', 'TCP_KEEPCNT 3', 'TCP_SYNCNT 200', 'SO_SNDLOWAT 5', 'SO_ERROR 1',
  'TCP_NODELAY 1 2', 'SO_RCVLOWAT 1 3', 'TCP_QUICKACK 1', 'TCP_DEFER_ACCEPT 4', 'SO_PEEK_OFF 0', 'SO_PEEK_OFF 3',
  'SO_PEEK_OFF -1',
]; // biome-ignore format: a list to choose from

export const option: Move = (world) => {
  const { dice } = world;
  const handle = world.recent('stream', 'listener');
  if (handle === undefined) return;
  const setting = dice.pick(settings);
  const [name] = setting.split(' ');
  // A buffer that was filled has grown by itself.
  if (name === 'SO_SNDBUF' && handle.file.unsized) return;
  const reads = dice.chance(0.3);
  // Whether a write counts as an answer, and with it what this one reads, is a matter of 40 ms.
  if (reads && name === 'TCP_QUICKACK') return;
  if (reads) world.emit(`getsockopt ${handle.name} ${name}`);
  else if (!(handle.file.filled && /SNDBUF|LOWAT/.test(name))) {
    world.emit(`setsockopt ${handle.name} ${setting}`);
    if (name === 'TCP_DEFER_ACCEPT') handle.file.defers = true;
    if (name === 'SO_RCVTIMEO') handle.file.timed = true;
  }
};

/**
 * A background thread that sleeps in a call; what wakes it comes later, or never. One operation may wake several threads, and
 * then it is the scheduler's choice who looks first: so there is one to a set, none on sets within sets, and one that
 * reads, and so changes what others see, is alone.
 */
export const sleeper: Move = (world) => {
  const { dice } = world;
  if (world.threads.length >= 4 || world.threads.some((thread) => thread.reads) || world.anyFilled) return;
  const thread = world.name('t');
  const roll = dice.roll();
  if (roll < 0.6) {
    const set = world.set();
    if (set === undefined || set.file.kind !== 'epoll' || set.file.sleepers > 0 || world.nested) return;
    set.file.sleepers++;
    world.emit(`bg ${thread} wait ${set.name} ${dice.pick([1, 2, 16])} -1`);
    world.threads.push({ name: thread, reads: false });
  } else if (roll < 0.75) {
    const target = world.choose('stream', 'listener');
    if (target === undefined) return;
    world.emit(`bg ${thread} poll ${target.name} ${dice.pick(['IN', 'IN|RDHUP', 'OUT', 'PRI'])} 5000`);
    world.threads.push({ name: thread, reads: false });
  } else if (world.threads.length === 0) {
    const target = world.likely(({ file }) => file.peer !== undefined && !file.peer.ended, 'stream');
    const file = target?.file;
    if (target === undefined || file === undefined || file.peer?.filled || file.filled || file.timed) return;
    world.emit(`fcntl ${target.name} block`);
    world.emit(`bg ${thread} recv ${target.name} ${dice.pick([1, 5, 100])}`);
    // It stays: this thread may read at any time from now on.
    file.blocking = true;
    file.sleepers++;
    world.threads.push({ name: thread, reads: true });
  }
};

export const join: Move = (world) => {
  if (world.threads.length === 0 || world.sleeps >= 3 || world.anyFilled) return;
  world.sleeps++;
  world.emit(`join ${world.threads.map(({ name }) => name).join(' ')}`);
};

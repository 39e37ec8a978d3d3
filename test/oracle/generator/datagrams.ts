// Random scripts about datagram sockets: who hears whom, which errors are told when, datagrams put together from several sends,
// and what epoll sees of it. Over loopback all of it happens at once, so that little has to be left out: what a datagram weighs
// while it is put together (SIOCOUTQ), and receive buffers that a script could fill, since what fits depends on how the loopback packs it.

import type { Dice } from './dice.js';

const sizes = [0, 1, 1, 3, 10, 100, 1472, 5000, 60_000, 65_507, 65_508];
/** 17 1 is UDP_CORK, 0 10 IP_MTU_DISCOVER, 0 11 IP_RECVERR, 0 14 IP_MTU, 1 11 SO_NO_CHECK. */
const settings = [
  '17 1 1', '17 1 0', '17 1 0', 'SO_PEEK_OFF 0', 'SO_PEEK_OFF 3', 'SO_PEEK_OFF -1', 'SO_RCVLOWAT 5', '0 11 1', '0 11 0',
  '0 10 2', '0 10 0', 'SO_RCVBUF 200000', '1 11 1', 'SO_BROADCAST 1',
]; // biome-ignore format: a list to choose from
const interests = ['IN', 'IN|OUT|RDHUP|ET', 'IN|OUT|ET', 'OUT|ONESHOT', 'IN|PRI|ERR', 'OUT|ET'];

class Scene {
  readonly lines: string[] = [];
  readonly sockets: string[] = [];
  #count = 0;

  constructor(readonly dice: Dice) {}

  emit(line: string): void {
    this.lines.push(line.trimEnd());
  }

  socket(): void {
    const { dice } = this;
    const name = `u${++this.#count}`;
    this.emit(`${name} = socket dgram nonblock`);
    if (dice.chance(0.7))
      this.emit(`bind ${name} ${dice.pick(['lo:0', 'lo:0', 'any:0', '127.0.0.2:0', 'lo:5000'])}`);
    this.sockets.push(name);
    if (dice.chance(0.7)) this.emit(`ctl e add ${name} ${dice.pick(interests)}`);
  }

  any(): string {
    return this.dice.pick(this.sockets);
  }
}

type Act = (scene: Scene, name: string) => void;

const connect: Act = (scene, name) => {
  const { dice } = scene;
  const other = scene.any();
  const to = [
    `@${other}`,
    `@${other}`,
    `@${other}`,
    'lo:9',
    'unspec',
    `127.0.0.3:@${other}`,
    'any:9',
    'lo:0',
  ];
  scene.emit(`connect ${name} ${dice.pick(to)}${dice.chance(0.1) ? ` ${dice.pick([0, 8, 15])}` : ''}`);
};

const send: Act = (scene, name) => {
  const { dice } = scene;
  const flags = dice.pick(['', '', '', '', 'more', 'more', 'oob', 'dontwait', 'eor', 'more|nosignal']);
  if (dice.chance(0.1)) scene.emit(`write ${name} ${dice.pick([0, 1, 50])}`);
  else scene.emit(`send ${name} ${dice.pick(sizes)} ${flags}`);
};

const receive: Act = (scene, name) => {
  const { dice } = scene;
  const flags = dice.pick(['', '', '', '', 'peek', 'trunc', 'peek|trunc', 'oob', 'waitall', 'dontwait']);
  if (dice.chance(0.1)) scene.emit(`read ${name} ${dice.pick([0, 1, 50])}`);
  else scene.emit(`${dice.pick(['recv', 'recvmsg'])} ${name} ${dice.pick([0, 1, 5, 100, 65_536])} ${flags}`);
};

const look: Act = (scene, name) => {
  const looks = [
    'ioctl # inq',
    'getsockname #',
    'getpeername #',
    'getsockopt # SO_ERROR',
    'getsockopt # 0 14',
  ];
  looks.push('getsockopt # SO_PEEK_OFF', 'getsockopt # 17 1', 'select #', 'listen # 3', 'accept #');
  scene.emit(scene.dice.pick(looks).replace('#', name));
};

const end: Act = (scene, name) => {
  const { dice, sockets } = scene;
  if (sockets.length < 3 || dice.chance(0.5)) {
    scene.emit(`shutdown ${name} ${dice.pick(['rd', 'wr', 'rdwr', '3'])}`);
    return;
  }
  scene.emit(`close ${name}`);
  sockets.splice(sockets.indexOf(name), 1);
};

const acts: ReadonlyMap<Act, number> = new Map<Act, number>([
  [(scene) => scene.sockets.length < 6 && scene.socket(), 4],
  [connect, 17],
  [send, 26],
  [receive, 22],
  [(scene, name) => scene.emit(`poll ${name}`), 5],
  [(scene) => scene.emit('wait e'), 7],
  [look, 6],
  [end, 4],
  [(scene, name) => scene.emit(`setsockopt ${name} ${scene.dice.pick(settings)}`), 5],
  [(scene, name) => scene.emit(`bind ${name} ${scene.dice.pick(['lo:0', 'lo:5000'])}`), 1],
  [(scene, name) => scene.emit(`ctl e mod ${name} ${scene.dice.pick(interests)}`), 2],
]);

/** A script of `operations` lines or a few more. */
export function generateDatagrams(dice: Dice, operations: number): string {
  const scene = new Scene(dice);
  scene.emit('e = epoll_create1');
  scene.socket();
  scene.socket();
  while (scene.lines.length < operations) dice.weighted(acts)(scene, scene.any());
  scene.emit('wait e');
  for (const name of scene.sockets) scene.emit(`poll ${name}`);
  return `${scene.lines.join('\n')}\n`;
}

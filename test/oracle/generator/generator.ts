// Random scripts: a seed and an index make one of about 60 operations whose results depend on nothing but the rules.
// What would make them depend on time or buffer sizes is left out here: amounts that fit, segments held back (MSG_MORE,
// corked ones), full accept queues with time to spare, several receivers asleep on one socket, SO_REUSEPORT's choice.

import { generateDatagrams } from './datagrams.js';
import { Dice } from './dice.js';
import type { Move } from './moves.js';
import * as moves from './moves.js';
import * as readiness from './readiness-moves.js';
import { World } from './world.js';

const weights: readonly (readonly [Move, number])[] = [
  [moves.pair, 3.5],
  [moves.listener, 2],
  [moves.client, 4],
  [moves.fresh, 1],
  [moves.accept, 4],
  [moves.connectAgain, 1.5],
  [moves.listenAgain, 0.5],
  [moves.bindAgain, 0.7],
  [moves.send, 10],
  [moves.sendUrgent, 1.2],
  [moves.receive, 8],
  [moves.receiveUrgent, 0.8],
  [moves.fill, 0.5],
  [moves.drain, 1],
  [moves.shutdown, 2.5],
  [moves.close, 2.2],
  [moves.reset, 0.8],
  [moves.dup, 1.5],
  [moves.flags, 0.8],
  [moves.pipe, 0.3],
  [moves.pipeData, 1],
  [moves.eventfd, 0.2],
  [readiness.epoll, 2],
  [readiness.add, 8],
  [readiness.addMany, 1],
  [readiness.modify, 3],
  [readiness.remove, 1.5],
  [readiness.wait, 9],
  [readiness.waitAll, 3],
  [readiness.poll, 5],
  [readiness.look, 3],
  [readiness.option, 2.5],
  [readiness.sleeper, 0.6],
  [readiness.join, 0.8],
];

/** One in so many is about datagrams. */
const DATAGRAMS_EVERY = 10;

/** The script of this seed and index: `operations` or a few more lines. */
export function generate(seed: number, index: number, operations = 60): string {
  const dice = new Dice(seed, index);
  if (index % DATAGRAMS_EVERY === DATAGRAMS_EVERY - 1) return generateDatagrams(dice, operations);
  const world = new World(dice);
  // Each script has its own bent: some moves not at all, some much more often.
  const bent = new Map(weights.map(([move, weight]) => [move, weight * dice.pick([0, 0.5, 1, 1, 1, 1, 3])]));
  for (const move of [moves.pair, readiness.epoll, readiness.add, readiness.wait]) {
    if (bent.get(move) === 0) bent.set(move, 1);
  }
  moves.pair(world);
  readiness.epoll(world);
  if (dice.chance(0.5)) moves.listener(world);
  readiness.add(world);
  while (world.lines.length < operations) {
    dice.weighted(bent)(world);
    if (world.anyFilled && world.lines.length > world.filledAt + 12) moves.drainAll(world);
  }
  // Nothing that happened may stay unseen.
  readiness.waitAll(world);
  return `${world.lines.join('\n')}\n`;
}

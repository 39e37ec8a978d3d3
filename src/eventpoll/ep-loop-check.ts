// Eventpolls may watch eventpolls, but not in a circle, not more than five deep, and not so that one wake-up runs through
// thousands of paths (ep_loop_check, reverse_path_check). Asked before a registration that nests, or into something nested.

import type { File } from '../core/file.js';
import type { EpItem } from './epitem.js';
import { type EventPoll, isEventPoll } from './eventpoll.js';

/** Links in the longest chain of eventpolls. */
const EP_MAX_NESTS = 4;
/** How many paths of each length may lead from a file to an outermost eventpoll; of length 1 there may be any number. */
const PATH_LIMITS: readonly number[] = [Infinity, 500, 100, 50, 10];

/**
 * ep_loop_check: false if watching `target` from `ep` would close a circle or make too long a chain. Files watched from
 * anywhere below `target` are added to `found`, because the paths from them grow.
 */
export function nestingAllowed(ep: EventPoll, target: EventPoll, found: Set<File>): boolean {
  const down = depthBelow(target, ep, ++ep.shared.generation, 0, found);
  if (down > EP_MAX_NESTS) return false;
  const up = depthAbove(ep, ++ep.shared.generation);
  return down + 1 + up <= EP_MAX_NESTS;
}

/** ep_loop_check_proc */
function depthBelow(
  ep: EventPoll,
  inserting: EventPoll,
  generation: number,
  depth: number,
  found: Set<File>,
): number {
  if (ep.generation === generation) return ep.depth;
  ep.generation = generation;
  let deepest = 0;
  for (const item of ep.items) {
    if (!isEventPoll(item.file)) {
      found.add(item.file);
      continue;
    }
    const inner = item.file.private_ as EventPoll;
    if (inner === inserting || depth > EP_MAX_NESTS) return EP_MAX_NESTS + 1;
    deepest = Math.max(deepest, depthBelow(inner, inserting, generation, depth + 1, found) + 1);
    if (deepest > EP_MAX_NESTS) return deepest;
  }
  ep.depth = deepest;
  return deepest;
}

/** ep_get_upwards_depth_proc */
function depthAbove(ep: EventPoll, generation: number): number {
  if (ep.generation === generation) return ep.depth;
  let highest = 0;
  for (let watch = ep.file.watches; watch !== null; watch = watch.nextWatch) {
    highest = Math.max(highest, depthAbove((watch as EpItem).ep, generation) + 1);
  }
  ep.generation = generation;
  ep.depth = highest;
  return highest;
}

/** reverse_path_check: whether each file's paths outwards stay within the limits. */
export function pathsAllowed(files: Iterable<File>): boolean {
  for (const file of files) {
    const counts = PATH_LIMITS.map(() => 0);
    if (!pathsFrom(file, 0, counts)) return false;
  }
  return true;
}

function pathsFrom(file: File, depth: number, counts: number[]): boolean {
  if (depth > EP_MAX_NESTS) return false;
  for (let watch = file.watches; watch !== null; watch = watch.nextWatch) {
    const outer = (watch as EpItem).ep.file;
    if (outer.watches === null) {
      if (++counts[depth] > PATH_LIMITS[depth]) return false;
    } else if (!pathsFrom(outer, depth + 1, counts)) {
      return false;
    }
  }
  return true;
}

// The stack of this process, for the default export and for `tapstack/register` alike: loopback alone, unless the environment names a
// TAP device for it.

import type { Stack } from '../stack.js';
import { liveAndDie } from './life.js';
import { type OpenStack, openStack } from './open-stack.js';
import { readSettings, type StackSettings } from './settings.js';

let opened: OpenStack | undefined;
const farewells: (() => void)[] = [];

/** What else is to be done at the end of a process whose stack has a device: nothing that takes time. */
export function onLeave(farewell: () => void): void {
  farewells.push(farewell);
}

/**
 * Opens it when it is first asked for, and closes it when the process ends.
 * @throws SettingsError for a setting that makes no sense, and what opening a device may throw
 */
export function defaultStack(settings?: StackSettings): Stack {
  if (opened === undefined) {
    opened = openStack(settings ?? readSettings(process.env), linkDown);
    const { tap, leave } = opened;
    if (tap !== undefined)
      liveAndDie(() => {
        for (const farewell of farewells) farewell();
        leave();
      });
  }
  return opened.stack;
}

function linkDown(error: Error): void {
  process.emitWarning(`${error.message}. The program has no network any more.`, { type: 'TapstackWarning' });
}

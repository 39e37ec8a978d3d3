// The stack that the default export stands on: loopback alone, unless the environment names a TAP device for it.

import type { Stack } from '../stack.js';
import { openStack } from './open-stack.js';
import { settingsFromEnvironment } from './settings.js';

/** @throws SettingsError for a variable that makes no sense, and what opening a device may throw */
export function defaultStack(): Stack {
  const { stack, leave } = openStack(settingsFromEnvironment(process.env), (error) => {
    process.emitWarning(`the device of tapstack/net is gone: ${error.message}`, 'TapstackWarning');
  });
  process.on('exit', leave);
  return stack;
}

// The stack that the default export stands on: loopback alone, unless the environment names a TAP device for it.

import { Stack } from '../stack.js';

export function defaultStack(): Stack {
  return new Stack();
}

// The table of system calls that scripts may make. A call that is not in it makes its script skipped, by name.

import type { Call } from './call-context.js';
import { dataCalls } from './calls-data.js';
import { readyCalls } from './calls-ready.js';
import { socketCalls } from './calls-socket.js';

const table: ReadonlyMap<string, Call> = new Map(
  Object.entries({ ...socketCalls, ...dataCalls, ...readyCalls }),
);

export function findCall(name: string): Call | undefined {
  return table.get(name);
}

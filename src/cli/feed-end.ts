// How a command that follows a running stack ends: the first Ctrl-C asks the other side to finish, the second ends us at once.

import type { Socket } from 'node:net';

export function endOnSignal(socket: Socket): void {
  let asked = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (asked) process.exit(130);
      asked = true;
      socket.end();
    });
  }
}

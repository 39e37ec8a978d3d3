// What the constructor of a Server does, on an object that exists already.

import { EventEmitter } from 'node:events';
import { invalidArgType } from './errors.js';
import type { NetOptions } from './normalize-args.js';
import type { NetServer } from './server.js';

const construct = EventEmitter as unknown as (this: EventEmitter) => void;

export function initServer(server: NetServer, options: unknown, listener: unknown): void {
  Reflect.apply(construct, server, []);
  let given: NetOptions = {};
  if (typeof options === 'function') {
    server.on('connection', options as () => void);
  } else if (options === null || options === undefined || typeof options === 'object') {
    given = { ...(options as NetOptions) };
    if (typeof listener === 'function') server.on('connection', listener as () => void);
  } else {
    throw invalidArgType('options', 'of type object', options);
  }
  server._connections = 0;
  server._handle = null;
  server._unref = false;
  server._listeningId = 0;
  server.allowHalfOpen = Boolean(given.allowHalfOpen);
  server.pauseOnConnect = Boolean(given.pauseOnConnect);
  server.noDelay = Boolean(given.noDelay);
  server.keepAlive = Boolean(given.keepAlive);
  server.keepAliveInitialDelay = ~~(Math.max(0, Number(given.keepAliveInitialDelay) || 0) / 1000);
  server.highWaterMark = given.highWaterMark as number | undefined;
}

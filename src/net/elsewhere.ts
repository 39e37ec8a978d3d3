// Where a stack cannot follow its program: other threads and processes. They have the kernel's network, and are told so when they
// use it; what cannot work at all says so at once.

import { createRequire } from 'node:module';
import builtin from 'node:net';

const require = createRequire(import.meta.url);

/** Warns once, when this thread or process first connects or listens. */
export function warnOnUse(message: string): void {
  let warned = false;
  for (const [proto, method] of [
    [builtin.Socket.prototype, 'connect'],
    [builtin.Server.prototype, 'listen'],
  ] as const) {
    const methods = proto as unknown as Record<string, (...args: unknown[]) => unknown>;
    const original = methods[method];
    methods[method] = function (this: unknown, ...args: unknown[]): unknown {
      // A path is the kernel's business anyway.
      if (!warned && !namesPath(args[0])) {
        warned = true;
        process.emitWarning(message, { type: 'TapstackWarning', code: 'TAPSTACK_KERNEL_NET' });
      }
      return Reflect.apply(original, this, args);
    };
  }
}

function namesPath(first: unknown): boolean {
  const [options] = Array.isArray(first) ? (first as unknown[]) : [first];
  if (typeof options === 'string') return Number.isNaN(Number(options));
  return typeof options === 'object' && options !== null && 'path' in options && Boolean(options.path);
}

/** A worker of a cluster shares its primary's listening descriptor, which is one of the stack's here. */
export function refuseCluster(): void {
  const cluster = require('node:cluster') as { fork: () => never };
  cluster.fork = () => {
    throw Object.assign(
      new Error(
        'cluster.fork: a worker would be another process, and cannot share the sockets of a stack that lives in this one. ' +
          'Run one program for each TAP device, or leave tapstack out.',
      ),
      { code: 'ERR_TAPSTACK_CLUSTER' },
    );
  };
}

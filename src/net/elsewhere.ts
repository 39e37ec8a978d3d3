// Where a stack cannot follow its program: other threads and processes. They have the kernel's network, and are told so when they
// use it; what cannot work at all says so at once.

import { createRequire } from 'node:module';
import builtin from 'node:net';
import type { Net } from './create-net.js';

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

/**
 * Nothing of the stack can be handed to another process: a cluster's worker shares its primary's listening descriptor, and `send` hands
 * over one of the kernel's.
 */
export function refuseSharing(net: Net): void {
  const cluster = require('node:cluster') as { fork: () => never };
  cluster.fork = () => {
    throw refusal('ERR_TAPSTACK_CLUSTER', 'cluster.fork: a worker would be another process');
  };
  const { ChildProcess } = require('node:child_process') as { ChildProcess: { prototype: Child } };
  const { spawn } = ChildProcess.prototype;
  ChildProcess.prototype.spawn = function (this: Child, options: unknown): unknown {
    const result = Reflect.apply(spawn, this, [options]);
    const { send } = this;
    if (send !== undefined)
      this.send = (message, handle, ...more) => {
        if (isOf(net.Socket, handle) || isOf(net.Server, handle))
          throw refusal('ERR_TAPSTACK_SEND', 'child.send: the child is another process');
        return Reflect.apply(send, this, [message, handle, ...more]);
      };
    return result;
  };
}

interface Child {
  spawn(options: unknown): unknown;
  send?: (message: unknown, handle?: unknown, ...more: unknown[]) => boolean;
}

function isOf(ours: { prototype: object }, value: unknown): boolean {
  return Object.prototype.isPrototypeOf.call(ours.prototype, value as never);
}

function refusal(code: string, what: string): Error {
  const why = 'and cannot share the sockets of a stack that lives in this one';
  const remedy = 'Run one program for each TAP device, or leave tapstack out.';
  return Object.assign(new Error(`${what}, ${why}. ${remedy}`), { code });
}

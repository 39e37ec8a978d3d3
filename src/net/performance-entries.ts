// Performance entries of type `net`, which only Node's own net can make: for each connection that is being observed one of Node's
// sockets connects too, over a handle that does nothing, and is told the same.

import { PerformanceObserver } from 'node:perf_hooks';
import { kernelNet } from './kernel-net.js';

/** What a socket of Node's asks of its handle while it connects. */
class NoHandle {
  #request: {
    oncomplete: (status: number, handle: unknown, request: unknown, ...may: boolean[]) => void;
  } | null = null;

  connect(request: never): number {
    this.#request = request;
    return 0;
  }

  connected(): void {
    this.#request?.oncomplete(0, this, this.#request, true, true);
  }

  readStart(): number {
    return 0;
  }

  close(): void {}
}

/** A connection under way, as observers of performance see it. */
export interface ObservedConnect {
  connected(): void;
}

let observed = false;
let hearing = false;

function asksForNet(options: unknown): boolean {
  const { type, entryTypes } = (options ?? {}) as { type?: unknown; entryTypes?: unknown };
  return type === 'net' || (Array.isArray(entryTypes) && entryTypes.includes('net'));
}

/** Whether anybody observes is Node's secret: from now on each who begins to is heard. */
export function hearObservers(): void {
  if (hearing) return;
  hearing = true;
  const { observe } = PerformanceObserver.prototype;
  PerformanceObserver.prototype.observe = function (options: never): void {
    Reflect.apply(observe, this, [options]);
    observed ||= asksForNet(options);
  };
}

/** To be called when the attempt has begun. Null: nobody has ever asked. */
export function observeConnect(host: string, port: number): ObservedConnect | null {
  if (!observed) return null;
  const handle = new NoHandle();
  const socket = new kernelNet.Socket({ handle, manualStart: true } as never);
  socket.connect({ host, port });
  return {
    connected() {
      handle.connected();
      socket.destroy();
    },
  };
}

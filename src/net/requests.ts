// What a handle is asked to do and answers later: connect, write, shutdown. The shapes are those of Node's own wraps.

import type { ObservedConnect } from './performance-entries.js';
import type { TcpHandle } from './tcp-handle.js';

export class ConnectRequest {
  oncomplete: (
    status: number,
    handle: TcpHandle,
    request: ConnectRequest,
    readable: boolean,
    writable: boolean,
  ) => void;
  address = '';
  port = 0;
  localAddress: string | undefined;
  localPort: number | undefined;
  addressType = 4;
  observed: ObservedConnect | null = null;

  constructor(oncomplete: ConnectRequest['oncomplete']) {
    this.oncomplete = oncomplete;
  }
}

export class WriteRequest {
  oncomplete: (status: number) => void = ignore;
  callback: ((error?: Error | null) => void) | null = null;
  handle: unknown = null;
  /** Not everything could be sent at once: `oncomplete` will be called. */
  async = false;
  bytes = 0;
  /** What is written, kept from being collected meanwhile. */
  buffer: unknown = null;
}

export class ShutdownRequest {
  oncomplete: (status: number) => void = ignore;
  callback: (error?: Error | null) => void = ignore;
  handle: unknown = null;
}

function ignore(): void {}

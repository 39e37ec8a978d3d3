// A name with several addresses: they are tried one after another, families by turns, until one answers (RFC 8305). An
// attempt that takes too long is given up for the next, but not the last one.

import { isIP } from 'node:net';
import {
  afterConnect,
  attempt,
  attemptError,
  begin,
  bindLocal,
  connectTo,
  type Destination,
  established,
  fail,
  failedConnect,
  type LookupAny,
} from './connect-attempt.js';
import { allAttemptsFailed, invalidAddressFamily, invalidIpAddress, type NodeError } from './errors.js';
import type { ConnectRequest } from './requests.js';
import type { NetSocket } from './socket.js';
import { initSocketHandle } from './socket-init.js';
import { kNet } from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';
import type { NetTimer } from './timers.js';

interface Address {
  address: string;
  family: number;
}

export function connectAny(
  socket: NetSocket,
  lookup: LookupAny,
  dns: { family: unknown; hints: number; all: boolean },
  to: Destination,
  attemptTimeout: number,
): void {
  lookup(to.host, { ...dns, all: true }, (error, addresses, family) => {
    // Lookups of programs may know nothing of `all`.
    const list = Array.isArray(addresses) ? (addresses as Address[]) : [];
    if (error) {
      socket.emit('lookup', error, undefined, undefined, to.host);
      if (socket.connecting) process.nextTick(fail, socket, error);
      return;
    }
    if (!Array.isArray(addresses)) {
      socket.emit('lookup', error, addresses, family, to.host);
      if (socket.connecting) connectTo(socket, addresses as string, family as number, to);
      return;
    }
    for (const each of list) {
      socket.emit('lookup', error, each.address, each.family, to.host);
      if (!socket.connecting) return;
    }
    const order = alternate(list);
    if (order.length === 0) {
      process.nextTick(fail, socket, noAddress(list, to));
    } else if (order.length === 1) {
      connectTo(socket, order[0].address, order[0].family, to);
    } else {
      socket.autoSelectFamilyAttemptedAddresses = [];
      socket._unrefTimer();
      new Attempts(socket, order, to, attemptTimeout).next();
    }
  });
}

/** Valid addresses once each: by turns of both families, that of the first first. */
function alternate(list: readonly Address[]): Address[] {
  const valid = list.filter(({ address, family }) => isIP(address) !== 0 && (family === 4 || family === 6));
  const unique = [...new Map(valid.map((each) => [each.address, each])).values()];
  const first = unique.filter(({ family }) => family === unique[0].family);
  const second = unique.filter(({ family }) => family !== unique[0].family);
  const order: Address[] = [];
  for (let at = 0; at < Math.max(first.length, second.length); at++) {
    if (at < first.length) order.push(first[at]);
    if (at < second.length) order.push(second[at]);
  }
  return order;
}

function noAddress(list: readonly Address[], to: Destination): NodeError {
  const [first] = list;
  if (first !== undefined && isIP(first.address) !== 0) {
    return invalidAddressFamily(first.family, to.host, to.port);
  }
  return invalidIpAddress(first?.address);
}

class Attempts {
  readonly #socket: NetSocket;
  readonly #addresses: readonly Address[];
  readonly #to: Destination;
  readonly #timeout: number;
  readonly #errors: NodeError[] = [];
  #current = 0;
  #timer: NetTimer | null = null;

  constructor(socket: NetSocket, addresses: readonly Address[], to: Destination, timeout: number) {
    this.#socket = socket;
    this.#addresses = addresses;
    this.#to = to;
    this.#timeout = timeout;
  }

  next(): void {
    const socket = this.#socket;
    this.#clearTimer();
    if (this.#current === this.#addresses.length) {
      socket.destroy(allAttemptsFailed(this.#errors));
      return;
    }
    if (!socket.connecting) return;
    const { address, family } = this.#addresses[this.#current++];
    const handle = this.#handle();
    const bindError = bindLocal(handle, family, this.#to);
    if (bindError !== 0) {
      this.#failed(failedConnect(bindError, attempt(address, family, this.#to, afterConnect), handle));
      return;
    }
    const { port } = this.#to;
    socket.autoSelectFamilyAttemptedAddresses?.push(`${address}:${port}`);
    socket.emit('connectionAttempt', address, port, family);
    if (!socket.connecting) return;
    const request = attempt(address, family, this.#to, (status, its) => this.#answered(status, its, request));
    const error = begin(handle, request);
    if (error !== 0) {
      const failure = attemptError(socket, request, error);
      socket.emit('connectionAttemptFailed', address, port, family, failure);
      this.#failed(failure);
      return;
    }
    if (this.#current < this.#addresses.length) {
      this.#timer = socket[kNet].timers.set(() => this.#late(request, handle), this.#timeout);
    }
  }

  /** The first attempt has the socket's handle; each further one a handle of its own, as an attempt cannot be taken back. */
  #handle(): TcpHandle {
    if (this.#current === 1) return this.#socket._handle as TcpHandle;
    const handle = this.#socket[kNet].createHandle();
    handle.owner = this.#socket;
    return handle;
  }

  #failed(error: NodeError): void {
    this.#errors.push(error);
    this.next();
  }

  #late(request: ConnectRequest, handle: TcpHandle): void {
    const { address, port, addressType } = request;
    this.#socket.emit('connectionAttemptTimeout', address, port, addressType);
    request.oncomplete = ignore;
    this.#errors.push(failedConnect(-ETIMEDOUT, request, handle));
    if (handle !== this.#socket._handle) handle.close();
    if (this.#socket.connecting) this.next();
  }

  #answered(status: number, handle: TcpHandle, request: ConnectRequest): void {
    const socket = this.#socket;
    this.#clearTimer();
    if (!socket.connecting || socket.destroyed) {
      if (handle !== socket._handle) handle.close();
      return;
    }
    if (status !== 0) {
      const error = failedConnect(status, request, handle);
      socket.emit('connectionAttemptFailed', request.address, request.port, request.addressType, error);
      if (handle !== socket._handle) handle.close();
      this.#failed(error);
      return;
    }
    if (handle !== socket._handle) {
      socket._handle?.close();
      socket._handle = handle;
      initSocketHandle(socket);
    }
    socket.connecting = false;
    socket._sockname = null;
    established(socket, handle, request);
  }

  #clearTimer(): void {
    if (this.#timer !== null) this.#socket[kNet].timers.clear(this.#timer);
    this.#timer = null;
  }
}

const ETIMEDOUT = 110;

function ignore(): void {}

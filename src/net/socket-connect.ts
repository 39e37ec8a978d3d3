// connect(): arguments, the name looked up, the attempt, and what comes of it. Nothing is sent before the next tick.

import { ADDRCONFIG } from 'node:dns';
import { isIP } from 'node:net';
import { connectAny } from './auto-select.js';
import {
  connectNow,
  connectPath,
  connectTo,
  type Destination,
  fail,
  type LookupAny,
} from './connect-attempt.js';
import { invalidArgType, invalidIpAddress, missingConnectArgs } from './errors.js';
import type { Callback, NetOptions } from './normalize-args.js';
import { PipeHandle } from './pipe-handle.js';
import type { NetSocket } from './socket.js';
import { initSocketHandle } from './socket-init.js';
import { kNet, kTimer } from './symbols.js';
import type { TcpHandle } from './tcp-handle.js';
import {
  validateBoolean,
  validateFunction,
  validateInt32,
  validateNumber,
  validatePort,
  validateString,
} from './validate.js';

export function startConnect(socket: NetSocket, options: NetOptions, callback: Callback | null): void {
  const { path } = options;
  if (path === undefined || path === null) {
    if (options.port === undefined) throw missingConnectArgs();
  }
  // A socket that has been used and closed begins anew.
  if (Object.hasOwn(socket, 'write')) delete (socket as Partial<NetSocket>).write;
  if (socket.destroyed) {
    socket._handle = null;
    socket._peername = undefined;
    socket._sockname = undefined;
    socket[kTimer] = null;
    (socket as unknown as { _undestroy(): void })._undestroy();
  }
  if (callback !== null) socket.once('connect', callback);
  if (socket._parent?.connecting) return;
  if (!socket._handle) {
    socket._handle = path ? (new PipeHandle() as unknown as TcpHandle) : socket[kNet].createHandle();
    initSocketHandle(socket);
    socket._bytesDispatched = 0;
  }
  socket._unrefTimer();
  socket.connecting = true;
  if (path) {
    validateString(path, 'options.path');
    connectPath(socket, path as string);
  } else {
    lookupAndConnect(socket, options);
  }
}

function lookupAndConnect(socket: NetSocket, options: NetOptions): void {
  const { localAddress, localPort } = options;
  const host = (options.host as string) || 'localhost';
  if (localAddress && !isIP(localAddress as string)) throw invalidIpAddress(localAddress);
  if (localPort) validateNumber(localPort, 'options.localPort');
  if (typeof options.port !== 'number' && typeof options.port !== 'string')
    throw invalidArgType('options.port', 'one of type number or string', options.port);
  const port = validatePort(options.port, 'Port');
  const { autoSelectFamily = socket[kNet].autoSelectFamily } = options;
  if (options.autoSelectFamily !== undefined && options.autoSelectFamily !== null)
    validateBoolean(options.autoSelectFamily, 'options.autoSelectFamily');
  const attemptTimeout = attemptTimeoutOf(socket, options);
  const destination: Destination = {
    host,
    port,
    localAddress: localAddress as string | undefined,
    localPort: localPort as number | undefined,
  };

  const family = isIP(host);
  if (family !== 0) {
    process.nextTick(connectNow, socket, host, family, destination);
    return;
  }
  if (options.lookup !== undefined && options.lookup !== null)
    validateFunction(options.lookup, 'options.lookup');
  const wanted = familyOf(options.family);
  const hints = (options.hints as number) || 0;
  const dns = { family: wanted, hints, all: false };
  if (wanted !== 4 && wanted !== 6 && hints === 0) dns.hints = ADDRCONFIG;
  socket._host = host;
  const lookup = (options.lookup ?? socket[kNet].lookup) as LookupAny;
  if (autoSelectFamily && wanted !== 4 && wanted !== 6 && !localAddress) {
    connectAny(socket, lookup, dns, destination, attemptTimeout);
    return;
  }
  lookup(host, dns, (error, ip, addressType) => {
    socket.emit('lookup', error, ip, addressType, host);
    if (!socket.connecting) return;
    if (error) process.nextTick(fail, socket, error);
    else connectTo(socket, ip as string, addressType as number, destination);
  });
}

function attemptTimeoutOf(socket: NetSocket, options: NetOptions): number {
  const given = options.autoSelectFamilyAttemptTimeout;
  if (given === undefined || given === null) return socket[kNet].autoSelectFamilyAttemptTimeout;
  validateInt32(given, 'options.autoSelectFamilyAttemptTimeout', 1);
  return Math.max(10, given as number);
}

/** Families are also written as `server.address()` writes them. */
function familyOf(family: unknown): unknown {
  if (family === 'IPv4') return 4;
  if (family === 'IPv6') return 6;
  return family;
}

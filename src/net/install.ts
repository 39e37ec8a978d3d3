// Puts a net in the place of Node's own: in the module `net` itself, which every require and import shares, and in what http,
// https, tls and http2 have taken from it already. What belongs to the kernel (pipes, terminals, descriptors) stays there.

import { createRequire, syncBuiltinESMExports } from 'node:module';
import builtin from 'node:net';
import type { Net } from './create-net.js';
import { installedServer } from './install-server.js';
import { installedSocket } from './install-socket.js';
import { installStream } from './install-stream.js';
import { installTls } from './install-tls.js';

type Patchable = Record<string, unknown>;

const REPLACED = [
  'connect',
  'createConnection',
  'createServer',
  '_normalizeArgs',
  'getDefaultAutoSelectFamily',
  'setDefaultAutoSelectFamily',
  'getDefaultAutoSelectFamilyAttemptTimeout',
  'setDefaultAutoSelectFamilyAttemptTimeout',
];

/** Builtin modules that take classes from `net` when they are loaded: Node's own ones must be what they find. */
const BEFORE = ['child_process', 'tty', 'tls', 'http', 'https'];

const require = createRequire(import.meta.url);

/** From now on the whole program's `net`, and with it http, https, tls and http2, is this one. */
export function installNet(net: Net): void {
  for (const name of BEFORE) require(`node:${name}`);
  const http = require('node:http') as typeof import('node:http');
  const tls = require('node:tls') as typeof import('node:tls');
  const target = builtin as unknown as Patchable;
  const BuiltinSocket = builtin.Socket;
  for (const name of REPLACED) target[name] = (net as unknown as Patchable)[name];
  target.Socket = installedSocket(net, BuiltinSocket);
  target.Stream = target.Socket;
  target.Server = installedServer(net);
  inherit(http.Server, builtin.Server);
  inherit(tls.Server, builtin.Server);
  http.Agent.prototype.createConnection = builtin.createConnection as never;
  installStream(net);
  installTls(net);
  installHttp2();
  syncBuiltinESMExports();
}

/** A class that was made from Node's Server is made from ours. */
function inherit(derived: { prototype: object }, base: { prototype: object }): void {
  Object.setPrototypeOf(derived, base);
  Object.setPrototypeOf(derived.prototype, base.prototype);
}

/** http2 is loaded late, and then finds what it needs in `net`. If it has been loaded already, its class is found by an instance. */
function installHttp2(): void {
  const { moduleLoadList } = process as unknown as { moduleLoadList: readonly string[] };
  if (!moduleLoadList.includes('NativeModule internal/http2/core')) return;
  const http2 = require('node:http2') as typeof import('node:http2');
  inherit(http2.createServer().constructor as unknown as { prototype: object }, builtin.Server);
}

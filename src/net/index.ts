// tapstack/net: node:net on a stack of this process. `createNet` for a stack of one's own; the default export has one made for
// it when the first handle is.

import type * as nodeNet from 'node:net';
import { createNet, createNetOn } from './create-net.js';
import { defaultStack } from './default-stack.js';
import { listenerOf } from './listener-of.js';

// Types by the names and of the shape that they have in node:net, so that its name in an import is all that need be changed.
export type {
  AddressInfo,
  ConnectOpts,
  DropArgument,
  IPVersion,
  IpcNetConnectOpts,
  IpcSocketConnectOpts,
  ListenOptions,
  LookupFunction,
  NetConnectOpts,
  OnReadOpts,
  ServerOpts,
  SocketConnectOpts,
  SocketConstructorOpts,
  SocketReadyState,
  TcpNetConnectOpts,
  TcpSocketConnectOpts,
} from 'node:net';
export { createNet, type Net, type NetOptionsOfStack } from './create-net.js';
export { listenerOf } from './listener-of.js';
/** As in node:net. */
export type BlockList = nodeNet.BlockList;
/** As in node:net. */
export type Server = nodeNet.Server;
/** As in node:net. */
export type Socket = nodeNet.Socket;
/** As in node:net. */
export type SocketAddress = nodeNet.SocketAddress;

// `require('tapstack/net')` is the module itself, as `require('net')` is; so what is ours is in it, too.
const net = Object.assign(createNetOn(defaultStack), {
  /** The export of the same name. */
  createNet,
  /** The export of the same name. */
  listenerOf,
});
export default net;
export { net as 'module.exports' };
export const {
  BlockList,
  connect,
  createConnection,
  createServer,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  isIP,
  isIPv4,
  isIPv6,
  Server,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
  Socket,
  SocketAddress,
  Stream,
} = net as typeof net & { Stream: typeof net.Socket };

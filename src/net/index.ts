// tapstack/net: node:net on a stack of this process. `createNet` for a stack of one's own; the default export has one made for
// it when the first handle is.

import { createNet, createNetOn } from './create-net.js';
import { defaultStack } from './default-stack.js';
import { listenerOf } from './listener-of.js';

export { createNet, type Net, type NetOptionsOfStack } from './create-net.js';
export { listenerOf } from './listener-of.js';

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

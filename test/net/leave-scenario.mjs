// A process that leaves with its send queue full: connects to the host, writes as much as there is room for, and exits at once.
// Arguments: TAP name, address, host's address, port, 'leave' or 'vanish', and perhaps 'stuck'.
import * as t from 'tapstack';
import { openStack } from '../../dist/net/open-stack.js';
import { settingsFromEnvironment } from '../../dist/net/settings.js';

const [name, address, hostAddress, port, how, stuck] = process.argv.slice(2);
const settings = settingsFromEnvironment({
  TAPSTACK_TAP: name,
  TAPSTACK_ADDRESS: address,
  TAPSTACK_HOST_ADDRESS: hostAddress,
});
const { stack, leave } = openStack(settings, (error) => {
  throw error;
});
if (how === 'leave') process.on('exit', leave);

const fd = stack.sys.socket(t.AF_INET, t.SOCK_STREAM, 0);
const peer = { family: t.AF_INET, address: hostAddress.split('/')[0], port: Number(port) };
const connected = await stack.blocking.connect(fd, peer);
if (connected !== 0) throw new Error(`connect: ${connected}`);
stack.sys.fcntl(fd, t.F_SETFL, t.O_NONBLOCK);
const data = new Uint8Array(1 << 20).fill(7);
let queued = 0;
const fill = () => {
  const before = queued;
  for (let count = stack.sys.write(fd, data); count > 0; count = stack.sys.write(fd, data)) queued += count;
  return queued > before;
};
fill();
// Until the peer's window is shut, too.
if (stuck)
  do await new Promise((resolve) => setTimeout(resolve, 50));
  while (fill());
console.log(queued);
process.exit(3);

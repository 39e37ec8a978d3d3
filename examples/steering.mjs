// One listener, looked into and steered: a pause, a say in each SYN, and a full queue that refuses instead of keeping silent.
import { AF_INET, errnoName, SOCK_NONBLOCK, SOCK_STREAM, Stack, VirtualClock } from 'tapstack';

const clock = new VirtualClock();
const stack = new Stack({ clock, seed: 1 });
const { sys } = stack;
const at = { family: AF_INET, address: '127.0.0.1', port: 80 };
const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
sys.bind(fd, at);
sys.listen(fd, 1);
const listener = stack.listener(fd);

function client(from = '127.0.0.1') {
  const socket = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sys.bind(socket, { family: AF_INET, address: from, port: 0 });
  sys.connect(socket, at);
  return socket;
}

function show(what, socket) {
  const result = sys.connect(socket, at);
  console.log(`${what.padEnd(27)} ${result === 0 ? 'connected' : errnoName(result)}`);
}

listener.pause();
const patient = client();
show('it pauses:', patient);
listener.resume();
clock.advance(1_000_000);
show('a second after resume():', patient);
clock.advance(200_000);

listener.pause({ refuse: true });
show('it refuses meanwhile:', client());
listener.resume();

listener.onSyn = ({ peer, mss }) => (peer.address === '127.0.0.9' || mss === null ? 'reset' : 'accept');
show('onSyn, a stranger:', client('127.0.0.9'));
show('onSyn, anybody else:', client());

listener.acceptOverflow = 'reset';
show('no room to wait for accept:', client());

for (const { peer, ageMs, state, bytes } of listener.acceptQueue)
  console.log(`  ${peer.address} waits for ${ageMs} ms, ${state}, ${bytes} bytes`);
const counted = Object.entries(listener.counters).filter(([, count]) => count > 0);
console.log(counted.map(([name, count]) => `${name} ${count}`).join(', '));
await stack.close();

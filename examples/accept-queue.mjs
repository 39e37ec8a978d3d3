// A listener with backlog 1 and five clients: who gets in, what the client knows of it, and what accept changes.
import { AF_INET, SOCK_NONBLOCK, SOCK_STREAM, Stack, VirtualClock } from 'tapstack';

const clock = new VirtualClock();
const stack = new Stack({ clock, seed: 1 });
const { sys } = stack;
const address = { family: AF_INET, address: '127.0.0.1', port: 80 };
const listener = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
sys.bind(listener, address);
sys.listen(listener, 1);

const clients = Array.from({ length: 5 }, () => sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
for (const fd of clients) sys.connect(fd, address);

function show(when) {
  const rows = stack.sockets().filter(({ peer }) => peer === '127.0.0.1:80');
  const states = (state) => rows.filter((row) => row.state === state).length;
  const queue = stack.sockets().find(({ state }) => state === 'LISTEN');
  const { ListenOverflows } = stack.snmp().TcpExt;
  console.log(
    `${when.padEnd(17)} ESTABLISHED ${states('ESTABLISHED')}  SYN_SENT ${states('SYN_SENT')}`,
    ` accept queue ${queue.recvq} (backlog ${queue.sendq})  ListenOverflows ${ListenOverflows}`,
  );
}

show('five connect');
clock.advance(1_000_000);
show('a second later');
sys.accept4(listener, null, 0);
sys.accept4(listener, null, 0);
show('two are accepted');
clock.advance(2_000_000);
show('the next try');
await stack.close();

// An echo server on epoll_wait, edge-triggered: each connection is registered once, for everything, and every event is used up
// until the stack says EAGAIN. Try it in a lab, beside a client: see the README.
import {
  AF_INET,
  EAGAIN,
  EMFILE,
  EPOLL_CTL_ADD,
  EPOLLET,
  EPOLLIN,
  EPOLLOUT,
  epollEvents,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  Stack,
  TapLink,
} from 'tapstack';

const link = TapLink.open({ name: 'tap0', hostAddress: '10.0.0.1/24' });
const { sys } = await Stack.create({ link, address: '10.0.0.2/24' });

const listener = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
sys.bind(listener, { family: AF_INET, address: '0.0.0.0', port: 7 });
sys.listen(listener, 128);
const epfd = sys.epoll_create1(0);
sys.epoll_ctl(epfd, EPOLL_CTL_ADD, listener, { events: EPOLLIN | EPOLLET, data: null });

const events = epollEvents(64);
const buffer = new Uint8Array(65536);
const nothing = new Uint8Array(0);

function acceptAll() {
  for (;;) {
    const fd = sys.accept4(listener, null, SOCK_NONBLOCK);
    // No descriptor is left (EMFILE): who waits is accepted when another one connects.
    if (fd === -EAGAIN || fd === -EMFILE) return;
    if (fd < 0) continue;
    const data = { fd, unsent: nothing };
    sys.epoll_ctl(epfd, EPOLL_CTL_ADD, fd, { events: EPOLLIN | EPOLLOUT | EPOLLET, data });
  }
}

/** Until there is nothing to read, or no room to write: the next edge will come from there. */
function echo(connection) {
  const { fd } = connection;
  for (;;) {
    while (connection.unsent.length > 0) {
      const written = sys.write(fd, connection.unsent);
      if (written === -EAGAIN) return;
      if (written < 0) return void sys.close(fd);
      connection.unsent = connection.unsent.subarray(written);
    }
    const count = sys.read(fd, buffer);
    if (count === -EAGAIN) return;
    if (count <= 0) return void sys.close(fd);
    connection.unsent = buffer.slice(0, count);
  }
}

for (;;) {
  const ready = await sys.epoll_wait(epfd, events, events.length, -1);
  for (const { data } of events.slice(0, ready)) {
    if (data === null) acceptAll();
    else echo(data);
  }
}

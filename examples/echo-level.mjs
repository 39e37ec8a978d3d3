// An echo server on epoll_wait, level-triggered: it asks for input or for room to write, by turns.
import * as t from 'tapstack';

const link = t.TapLink.open({ name: 'tap0', hostAddress: '10.0.0.1/24' });
const { sys } = await t.Stack.create({ link, address: '10.0.0.2/24' });

const listener = sys.socket(t.AF_INET, t.SOCK_STREAM | t.SOCK_NONBLOCK, 0);
sys.bind(listener, { family: t.AF_INET, address: '0.0.0.0', port: 7 });
sys.listen(listener, 128);
const epfd = sys.epoll_create1(0);
sys.epoll_ctl(epfd, t.EPOLL_CTL_ADD, listener, { events: t.EPOLLIN, data: listener });

const events = t.epollEvents(64);
const buffer = new Uint8Array(65536);
const unsent = new Map();

function echo(fd) {
  const old = unsent.get(fd);
  const count = old?.length ?? sys.read(fd, buffer);
  if (count === -t.EAGAIN) return;
  const written = count > 0 ? sys.write(fd, old ?? buffer, count) : -t.EPIPE;
  unsent.delete(fd);
  if (written < 0 && written !== -t.EAGAIN) return void sys.close(fd);
  const rest = (old ?? buffer).slice(Math.max(0, written), count);
  if (rest.length > 0) unsent.set(fd, rest);
  sys.epoll_ctl(epfd, t.EPOLL_CTL_MOD, fd, { events: rest.length > 0 ? t.EPOLLOUT : t.EPOLLIN, data: fd });
}

for (;;) {
  const ready = await sys.epoll_wait(epfd, events, events.length, -1);
  for (const { data: fd } of events.slice(0, ready)) {
    const accepted = fd === listener ? sys.accept4(listener, null, t.SOCK_NONBLOCK) : echo(fd);
    if (accepted >= 0) sys.epoll_ctl(epfd, t.EPOLL_CTL_ADD, accepted, { events: t.EPOLLIN, data: accepted });
  }
}

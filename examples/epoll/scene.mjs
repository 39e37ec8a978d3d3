// What the experiments beside this share: one stack with its own loopback in virtual time, a listener, and a few words to print.
import * as t from 'tapstack';

const LOOPBACK = { family: t.AF_INET, address: '127.0.0.1', port: 7 };
const BITS = { IN: t.EPOLLIN, OUT: t.EPOLLOUT, RDHUP: t.EPOLLRDHUP, HUP: t.EPOLLHUP, ERR: t.EPOLLERR };

export const clock = new t.VirtualClock();
export const stack = new t.Stack({ clock, seed: 1 });
export const { sys } = stack;
export const listener = sys.socket(t.AF_INET, t.SOCK_STREAM | t.SOCK_NONBLOCK, 0);
sys.bind(listener, LOOPBACK);
sys.listen(listener, 8);

/** A client whose handshake is over; the other end waits in the accept queue. */
export function connect() {
  const fd = sys.socket(t.AF_INET, t.SOCK_STREAM | t.SOCK_NONBLOCK, 0);
  sys.connect(fd, LOOPBACK);
  return fd;
}

export const accept = () => sys.accept4(listener, null, t.SOCK_NONBLOCK);

export function watch(epfd, fd, events) {
  return sys.epoll_ctl(epfd, t.EPOLL_CTL_ADD, fd, { events, data: fd });
}

/** What one epoll_wait returns, in words. It does not sleep unless told. */
export async function wait(epfd, timeout = 0) {
  const events = t.epollEvents(8);
  const count = await sys.epoll_wait(epfd, events, 8, timeout);
  if (count === 0) return 'nothing';
  return events
    .slice(0, count)
    .map(({ events: mask, data }) => {
      const bits = Object.keys(BITS).filter((name) => (mask & BITS[name]) !== 0);
      return `${data === listener ? 'listener' : 'socket'}: ${bits.join('|')}`;
    })
    .join(', ');
}

// poll and epoll with their struct literals. Of what epoll_wait returns, as many events are compared as the script writes.

import { epollEvents } from '../../eventpoll/ep-send-events.js';
import type { EpollEvent } from '../../eventpoll/epitem.js';
import type { PollFd } from '../../kernel/sys-poll.js';
import { EPOLLET, EPOLLONESHOT } from '../../uapi/poll.js';
import { Arguments, evaluate, expressionText, field, isNull } from './arguments.js';
import type { Expression } from './ast.js';
import type { Call, CallContext } from './call-context.js';
import { constant } from './names.js';
import { Unmet } from './outcome.js';

function member(struct: Expression, name: string): number | null {
  const value = field(struct, name);
  return value === undefined ? null : evaluate(value);
}

const EPOLL_NAMES = ['IN', 'PRI', 'OUT', 'ERR', 'HUP', 'RDNORM', 'RDBAND', 'WRNORM', 'WRBAND', 'RDHUP'];

/** `POLLIN|POLLOUT`; what has no name stays a number. */
export function maskText(mask: number, prefix: 'POLL' | 'EPOLL'): string {
  const names = EPOLL_NAMES.filter((name) => (mask & (constant(prefix + name) ?? 0)) !== 0).map(
    (name) => prefix + name,
  );
  if (prefix === 'POLL' && (mask & 0x20) !== 0) names.push('POLLNVAL');
  if (prefix === 'EPOLL' && (mask & EPOLLET) !== 0) names.push('EPOLLET');
  if (prefix === 'EPOLL' && (mask & EPOLLONESHOT) !== 0) names.push('EPOLLONESHOT');
  return names.join('|') || '0';
}

const poll: Call = {
  async run(context, args) {
    const wanted = args.list(0);
    const fds: PollFd[] = wanted.map((each) => {
      const script = member(each, 'fd') ?? -1;
      const fd =
        script < 0 ? script : context.fd(new Arguments('poll', [{ kind: 'integer', value: script }]), 0);
      return { fd, events: member(each, 'events') ?? 0, revents: 0 };
    });
    const result = await context.stack.sys.poll(fds, args.int(2));
    return {
      result,
      check() {
        wanted.forEach((each, i) => {
          const revents = member(each, 'revents') ?? 0;
          if (fds[i].revents === revents) return;
          const name = `revents of descriptor ${member(each, 'fd')}`;
          throw new Unmet(`${name} differ`, maskText(revents, 'POLL'), maskText(fds[i].revents, 'POLL'));
        });
      },
    };
  },
};

function create(context: CallContext, result: number): { result: number; check(script: number): void } {
  return {
    result,
    check(script) {
      if (result >= 0) context.alias(script, result, null);
    },
  };
}

/** `data` of an epoll_event: a union, so whichever member is written. */
function eventData(struct: Expression): number {
  return member(struct, 'fd') ?? member(struct, 'ptr') ?? member(struct, 'u32') ?? member(struct, 'u64') ?? 0;
}

const epoll_ctl: Call = {
  run(context, args) {
    const struct = args.count > 3 ? args.at(3) : undefined;
    const event: EpollEvent | null =
      struct === undefined || isNull(struct)
        ? null
        : { events: member(struct, 'events') ?? 0, data: eventData(struct) };
    return {
      result: context.stack.sys.epoll_ctl(context.fd(args, 0), args.int(1), context.fd(args, 2), event),
    };
  },
};

const epoll_wait: Call = {
  async run(context, args) {
    const expression = args.at(1);
    const wanted = expression.kind === 'list' ? expression.items : [expression];
    const events = epollEvents(Math.max(args.int(2), 1));
    const result = await context.stack.sys.epoll_wait(context.fd(args, 0), events, args.int(2), args.int(3));
    return {
      result,
      check() {
        wanted.slice(0, Math.max(result, 0)).forEach((each, i) => {
          const mask = member(each, 'events') ?? 0;
          const same = (events[i].events | 0) === (mask | 0) && events[i].data === eventData(each);
          if (same) return;
          const got = `{events=${maskText(events[i].events, 'EPOLL')}, data=${events[i].data}}`;
          throw new Unmet(`event ${i + 1} differs`, expressionText(each), got);
        });
      },
    };
  },
};

export const readyCalls: Readonly<Record<string, Call>> = {
  poll,
  epoll_create: {
    returnsFd: true,
    run: (context, args) => create(context, context.stack.sys.epoll_create(args.int(0))),
  },
  epoll_create1: {
    returnsFd: true,
    run: (context, args) => create(context, context.stack.sys.epoll_create1(args.int(0))),
  },
  epoll_ctl,
  epoll_wait,
};

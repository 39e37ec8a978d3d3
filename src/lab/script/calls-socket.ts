// System calls that make, connect and end sockets, and those that set and ask their options.

import type { Linger, OptionValue } from '../../socket/proto-ops.js';
import type { SockAddr } from '../../socket/sock-addr.js';
import { errnoName } from '../../uapi/errno.js';
import {
  AF_INET,
  IPPROTO_UDP,
  SO_LINGER,
  SOCK_DGRAM,
  SOCK_TYPE_MASK,
  SOL_SOCKET,
} from '../../uapi/socket.js';
import { TCP_FASTOPEN_KEY } from '../../uapi/tcp.js';
import { type Arguments, evaluate, expressionText, field } from './arguments.js';
import type { Call, CallContext, CallDone } from './call-context.js';
import type { Flow } from './flow.js';
import { Unmet } from './outcome.js';

const socket: Call = {
  returnsFd: true,
  run(context, args) {
    const domain = args.isEllipsis(0) ? AF_INET : args.int(0);
    const type = args.int(1);
    const result = context.stack.sys.socket(domain, type, args.int(2));
    const isUdp = (type & SOCK_TYPE_MASK) === SOCK_DGRAM || args.int(2) === IPPROTO_UDP;
    return {
      result,
      check(script) {
        if (result < 0) return;
        const flow = context.newFlow(isUdp ? 'udp' : 'tcp');
        context.alias(script, result, flow);
        context.underTest = flow;
      },
    };
  },
};

const bind: Call = {
  run(context, args) {
    const address = context.address(args.at(1), context.config.localIp, context.config.bindPort);
    const result = context.stack.sys.bind(context.fd(args, 0), address);
    const flow = context.flowOf(args.int(0));
    if (result === 0 && flow !== undefined) flow.local.port = address.port;
    return { result };
  },
};

const listen: Call = {
  run(context, args) {
    const result = context.stack.sys.listen(context.fd(args, 0), args.int(1));
    const flow = context.flowOf(args.int(0));
    if (result === 0 && flow !== undefined) flow.state = 'listening';
    return { result };
  },
};

async function acceptCall(context: CallContext, args: Arguments, flags: number): Promise<CallDone> {
  const peer: SockAddr = { family: 0, address: '', port: 0 };
  const result = await context.stack.blocking.accept4(context.fd(args, 0), peer, flags);
  return {
    result,
    check(script) {
      if (result < 0) return;
      const accepted = (flow: Flow): boolean =>
        flow.remote.port === peer.port && flow.remote.ip === peer.address;
      const flow = context.flows.find((each) => each.fd === null && accepted(each));
      if (flow === undefined)
        throw new Unmet(
          `the connection from ${peer.address}:${peer.port} is not one that this script has opened`,
        );
      context.accepted(script, result, flow);
    },
  };
}

/** The socket is about to connect: its SYN is the next one that leaves. */
export function startConnect(context: CallContext, args: Arguments, address: SockAddr | null): void {
  const flow = context.flowOf(args.int(0));
  if (flow === undefined || address === null) return;
  if (address.family !== AF_INET) {
    flow.state = 'new';
    return;
  }
  if (flow.state !== 'new') return;
  flow.state = 'connecting';
  flow.remote.ip = address.address;
  flow.remote.port = address.port;
}

export function connectAddress(context: CallContext, args: Arguments, index: number): SockAddr {
  return context.address(args.all[index], context.config.remoteIp, context.config.connectPort);
}

const connect: Call = {
  before(context, args) {
    startConnect(context, args, connectAddress(context, args, 1));
  },
  async run(context, args) {
    const address = connectAddress(context, args, 1);
    return { result: await context.stack.blocking.connect(context.fd(args, 0), address) };
  },
};

const shutdown: Call = {
  run: (context, args) => ({ result: context.stack.sys.shutdown(context.fd(args, 0), args.int(1)) }),
};

const close: Call = {
  async run(context, args) {
    const result = await context.stack.blocking.close(context.fd(args, 0));
    if (result === 0) context.forget(args.int(0));
    return { result };
  },
};

/** `[n]`, a string, or `{onoff=1, linger=0}`. */
function optionValue(args: Arguments, index: number): OptionValue {
  const expression = args.at(index);
  if (expression.kind === 'string') return expression.value;
  if (expression.kind === 'struct') {
    const member = (name: string): number => {
      const value = field(expression, name);
      return value === undefined ? 0 : evaluate(value);
    };
    if (field(expression, 'onoff') !== undefined)
      return { l_onoff: member('onoff'), l_linger: member('linger') };
    return { tv_sec: member('tv_sec'), tv_usec: member('tv_usec') };
  }
  return args.reference(index) ?? 0;
}

const setsockopt: Call = {
  run(context, args) {
    const option = optionValue(args, 3);
    const isKey = typeof option === 'string' && args.int(2) === TCP_FASTOPEN_KEY;
    const value = isKey ? Uint8Array.from(option, (letter) => letter.charCodeAt(0)) : option;
    const length = args.count > 4 && !args.isEllipsis(4) ? args.int(4) : undefined;
    return {
      result: context.stack.sys.setsockopt(context.fd(args, 0), args.int(1), args.int(2), value, length),
    };
  },
};

const getsockopt: Call = {
  run(context, args) {
    const out: { value: number | string | object } = { value: 0 };
    const [level, name] = [args.int(1), args.int(2)];
    const result = context.stack.sys.getsockopt(context.fd(args, 0), level, name, out);
    return {
      result,
      check() {
        if (result === 0 && !args.isEllipsis(3)) compareOption(args, level, name, out.value);
      },
    };
  },
};

function compareOption(args: Arguments, level: number, name: number, value: number | string | object): void {
  const wanted = optionValue(args, 3);
  if (level === SOL_SOCKET && name === SO_LINGER) {
    const [got, want] = [value as Linger, wanted as Linger];
    if (got.l_onoff === want.l_onoff && got.l_linger === want.l_linger) return;
  } else if (typeof value === 'number' && typeof wanted === 'number') {
    // Both are what an int holds, which a script may write as unsigned.
    if ((value | 0) === (wanted | 0)) return;
  } else if (JSON.stringify(value) === JSON.stringify(wanted)) return;
  const got = typeof value === 'object' ? JSON.stringify(value) : `[${value}]`;
  throw new Unmet('the option has another value', expressionText(args.at(3)), got);
}

const fcntl: Call = {
  run: (context, args) => ({
    result: context.stack.sys.fcntl(context.fd(args, 0), args.int(1), args.count > 2 ? args.int(2) : 0),
  }),
};

const ioctl: Call = {
  run(context, args) {
    const wanted = args.count > 2 ? args.reference(2) : null;
    const out = { value: wanted ?? 0 };
    const result = context.stack.sys.ioctl(context.fd(args, 0), args.int(1), out);
    return {
      result,
      check() {
        if (result === 0 && wanted !== null && out.value !== wanted)
          throw new Unmet('ioctl() answers another number', `[${wanted}]`, `[${out.value}]`);
      },
    };
  },
};

export const socketCalls: Readonly<Record<string, Call>> = {
  socket,
  bind,
  listen,
  accept: { returnsFd: true, run: (context, args) => acceptCall(context, args, 0) },
  accept4: { returnsFd: true, run: (context, args) => acceptCall(context, args, args.int(3)) },
  connect,
  shutdown,
  close,
  setsockopt,
  getsockopt,
  fcntl,
  ioctl,
};

/** `-1 EAGAIN`, or the number. */
export function resultText(result: number): string {
  return result < 0 ? `-1 ${errnoName(result)}` : String(result);
}

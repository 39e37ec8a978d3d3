// System calls that move data, and the descriptors beside sockets. Every byte that scripts write or inject is 0, so what is
// read must be, too.

import type { MessageHeader } from '../../kernel/sys-message.js';
import type { ControlMessage, Timestamping } from '../../socket/control-message.js';
import type { SockAddr } from '../../socket/sock-addr.js';
import { MSG_FASTOPEN } from '../../uapi/socket.js';
import { type Arguments, bufferOf, evaluate, expressionText, field, isNull } from './arguments.js';
import type { Expression } from './ast.js';
import type { Call, CallContext, CallDone } from './call-context.js';
import { connectAddress, startConnect } from './calls-socket.js';
import { Unmet } from './outcome.js';

/** What came must be zero bytes. */
function received(result: number, buffers: readonly Uint8Array[]): CallDone {
  return {
    result,
    check() {
      let left = Math.max(result, 0);
      for (const buffer of buffers) {
        if (buffer === null || left === 0) return;
        const part = buffer.subarray(0, left);
        const at = part.findIndex((byte) => byte !== 0xff && byte !== 0);
        const unset = part.indexOf(0xff);
        if (at >= 0) throw new Unmet(`byte ${at} of what was read is ${part[at]}, not 0`);
        if (unset >= 0) throw new Unmet(`byte ${unset} of what was read was never filled in`);
        left -= part.length;
      }
    },
  };
}

/** A buffer to read into, filled with a mark so that bytes nobody wrote show. */
function emptyBuffer(expression: Expression, count: number): Uint8Array {
  return isNull(expression) ? bufferOf(expression, count) : new Uint8Array(Math.max(count, 0)).fill(0xff);
}

const read: Call = {
  async run(context, args) {
    const buffer = emptyBuffer(args.at(1), args.int(2));
    return received(await context.stack.blocking.read(context.fd(args, 0), buffer, args.int(2)), [buffer]);
  },
};

const write: Call = {
  async run(context, args) {
    const buffer = args.buffer(1, args.int(2));
    return { result: await context.stack.blocking.write(context.fd(args, 0), buffer, args.int(2)) };
  },
};

async function receive(context: CallContext, args: Arguments): Promise<CallDone> {
  const buffer = emptyBuffer(args.at(1), args.int(2));
  const from: SockAddr | null =
    args.count > 4 && !isNull(args.at(4)) ? { family: 0, address: '', port: 0 } : null;
  const { recvfrom } = context.stack.blocking;
  const result = await recvfrom(context.fd(args, 0), buffer, args.int(2), args.int(3), from);
  return received(result, [buffer]);
}

const send: Call = {
  async run(context, args) {
    const buffer = args.buffer(1, args.int(2));
    const result = await context.stack.blocking.send(context.fd(args, 0), buffer, args.int(2), args.int(3));
    return { result };
  },
};

/** Where sendto sends: only a datagram, or a stream that is told to connect by it, looks at an ellipsis. */
function destination(context: CallContext, args: Arguments, index: number, flags: number): SockAddr | null {
  if (isNull(args.all[index])) return null;
  const flow = context.flowOf(args.int(0));
  const isNew = flow !== undefined && flow.state === 'new';
  if (isNew && ((flags & MSG_FASTOPEN) !== 0 || flow.protocol === 'udp'))
    startConnect(context, args, connectAddress(context, args, index));
  return connectAddress(context, args, index);
}

const sendto: Call = {
  async run(context, args) {
    const count = args.int(2);
    const to = destination(context, args, 4, args.int(3));
    const { sendto: call } = context.stack.blocking;
    return { result: await call(context.fd(args, 0), args.buffer(1, count), count, args.int(3), to) };
  },
};

/** `[{..., 100}, {..., 5}]` */
function vector(list: Expression | undefined, make: typeof bufferOf): Uint8Array[] {
  if (list?.kind !== 'list') throw new Unmet('an iovec is written [{..., n}, …]');
  return list.items.map((item) => {
    if (item.kind !== 'list' || item.items.length !== 2)
      throw new Unmet(`${expressionText(item)} is no part of an iovec: {..., n}`);
    return make(item.items[0], evaluate(item.items[1]));
  });
}

/** writev is sendmsg without flags, readv recvmsg: sockets know no difference. */
const readv: Call = {
  async run(context, args) {
    const msg_iov = vector(args.at(1), emptyBuffer);
    return received(await context.stack.blocking.recvmsg(context.fd(args, 0), { msg_iov }, 0), msg_iov);
  },
};

const writev: Call = {
  async run(context, args) {
    const msg_iov = vector(args.at(1), bufferOf);
    return { result: await context.stack.blocking.sendmsg(context.fd(args, 0), { msg_iov }, 0) };
  },
};

const sendmsg: Call = {
  async run(context, args) {
    const message = args.at(1);
    const flags = args.int(2);
    const msg_iov = vector(field(message, 'msg_iov'), bufferOf);
    const flow = context.flowOf(args.int(0));
    const isConnecting = (flags & MSG_FASTOPEN) !== 0 || flow?.protocol === 'udp';
    let to: SockAddr | null = null;
    if (isConnecting) {
      to = connectAddress(context, args, args.count);
      if (flow?.state === 'new') startConnect(context, args, to);
    }
    const { sendmsg: call } = context.stack.blocking;
    return { result: await call(context.fd(args, 0), { msg_name: to, msg_iov }, flags) };
  },
};

const recvmsg: Call = {
  async run(context, args) {
    const wanted = args.at(1);
    const msg_iov = vector(field(wanted, 'msg_iov'), emptyBuffer);
    const message: MessageHeader = { msg_name: null, msg_iov };
    if (field(wanted, 'msg_control') !== undefined) message.msg_control = [];
    const result = await context.stack.blocking.recvmsg(context.fd(args, 0), message, args.int(2));
    const done = received(result, msg_iov);
    return {
      result,
      check(script) {
        done.check?.(script);
        if (result < 0) return;
        compareFlags(field(wanted, 'msg_flags'), message.msg_flags ?? 0);
        compareControl(field(wanted, 'msg_control'), message.msg_control ?? [], context);
      },
    };
  },
};

function compareFlags(wanted: Expression | undefined, flags: number): void {
  if (wanted === undefined || wanted.kind === 'ellipsis' || evaluate(wanted) === flags) return;
  throw new Unmet('msg_flags differs', expressionText(wanted), `0x${flags.toString(16)}`);
}

function compareControl(
  wanted: Expression | undefined,
  got: readonly ControlMessage[],
  context: CallContext,
): void {
  const list = wanted?.kind === 'list' ? wanted.items : [];
  list.forEach((item, i) => {
    const level = field(item, 'cmsg_level');
    const type = field(item, 'cmsg_type');
    const actual = got[i];
    if (level === undefined || type === undefined)
      throw new Unmet(`${expressionText(item)} is no control message`);
    if (actual === undefined) throw new Unmet('a control message is missing', expressionText(item), 'none');
    const isSame = actual.cmsg_level === evaluate(level) && actual.cmsg_type === evaluate(type);
    if (!isSame || !sameData(field(item, 'cmsg_data'), actual.cmsg_data, context))
      throw new Unmet('a control message differs', expressionText(item), JSON.stringify(actual));
  });
  if (got.length > list.length) throw new Unmet('there are more control messages than the script says');
}

/** A number, or a struct whose fields all fit; `scm_sec` and `scm_nsec` are script time, within the tolerance. */
function sameData(wanted: Expression | undefined, got: unknown, context: CallContext): boolean {
  if (wanted === undefined || wanted.kind === 'ellipsis') return true;
  if (wanted.kind !== 'struct') return evaluate(wanted) === got;
  const actual = got as Record<string, number>;
  const seconds = field(wanted, 'scm_sec');
  const nanoseconds = field(wanted, 'scm_nsec');
  if (seconds !== undefined && nanoseconds !== undefined) {
    const at = evaluate(seconds) * 1e6 + evaluate(nanoseconds) / 1000;
    const told = scriptTime(got, context);
    return told !== null && Math.abs(told - at) <= context.config.toleranceUs;
  }
  return wanted.fields.every(({ name, value }) => actual[name] === evaluate(value));
}

/** Microseconds from the start of the script to the first stamp in an SCM_TIMESTAMPING. */
function scriptTime(got: unknown, context: CallContext): number | null {
  const first = (got as Partial<Timestamping>).ts?.[0];
  if (first === undefined) return null;
  const { clock } = context.stack.host;
  const ago = clock.epoch + clock.now() - (first.tv_sec * 1e6 + first.tv_nsec / 1000);
  return context.now() - ago;
}

const open: Call = {
  returnsFd: true,
  run(context, args) {
    const path = args.at(0);
    if (path.kind !== 'string') throw new Unmet('open() needs a path');
    const result = context.stack.sys.open(path.value, args.count > 1 ? args.int(1) : 0);
    return {
      result,
      check(script) {
        if (result >= 0) context.alias(script, result, null);
      },
    };
  },
};

const pipe: Call = {
  run(context, args) {
    const ends: [number, number] = [0, 0];
    const result = context.stack.sys.pipe2(ends, 0);
    return {
      result,
      check() {
        const [reader, writer] = args.list(0);
        context.alias(evaluate(reader), ends[0], null);
        context.alias(evaluate(writer), ends[1], null);
      },
    };
  },
};

export const dataCalls: Readonly<Record<string, Call>> = {
  read,
  readv,
  recv: { run: receive },
  recvfrom: { run: receive },
  recvmsg,
  write,
  writev,
  send,
  sendto,
  sendmsg,
  open,
  pipe,
};

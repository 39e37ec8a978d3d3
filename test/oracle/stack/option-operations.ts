// Operations that ask and set on the stack: socket options, ioctl, tcp_info, sysctl.

import {
  IPPROTO_TCP,
  type Linger,
  type OptionResult,
  type OptionValue,
  SIOCATMARK,
  SIOCINQ,
  SIOCOUTQ,
  SIOCOUTQNSD,
  TCP_INFO,
  type TcpInfo,
  type Timeval,
} from '../../../src/index.js';
import { parseNumber, ScriptError } from '../language/parse.js';
import { printErrno, type SocketOption, stateName, takeOption } from '../language/words.js';
import { type Context, now, type Operations, resultCount, settled } from './operation.js';

const requests: Readonly<Record<string, number>> = {
  inq: SIOCINQ,
  outq: SIOCOUTQ,
  outqnsd: SIOCOUTQNSD,
  atmark: SIOCATMARK,
};

function parseValue({ kind }: SocketOption, words: readonly string[]): [OptionValue, string | undefined] {
  const needed = kind === 'linger' ? 2 : 1;
  if (words.length < needed) throw new ScriptError('setsockopt: a value is missing');
  const [first, second, third] = words;
  switch (kind) {
    case 'linger':
      return [{ l_onoff: parseNumber(first), l_linger: parseNumber(second) }, third];
    case 'timeout': {
      const ms = parseNumber(first);
      return [{ tv_sec: Math.trunc(ms / 1000), tv_usec: (ms % 1000) * 1000 }, second];
    }
    case 'string':
      return [first, second];
    default:
      return [parseNumber(first), second];
  }
}

function setsockopt({ stack, names, task }: Context, words: readonly string[]): string {
  const [option, rest] = takeOption(words.slice(1));
  const [value, length] = parseValue(option, rest);
  const size = length === undefined ? undefined : parseNumber(length);
  return resultCount(task, stack.sys.setsockopt(names.fd(words[0]), option.level, option.name, value, size));
}

function printValue({ kind }: SocketOption, value: OptionResult['value']): string {
  switch (kind) {
    case 'linger': {
      const { l_onoff, l_linger } = value as Linger;
      return `${l_onoff} ${l_linger}`;
    }
    case 'timeout': {
      const { tv_sec, tv_usec } = value as Timeval;
      return String(tv_sec * 1000 + Math.trunc(tv_usec / 1000));
    }
    case 'error':
      return value === 0 ? '0' : printErrno(value as number);
    case 'string':
      return String(value);
    default:
      // A C program reads an int, whatever the sign of what was stored.
      return String((value as number) | 0);
  }
}

function getsockopt({ stack, names, task }: Context, words: readonly string[]): string {
  const [option] = takeOption(words.slice(1));
  const out: OptionResult = { value: 0 };
  const result = stack.sys.getsockopt(names.fd(words[0]), option.level, option.name, out);
  return result < 0 ? resultCount(task, result) : printValue(option, out.value);
}

function infoOf({ stack, names }: Context, word: string): TcpInfo | number {
  const out: OptionResult = { value: 0 };
  const result = stack.sys.getsockopt(names.fd(word), IPPROTO_TCP, TCP_INFO, out);
  return result < 0 ? result : (out.value as TcpInfo);
}

export const optionOperations: Operations = {
  setsockopt: settled(3, setsockopt),
  getsockopt: settled(2, getsockopt),
  ioctl: settled(2, ({ stack, names, task }, [handle, word]) => {
    const request = requests[word];
    if (request === undefined) {
      throw new ScriptError(`ioctl has inq, outq, outqnsd and atmark, and not '${word}'`);
    }
    const out = { value: 0 };
    const result = stack.sys.ioctl(names.fd(handle), request, out);
    return resultCount(task, result < 0 ? result : out.value);
  }),
  state: settled(1, (context, [handle]) => {
    const info = infoOf(context, handle);
    return typeof info === 'number' ? resultCount(context.task, info) : stateName(info.state);
  }),
  info: settled(2, (context, [handle, ...fields]) => {
    const info = infoOf(context, handle);
    if (typeof info === 'number') return resultCount(context.task, info);
    const values = new Map(Object.entries(info));
    return fields
      .map((field) => {
        const value = values.get(field);
        if (value === undefined) throw new ScriptError(`tcp_info has no field '${field}' here`);
        return `${field}=${value}`;
      })
      .join(' ');
  }),
  sysctl: now(2, ({ stack, task }, [key, ...values]) => {
    const result = stack.host.sysctl.set(key, values.join(' '));
    return result < 0 ? resultCount(task, result) : 'ok';
  }),
};

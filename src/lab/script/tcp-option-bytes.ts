// TCP options as bytes and as the text that scripts write them in.

import {
  TCPOPT_EOL,
  TCPOPT_FASTOPEN,
  TCPOPT_MSS,
  TCPOPT_NOP,
  TCPOPT_SACK,
  TCPOPT_SACK_PERM,
  TCPOPT_TIMESTAMP,
  TCPOPT_WINDOW,
} from '../../packet/tcp-options.js';
import type { TcpOption } from './ast.js';

const TCPOPT_MD5 = 19;
/** AccECN: ECT(0)'s counter first, or ECT(1)'s (draft-ietf-tcpm-accurate-ecn). */
const TCPOPT_ACCECN0 = 172;
const TCPOPT_ACCECN1 = 174;
const TCPOPT_EXPERIMENT = 254;
/** The experiment identifier of Fast Open before it had a number (RFC 7413). */
const FASTOPEN_MAGIC = [0xf9, 0x89];

/** Bytes an option takes. */
export function optionLength(option: TcpOption): number {
  switch (option.kind) {
    case 'nop':
    case 'eol':
      return 1;
    default:
      return 2 + optionData(option).length;
  }
}

export function encodeOptions(options: readonly TcpOption[]): Uint8Array {
  const bytes: number[] = [];
  for (const option of options) {
    if (option.kind === 'nop') bytes.push(TCPOPT_NOP);
    else if (option.kind === 'eol') bytes.push(TCPOPT_EOL);
    else {
      const data = optionData(option);
      bytes.push(optionNumber(option), data.length + 2, ...data);
    }
  }
  return Uint8Array.from(bytes);
}

function optionNumber(option: TcpOption): number {
  switch (option.kind) {
    case 'mss':
      return TCPOPT_MSS;
    case 'wscale':
      return TCPOPT_WINDOW;
    case 'sackOK':
      return TCPOPT_SACK_PERM;
    case 'sack':
      return TCPOPT_SACK;
    case 'TS':
      return TCPOPT_TIMESTAMP;
    case 'md5':
      return TCPOPT_MD5;
    case 'FO':
      return TCPOPT_FASTOPEN;
    case 'FOEXP':
      return TCPOPT_EXPERIMENT;
    case 'ECN':
      return option.counters[0].name === 'e1b' ? TCPOPT_ACCECN1 : TCPOPT_ACCECN0;
    case 'other':
      return option.number;
    default:
      return TCPOPT_NOP;
  }
}

const u16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
const u24 = (value: number): number[] => [(value >>> 16) & 255, ...u16(value)];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)];

function optionData(option: TcpOption): number[] {
  switch (option.kind) {
    case 'mss':
      return u16(option.value);
    case 'wscale':
      return [option.value];
    case 'sack':
      return option.blocks.flatMap(([left, right]) => [...u32(left), ...u32(right)]);
    case 'TS':
      return [...u32(option.val), ...u32(option.ecr)];
    case 'md5':
      return [...option.digest];
    case 'FO':
      return [...option.cookie];
    case 'FOEXP':
      return [...FASTOPEN_MAGIC, ...option.cookie];
    case 'ECN':
      return option.counters.flatMap(({ value }) => u24(value));
    case 'other':
      return [...option.data];
    default:
      return [];
  }
}

/** Options of a received header; what is cut off or too short ends the list as an option of its own. */
export function decodeOptions(bytes: Uint8Array): TcpOption[] {
  const options: TcpOption[] = [];
  for (let at = 0; at < bytes.length; ) {
    const number = bytes[at];
    if (number === TCPOPT_NOP || number === TCPOPT_EOL) {
      options.push({ kind: number === TCPOPT_NOP ? 'nop' : 'eol' });
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    const isBroken = length < 2 || at + length > bytes.length;
    const data = bytes.slice(at + 2, isBroken ? bytes.length : at + length);
    options.push(isBroken ? { kind: 'other', number, data } : decode(number, data));
    at = isBroken ? bytes.length : at + length;
  }
  return options;
}

function decode(number: number, data: Uint8Array): TcpOption {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  if (number === TCPOPT_MSS && data.length === 2) return { kind: 'mss', value: view.getUint16(0) };
  if (number === TCPOPT_WINDOW && data.length === 1) return { kind: 'wscale', value: data[0] };
  if (number === TCPOPT_SACK_PERM && data.length === 0) return { kind: 'sackOK' };
  if (number === TCPOPT_SACK && data.length > 0 && data.length % 8 === 0) {
    const blocks: [number, number][] = [];
    for (let at = 0; at < data.length; at += 8) blocks.push([view.getUint32(at), view.getUint32(at + 4)]);
    return { kind: 'sack', blocks };
  }
  if (number === TCPOPT_TIMESTAMP && data.length === 8)
    return { kind: 'TS', val: view.getUint32(0), ecr: view.getUint32(4) };
  if (number === TCPOPT_MD5 && data.length === 16) return { kind: 'md5', digest: data };
  if (number === TCPOPT_FASTOPEN) return { kind: 'FO', cookie: data };
  if (number === TCPOPT_EXPERIMENT && data[0] === FASTOPEN_MAGIC[0] && data[1] === FASTOPEN_MAGIC[1])
    return { kind: 'FOEXP', cookie: data.slice(2) };
  if ((number === TCPOPT_ACCECN0 || number === TCPOPT_ACCECN1) && data.length % 3 === 0 && data.length > 0) {
    const order =
      number === TCPOPT_ACCECN0 ? (['e0b', 'ceb', 'e1b'] as const) : (['e1b', 'ceb', 'e0b'] as const);
    const values = Array.from(
      { length: data.length / 3 },
      (_, i) => (view.getUint16(i * 3) << 8) | data[i * 3 + 2],
    );
    return { kind: 'ECN', counters: values.slice(0, 3).map((value, i) => ({ name: order[i], value })) };
  }
  return { kind: 'other', number, data };
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

export function optionText(option: TcpOption): string {
  switch (option.kind) {
    case 'mss':
    case 'wscale':
      return `${option.kind} ${option.value}`;
    case 'sack':
      return `sack ${option.blocks.map(([left, right]) => `${left}:${right}`).join(' ')}`;
    case 'TS':
      return `TS val ${option.val} ecr ${option.ecr}`;
    case 'md5':
      return `md5 ${hex(option.digest)}`;
    case 'FO':
    case 'FOEXP':
      return option.cookie.length === 0 ? option.kind : `${option.kind} ${hex(option.cookie)}`;
    case 'ECN':
      return `ECN ${option.counters.map(({ name, value }) => `${name} ${value}`).join(' ')}`;
    case 'other':
      return `option ${option.number} ${hex(option.data)}`.trimEnd();
    default:
      return option.kind;
  }
}

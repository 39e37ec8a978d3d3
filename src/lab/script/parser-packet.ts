// Packets: direction, outer headers, what the IP header says, and then TCP, UDP or ICMP. TCP's options are read by
// parser-options.ts.

import { TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG } from '../../packet/tcp.js';
import { AE, type IcmpPacket, type IpInfo, type Packet, type Ports, type TcpPacket } from './ast.js';
import { icmpCode, icmpType, isIcmp6Name } from './icmp-names.js';
import { parseOptionList } from './parser-options.js';
import type { TokenStream } from './token-stream.js';

const U16 = 0xffff;
const U32 = 0xffffffff;

interface Prefix {
  direction: 'in' | 'out';
  ip: IpInfo;
  encapsulation: string[];
}

export function parsePacket(tokens: TokenStream): Packet {
  const direction = tokens.next().text === '<' ? 'in' : 'out';
  const encapsulation: string[] = [];
  for (let outer = parseOuter(tokens); outer !== null; outer = parseOuter(tokens)) encapsulation.push(outer);
  const prefix: Prefix = { direction, encapsulation, ip: parseIpInfo(tokens) };
  if (tokens.accept('icmp')) return parseIcmp(tokens, prefix);
  if (tokens.accept('udp')) {
    const ports = parsePorts(tokens);
    return {
      ...prefix,
      kind: 'udp',
      ports,
      length: parseParenthesized(tokens, 'the length of the datagram'),
    };
  }
  return parseTcp(tokens, prefix);
}

/** One outer header, by its name; null if there is none. What is in it need not be understood: it cannot be sent anyway. */
function parseOuter(tokens: TokenStream): string | null {
  if (tokens.is('encap')) {
    tokens.next();
    const name = tokens.expectKind('word', 'the encapsulation').text;
    if (name !== 'psp') tokens.fail("the only encapsulation after 'encap' is psp");
    while (tokens.is('spi') || tokens.is('key') || tokens.is('flags')) {
      tokens.next();
      tokens.integer('the value', 0, U32);
    }
    return name;
  }
  const name = tokens.peek().text;
  if (!['ipv4', 'ipv6', 'gre', 'GREv0', 'mpls'].some((outer) => tokens.is(outer))) return null;
  while (!tokens.is(':')) {
    if (tokens.isKind('end')) tokens.fail(`the ${name} header has no closing ':'`);
    tokens.next();
  }
  tokens.next();
  return name === 'GREv0' ? 'gre' : name;
}

function parseIpInfo(tokens: TokenStream): IpInfo {
  const ip: IpInfo = {};
  const close = tokens.is('(') ? ')' : tokens.is('[') ? ']' : null;
  if (close === null) return ip;
  tokens.next();
  do parseIpField(tokens, ip);
  while (tokens.accept(','));
  tokens.expect(close, 'the end of what the IP header says');
  return ip;
}

function parseIpField(tokens: TokenStream, ip: IpInfo): void {
  const token = tokens.expectKind('word', 'ect0, ect1, ect01, ce, noecn, tos, ttl or flowlabel');
  switch (token.text) {
    case 'ect0':
    case 'ect1':
    case 'ect01':
    case 'ce':
    case 'noecn':
      ip.ecn = token.text;
      return;
    case 'tos':
      ip.tos = tokens.integer('the type of service', 0, 0xff);
      return;
    case 'ttl':
      ip.ttl = tokens.integer('the time to live', 0, 0xff);
      return;
    case 'flowlabel':
      ip.flowLabel = tokens.integer('the flow label', 0, 0xfffff);
      return;
    default:
      tokens.failAt(token.place, `'${token.text}' is nothing that an IP header says`);
  }
}

function parsePorts(tokens: TokenStream): Ports | null {
  if (!tokens.isKind('integer') || !tokens.is('>', 1)) return null;
  const src = tokens.integer('the source port', 0, U16);
  tokens.next();
  return { src, dst: tokens.integer('the destination port', 0, U16) };
}

function parseParenthesized(tokens: TokenStream, what: string): number {
  tokens.expect('(', what);
  const value = tokens.integer(what, 0, U16);
  tokens.expect(')', what);
  return value;
}

const FLAGS: Readonly<Record<string, number>> = {
  F: TCP_FIN,
  S: TCP_SYN,
  R: TCP_RST,
  P: TCP_PSH,
  '.': TCP_ACK,
  U: TCP_URG,
  E: TCP_ECE,
  W: TCP_CWR,
  A: AE,
};

function parseFlags(tokens: TokenStream): { flags: number; ace: number | null } {
  const { place } = tokens.peek();
  if (tokens.accept('-')) return { flags: 0, ace: null };
  let text = '';
  if (tokens.isKind('word')) text += tokens.next().text;
  if (tokens.isKind('float')) text += tokens.next().text;
  else if (tokens.accept('.')) text += '.';
  if (text === '')
    tokens.fail("expected TCP flags (letters of SFRPUEWA, '.' for ACK, '-' for none), udp or icmp");
  let flags = 0;
  let ace: number | null = null;
  for (const letter of text) {
    if (letter >= '0' && letter <= '7' && ace === null) {
      ace = Number(letter);
      flags |= (ace & 4 ? AE : 0) | (ace & 2 ? TCP_CWR : 0) | (ace & 1 ? TCP_ECE : 0);
    } else if (letter in FLAGS) {
      flags |= FLAGS[letter];
    } else {
      tokens.failAt(
        place,
        `'${letter}' in '${text}' is no TCP flag: S F R P U E W A, '.' for ACK, a digit for ACE`,
      );
    }
  }
  return { flags, ace };
}

function parseTcp(tokens: TokenStream, prefix: Prefix): TcpPacket {
  const { place } = tokens.peek();
  const ports = parsePorts(tokens);
  const { flags, ace } = parseFlags(tokens);
  const { seq, length } = parseSequence(tokens);
  const ack = tokens.accept('ack') ? tokens.integer('the acknowledgement number', 0, U32) : 0;
  const window = tokens.accept('win') ? tokens.integer('the window', 0, U16) : null;
  const urgent = tokens.accept('urg') ? tokens.integer('the urgent pointer', 0, U16) : 0;
  // A `<` right behind is no new packet: an event begins with its time.
  const options = tokens.is('<') ? parseOptionList(tokens) : [];
  if (prefix.direction === 'in') {
    if (window === null) tokens.failAt(place, "a packet for the stack (<) needs its window: 'win N'");
    if (options === null) tokens.failAt(place, "'<...>' is for packets that leave the stack (>)");
  }
  return { ...prefix, kind: 'tcp', ports, flags, ace, seq, length, ack, window, urgent, options };
}

function parseSequence(tokens: TokenStream): { seq: number; length: number } {
  const { place } = tokens.peek();
  const seq = tokens.integer('the sequence number', 0, U32);
  tokens.expect(':', 'sequence numbers are written start:end(length)');
  const end = tokens.integer('the end of the sequence numbers', 0, U32);
  const length = parseParenthesized(tokens, 'the length of the payload');
  if (end !== (seq + length) % (U32 + 1))
    tokens.failAt(place, `${seq}:${end}(${length}) does not add up: the end would be ${seq + length}`);
  return { seq, length };
}

function parseIcmp(tokens: TokenStream, prefix: Prefix): IcmpPacket {
  const typeToken = tokens.expectKind('word', 'the ICMP type');
  const type = icmpType(typeToken.text);
  if (type === null)
    tokens.failAt(typeToken.place, `'${typeToken.text}' is no ICMP type; type_N is, for any number`);
  let code: number | null = 0;
  if (tokens.isKind('word') && !tokens.is('mtu') && !tokens.is('id')) {
    const token = tokens.next();
    code = icmpCode(type, token.text);
    if (code === null)
      tokens.failAt(
        token.place,
        `'${token.text}' is no code of ICMP ${typeToken.text}; code_N is, for any number`,
      );
  }
  const mtu = tokens.accept('mtu') ? tokens.integer('the next-hop MTU', 0, U16) : null;
  const id = tokens.accept('id') ? tokens.integer('the identifier', 0, U16) : 0;
  return {
    ...prefix,
    kind: 'icmp',
    isIcmp6: isIcmp6Name(typeToken.text),
    type,
    code,
    mtu,
    id,
    quote: parseQuote(tokens),
  };
}

function parseQuote(tokens: TokenStream): IcmpPacket['quote'] {
  if (!tokens.accept('[')) return { protocol: 'tcp', seq: 0, length: 0 };
  let quote: IcmpPacket['quote'];
  if (tokens.accept('udp')) {
    quote = {
      protocol: 'udp',
      seq: 0,
      length: parseParenthesized(tokens, 'the length of the quoted datagram'),
    };
  } else if (tokens.accept('raw')) {
    quote = { protocol: 'raw', seq: 0, length: parseParenthesized(tokens, 'the length of the message') };
  } else {
    quote = { protocol: 'tcp', ...parseSequence(tokens) };
  }
  tokens.expect(']', 'the end of the quotation');
  return quote;
}

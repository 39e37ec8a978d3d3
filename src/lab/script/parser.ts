// The grammar's frame: options, the init command, timed events, the cleanup command. What an event does is read by
// parser-packet.ts and parser-call.ts.

import type {
  CallEvent,
  EventTime,
  Expression,
  Place,
  Script,
  ScriptEvent,
  ScriptOption,
  ShellText,
} from './ast.js';
import { parseExpression } from './parser-call.js';
import { parsePacket } from './parser-packet.js';
import { TokenStream } from './token-stream.js';

/** @throws ScriptSyntaxError with line and column. `defines`: what `-D NAME=VALUE` said. */
export function parseScript(
  source: string,
  path: string,
  defines: ReadonlyMap<string, string> = new Map(),
): Script {
  const tokens = new TokenStream(source, defines);
  const options = parseOptions(tokens);
  const init = parseShell(tokens);
  const events: ScriptEvent[] = [];
  while (!tokens.isKind('end') && !tokens.isKind('shell')) events.push(parseEvent(tokens));
  const cleanup = parseShell(tokens);
  if (!tokens.isKind('end')) tokens.fail('nothing may follow the cleanup command');
  if (events.length === 0) tokens.fail('a script needs at least one event');
  checkOrder(tokens, events);
  return { path, options, init, events, cleanup };
}

function parseOptions(tokens: TokenStream): ScriptOption[] {
  const options: ScriptOption[] = [];
  while (tokens.isKind('option')) {
    const flag = tokens.next();
    const name = flag.text.slice(2);
    const option: ScriptOption = { name, value: null, place: flag.place };
    if (tokens.accept('=')) option.value = parseOptionValue(tokens);
    if (name === 'define') {
      const equals = option.value?.indexOf('=') ?? -1;
      if (option.value === null || equals < 1) tokens.failAt(flag.place, '--define needs NAME=VALUE');
      // The command line wins over the script.
      const defined = option.value.slice(0, equals);
      if (!tokens.defines.has(defined)) tokens.defines.set(defined, option.value.slice(equals + 1));
    }
    options.push(option);
  }
  return options;
}

function parseOptionValue(tokens: TokenStream): string {
  const written = (): string => {
    const token = tokens.nextRaw();
    return tokens.source.slice(token.from, token.to);
  };
  const token = tokens.raw();
  switch (token.kind) {
    case 'string':
      return tokens.nextRaw().text;
    case 'word': {
      const word = written();
      if (tokens.raw().text !== '=') return word;
      tokens.nextRaw();
      return `${word}=${written()}`;
    }
    case 'integer':
    case 'hex':
    case 'float':
    case 'ipv4':
    case 'ipv6':
      return written();
    default:
      return tokens.fail('expected the value of the option');
  }
}

function parseShell(tokens: TokenStream): ShellText | null {
  if (!tokens.isKind('shell')) return null;
  const token = tokens.next();
  return { text: token.text, place: token.place };
}

function parseEvent(tokens: TokenStream): ScriptEvent {
  const start = tokens.peek();
  const time = parseTime(tokens);
  const from = tokens.peek().from;
  const event = parseAction(tokens, time, start.place);
  event.text = tokens.source.slice(from, tokens.consumed).replace(/\s+/g, ' ');
  const isOutbound = event.kind === 'packet' && event.packet.direction === 'out';
  if (!isOutbound && time.kind !== 'absolute' && time.kind !== 'relative')
    tokens.failAt(start.place, 'a range of times, or *, is for packets that leave the stack (>)');
  return event;
}

function parseTime(tokens: TokenStream): EventTime {
  const place = tokens.peek().place;
  if (tokens.accept('*')) return { kind: 'any', from: 0, to: 0 };
  const relative = tokens.accept('+');
  const from = parseSeconds(tokens, 'a time: an event begins with one');
  if (!tokens.accept('~')) return { kind: relative ? 'relative' : 'absolute', from, to: from };
  if (relative) tokens.expect('+', 'the end of a relative range');
  const to = parseSeconds(tokens, 'the end of the range of times');
  if (to < from) tokens.failAt(place, 'the range of times runs backwards');
  return { kind: relative ? 'relative-range' : 'absolute-range', from, to };
}

/** Seconds as written, in microseconds. */
function parseSeconds(tokens: TokenStream, what: string): number {
  if (!tokens.isKind('float') && !tokens.isKind('integer')) tokens.fail(`expected ${what}`);
  const token = tokens.next();
  if (token.value < 0) tokens.failAt(token.place, 'a time cannot be negative');
  return Math.round(token.value * 1e6);
}

function parseAction(tokens: TokenStream, time: EventTime, place: Place): ScriptEvent {
  const base = { time, place, text: '' };
  if (tokens.is('<') || tokens.is('>')) return { ...base, kind: 'packet', packet: parsePacket(tokens) };
  if (tokens.isKind('shell')) return { ...base, kind: 'command', command: tokens.next().text };
  if (tokens.isKind('code')) return { ...base, kind: 'code', code: tokens.next().text };
  let until: number | null = null;
  if (tokens.isKind('ellipsis')) {
    tokens.next();
    until = parseSeconds(tokens, 'the time at which the call must return');
    if (until < time.from) tokens.failAt(place, 'the call would have to return before it begins');
  }
  if (!tokens.isKind('word')) tokens.fail('expected a packet (< or >), a call, a `command` or %{ code }%');
  return parseCall(tokens, base, until);
}

function parseCall(
  tokens: TokenStream,
  base: { time: EventTime; place: Place; text: string },
  until: number | null,
): CallEvent {
  const name = tokens.next().text;
  const args = parseArguments(tokens, name);
  tokens.expect('=', `the result of ${name}()`);
  const result = parseExpression(tokens);
  let errno: string | null = null;
  if (tokens.isKind('word')) errno = tokens.next().text;
  skipNote(tokens);
  return { ...base, kind: 'call', name, args, result, errno, until };
}

function parseArguments(tokens: TokenStream, name: string): Expression[] {
  const args: Expression[] = [];
  tokens.expect('(', `the arguments of ${name}`);
  if (tokens.accept(')')) return args;
  do args.push(parseExpression(tokens));
  while (tokens.accept(','));
  tokens.expect(')', `the arguments of ${name}`);
  return args;
}

/** `(text for people)` after a result. */
function skipNote(tokens: TokenStream): void {
  if (!tokens.accept('(')) return;
  while (!tokens.is(')')) {
    if (tokens.isKind('end')) tokens.fail("the note has no closing ')'");
    tokens.next();
  }
  tokens.next();
}

function checkOrder(tokens: TokenStream, events: readonly ScriptEvent[]): void {
  const first = events[0];
  if (first.time.from !== 0) tokens.failAt(first.place, 'the first event must be at time 0');
  let last: ScriptEvent | null = null;
  for (const event of events) {
    const isAbsolute = event.time.kind === 'absolute' || event.time.kind === 'absolute-range';
    if (isAbsolute && last !== null && event.time.from < last.time.from)
      tokens.failAt(
        event.place,
        `time goes backwards, from ${last.time.from / 1e6} s to ${event.time.from / 1e6} s`,
      );
    // Only two absolute times in a row can be compared before the script runs.
    last = isAbsolute ? event : null;
  }
}

// Which sockets `ss` lists: states by their names, and expressions like `sport = :80 or dst 10.0.0.0/8`.

import type { Endpoint, SocketDetail } from '../control/protocol.js';
import { parseAddress } from '../kernel/interface-options.js';
import { Refusal } from './refusal.js';

/** As ss prints and takes them; the first is what is printed. */
const STATES: readonly (readonly [state: string, printed: string, ...names: string[]])[] = [
  ['ESTABLISHED', 'ESTAB', 'established'],
  ['SYN_SENT', 'SYN-SENT', 'syn-sent'],
  ['SYN_RECV', 'SYN-RECV', 'syn-recv'],
  ['FIN_WAIT1', 'FIN-WAIT-1', 'fin-wait-1'],
  ['FIN_WAIT2', 'FIN-WAIT-2', 'fin-wait-2'],
  ['TIME_WAIT', 'TIME-WAIT', 'time-wait'],
  ['CLOSE', 'CLOSED', 'closed', 'unconnected'],
  ['UNCONN', 'UNCONN', 'unconnected', 'closed'],
  ['CLOSE_WAIT', 'CLOSE-WAIT', 'close-wait'],
  ['LAST_ACK', 'LAST-ACK', 'last-ack'],
  ['LISTEN', 'LISTEN', 'listening', 'listen'],
  ['CLOSING', 'CLOSING', 'closing'],
];
const ALL = STATES.map(([state]) => state);
const GROUPS: ReadonlyMap<string, readonly string[]> = new Map([
  ['all', ALL],
  ['connected', without('LISTEN', 'CLOSE', 'UNCONN')],
  ['synchronized', without('LISTEN', 'CLOSE', 'UNCONN', 'SYN_SENT')],
  ['bucket', ['SYN_RECV', 'TIME_WAIT']],
  ['big', without('SYN_RECV', 'TIME_WAIT')],
]);

/** What is listed without -a and -l: what is or was a conversation. */
const TALKING = without('LISTEN', 'CLOSE', 'UNCONN', 'TIME_WAIT', 'SYN_RECV');
const LISTENING = ['LISTEN', 'UNCONN'];

function without(...states: string[]): readonly string[] {
  return ALL.filter((state) => !states.includes(state));
}

export function stateText(state: string): string {
  return STATES.find(([each]) => each === state)?.[1] ?? state;
}

type Test = (socket: SocketDetail) => boolean;

/** `words`: what stands on the command line behind the options. @throws Refusal if that is no filter. */
export function parseFilter(words: readonly string[], all: boolean, listening: boolean): Test {
  const tokens = words
    .flatMap((word) => word.split(/\s+|([()])/))
    .filter((word) => word !== undefined && word !== '');
  let states = new Set(all ? ALL : listening ? LISTENING : TALKING);
  let first = true;
  while (tokens[0] === 'state' || tokens[0] === 'exclude') {
    const [how, name = ''] = tokens.splice(0, 2);
    const named =
      GROUPS.get(name) ?? STATES.filter(([, , ...names]) => names.includes(name)).map(([state]) => state);
    if (named.length === 0)
      throw wrong(
        `${name || 'nothing'} is no state`,
        `states: ${[...GROUPS.keys()].join(', ')}, ${STATES.map(([, , name]) => name).join(', ')}`,
      );
    if (how === 'state' && first) states = new Set();
    if (how === 'exclude' && first) states = new Set(ALL);
    for (const state of named) how === 'state' ? states.add(state) : states.delete(state);
    first = false;
  }
  const expression = tokens.length === 0 ? () => true : new Parser(tokens).parse();
  return (socket) => states.has(socket.state) && expression(socket);
}

const COMPARISONS: ReadonlyMap<string, (a: number, b: number) => boolean> = new Map([
  ['=', (a, b) => a === b],
  ['!=', (a, b) => a !== b],
  ['<', (a, b) => a < b],
  ['>', (a, b) => a > b],
  ['<=', (a, b) => a <= b],
  ['>=', (a, b) => a >= b],
]);
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['==', '='],
  ['eq', '='],
  ['ne', '!='],
  ['neq', '!='],
  ['lt', '<'],
  ['gt', '>'],
  ['le', '<='],
  ['leq', '<='],
  ['ge', '>='],
  ['geq', '>='],
]);

/** expression: term { or term }; term: factor { [and] factor }; factor: not factor, ( expression ), a test. */
class Parser {
  readonly #tokens: string[];

  constructor(tokens: string[]) {
    this.#tokens = tokens;
  }

  parse(): Test {
    const test = this.#either();
    if (this.#tokens.length > 0) throw wrong(`what is ${this.#tokens.join(' ')}?`);
    return test;
  }

  #either(): Test {
    let test = this.#both();
    while (this.#take('or', '|', '||')) {
      const [left, right] = [test, this.#both()];
      test = (socket) => left(socket) || right(socket);
    }
    return test;
  }

  #both(): Test {
    let test = this.#one();
    while (
      this.#take('and', '&', '&&') ||
      (this.#tokens.length > 0 && !/^(or|\|\|?|\))$/.test(this.#tokens[0]))
    ) {
      const [left, right] = [test, this.#one()];
      test = (socket) => left(socket) && right(socket);
    }
    return test;
  }

  #one(): Test {
    if (this.#take('not', '!')) {
      const test = this.#one();
      return (socket) => !test(socket);
    }
    if (this.#take('(')) {
      const test = this.#either();
      if (!this.#take(')')) throw wrong('a ) is missing');
      return test;
    }
    return this.#test();
  }

  #test(): Test {
    const what = this.#tokens.shift() ?? '';
    const end = (socket: SocketDetail): Endpoint => (what.startsWith('s') ? socket.local : socket.peer);
    if (what === 'sport' || what === 'dport') {
      const word = this.#tokens.shift() ?? '';
      const compare = COMPARISONS.get(ALIASES.get(word) ?? word);
      const port = /^:?(\d{1,5})$/.exec(this.#tokens.shift() ?? '')?.[1];
      if (compare === undefined || port === undefined) throw wrong(`${what} is compared with a port`);
      return (socket) => compare(end(socket).port, Number(port));
    }
    if (what === 'src' || what === 'dst') {
      this.#take('=', '==');
      const match = /^([\d.]*|\*)(?:\/(\d{1,2}))?(?::(\d{1,5}|\*))?$/.exec(this.#tokens.shift() ?? '');
      if (match === null) throw wrong(`${what} takes an address, a network or a port`);
      const [, address, length = '32', port = '*'] = match;
      const fits = addressTest(address, Number(length));
      return (socket) => fits(end(socket)) && (port === '*' || end(socket).port === Number(port));
    }
    throw wrong(what === '' ? 'something is missing at the end' : `${what} is nothing that can be asked`);
  }

  #take(...words: string[]): boolean {
    if (this.#tokens.length === 0 || !words.includes(this.#tokens[0])) return false;
    this.#tokens.shift();
    return true;
  }
}

function addressTest(text: string, length: number): (end: Endpoint) => boolean {
  if (length > 32) throw wrong(`a network has a prefix of at most 32 bits, not ${length}`);
  if (text === '' || text === '*') return () => true;
  const mask = length === 0 ? 0 : -1 << (32 - length);
  const word = (address: string): number => {
    try {
      return parseAddress(address, 'the address').a;
    } catch (error) {
      throw wrong((error as Error).message);
    }
  };
  const wanted = word(text) & mask;
  return ({ address }) => address !== null && (word(address) & mask) === wanted;
}

function wrong(why: string, ...more: string[]): Refusal {
  return new Refusal(
    `That is no filter: ${why}.`,
    [...more, "like: state established '( sport = :80 or dport = :80 )' dst 10.0.0.0/8"],
    2,
  );
}

// What the rows of the call table work on: the stack, the script's descriptors and the connections behind them.

import type { SockAddr } from '../../socket/sock-addr.js';
import type { Stack } from '../../stack.js';
import { AF_INET } from '../../uapi/socket.js';
import { type Arguments, evaluate, field, isNull } from './arguments.js';
import type { Expression } from './ast.js';
import type { ScriptConfig } from './config.js';
import { Flow } from './flow.js';
import { NotHere, Unmet } from './outcome.js';

/** A row of the table: how one system call is made and what beside its result must hold. */
export interface Call {
  /** The result is a descriptor: any will do where the script names one. */
  returnsFd?: boolean;
  /** Before the call: what the script knows of its connections changes. */
  before?(context: CallContext, args: Arguments): void;
  /** The call. What it answers beside its result is looked at by the function it resolves to. */
  run(context: CallContext, args: Arguments): Promise<CallDone> | CallDone;
}

export interface CallDone {
  /** A number, or -errno. */
  result: number;
  /** Throws Unmet if what came back by reference is not what the script says. Runs if the result was right. */
  check?(scriptResult: number): void;
}

export class CallContext {
  readonly stack: Stack;
  readonly config: ScriptConfig;
  /** Script time in microseconds. */
  readonly now: () => number;
  /** The connection that packets without ports belong to. */
  underTest: Flow | null = null;
  /** All others too, oldest first. */
  readonly flows: Flow[] = [];
  readonly #fds = new Map<number, number>();
  readonly #flowOfFd = new Map<number, Flow>();
  #nextPort = 40_000;

  constructor(stack: Stack, config: ScriptConfig, now: () => number) {
    this.stack = stack;
    this.config = config;
    this.now = now;
  }

  /** A port for a peer that connects to us. */
  ephemeralPort(): number {
    return this.#nextPort++;
  }

  addFlow(flow: Flow): Flow {
    this.flows.push(flow);
    return flow;
  }

  /** A descriptor of the script as the stack numbers it. What is not open in the script is passed on as it is. */
  fd(args: Arguments, index: number): number {
    const script = args.int(index);
    return this.#fds.get(script) ?? (script < 0 ? script : script + 100_000);
  }

  liveFd(script: number): number | undefined {
    return this.#fds.get(script);
  }

  flowOf(script: number): Flow | undefined {
    return this.#flowOfFd.get(script);
  }

  /** What accept() returns may have a name that the script has used before: the older one goes on without a name. */
  accepted(script: number, live: number, flow: Flow): void {
    this.#fds.delete(script);
    this.alias(script, live, flow);
  }

  /** The script calls `live` `script` from now on. */
  alias(script: number, live: number, flow: Flow | null): void {
    if (this.#fds.has(script))
      throw new Unmet(`the script has a descriptor ${script} already, and it is open`);
    this.#fds.set(script, live);
    if (flow === null) return;
    this.#flowOfFd.set(script, flow);
    flow.fd = script;
  }

  forget(script: number): void {
    this.#fds.delete(script);
  }

  /** Descriptors still open, as the stack numbers them. */
  get open(): number[] {
    return [...this.#fds.values()];
  }

  newFlow(protocol: 'tcp' | 'udp'): Flow {
    const { localIp, remoteIp } = this.config;
    return this.addFlow(new Flow(protocol, { ip: localIp, port: 0 }, { ip: remoteIp, port: 0 }));
  }

  /** An address argument: `...` is the given default, AF_UNSPEC dissolves, a struct says all itself, NULL is none. */
  address(expression: Expression | undefined, ip: string, port: number): SockAddr {
    if (expression === undefined || expression.kind === 'ellipsis')
      return { family: AF_INET, address: ip, port };
    if (isNull(expression)) return null as unknown as SockAddr;
    if (expression.kind !== 'struct') return { family: evaluate(expression), address: '0.0.0.0', port: 0 };
    const family = field(expression, 'sa_family');
    const sinPort = field(expression, 'sin_port');
    const sinAddr = field(expression, 'sin_addr');
    if (sinAddr?.kind !== 'call' || sinAddr.name !== 'inet_addr' || sinAddr.args[0]?.kind !== 'string')
      throw new NotHere('an address of another family');
    return {
      family: family === undefined ? AF_INET : evaluate(family),
      address: sinAddr.args[0].value,
      port: sinPort === undefined ? 0 : evaluate(sinPort),
    };
  }
}

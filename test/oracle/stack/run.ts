// The oracle's second side: one script on a stack of its own, over its own loopback and in virtual time. Prints what
// kernel/ prints for the same script, if the stack is right.

import { SeededRandom, Stack, VirtualClock } from '../../../src/index.js';
import { type Line, parseNumber, parseScript, ScriptError } from '../language/parse.js';
import type { OracleOptions } from '../options.js';
import { dataOperations } from './data-operations.js';
import { epollOperations } from './epoll-operations.js';
import { Names } from './names.js';
import type { Operations } from './operation.js';
import { optionOperations } from './option-operations.js';
import { socketOperations } from './socket-operations.js';
import { advance, quiesce, Task } from './task.js';

const operations: Operations = {
  ...socketOperations,
  ...dataOperations,
  ...optionOperations,
  ...epollOperations,
};

/** Pages are only touched once used, but a run of many scripts should not ask for much. */
/** One buffer for all scripts: they run one after another. */
const MEMORY = new ArrayBuffer(16 << 20);

class StackRun {
  readonly #clock = new VirtualClock();
  readonly #stack: Stack;
  readonly #names: Names;
  readonly #options: OracleOptions;
  readonly #main: Task;
  readonly #background = new Map<string, Task>();
  #settleMs: number;

  constructor(options: OracleOptions) {
    this.#options = options;
    this.#settleMs = options.settleMs;
    this.#stack = new Stack({
      clock: this.#clock,
      random: new SeededRandom(1),
      memory: MEMORY,
      // As kernel/namespace.c sets them.
      sysctl: {
        'net.ipv4.tcp_congestion_control': 'reno',
        'net.ipv4.tcp_fastopen': 0,
        'net.ipv4.tcp_no_metrics_save': 1,
      },
    });
    this.#names = new Names(this.#stack, !options.delayedAck);
    this.#main = new Task(this.#clock, options.blockedMs);
  }

  async close(): Promise<void> {
    await this.#stack.close();
  }

  async line({ words }: Line): Promise<string> {
    const [bind, rest] =
      words[1] === '=' && words.length > 2 ? [words[0], words.slice(2)] : [undefined, words];
    const [name, ...others] = rest;
    switch (name) {
      case 'bg':
        return this.#startBackground(others);
      case 'join':
        return this.#join(others);
      case 'sleep':
        await advance(this.#clock, parseNumber(others[0]));
        return 'ok';
      case 'settle':
        this.#settleMs = parseNumber(others[0]);
        return 'ok';
      case 'print':
        return 'ok';
      default:
        await quiesce();
        if (operations[name]?.settles) await advance(this.#clock, this.#settleMs);
        return this.#run(this.#main, bind, name, others);
    }
  }

  async #run(task: Task, bind: string | undefined, name: string, words: readonly string[]): Promise<string> {
    const operation = operations[name];
    if (operation === undefined) throw new ScriptError(`there is no operation '${name}'`);
    if (words.length < operation.least)
      throw new ScriptError(`${name} needs ${operation.least} words after it`);
    task.bind = bind;
    task.fired = false;
    return operation.run({ stack: this.#stack, names: this.#names, options: this.#options, task }, words);
  }

  async #startBackground(words: readonly string[]): Promise<string> {
    const [thread, ...rest] = words;
    await advance(this.#clock, this.#settleMs);
    const [bind, operation] = rest[1] === '=' ? [rest[0], rest.slice(2)] : [undefined, rest];
    if (operation.length === 0) throw new ScriptError(`bg ${thread}: an operation is missing`);
    const task = new Task(null, 0);
    this.#background.set(thread, task);
    void this.#run(task, bind, operation[0], operation.slice(1)).then(
      (result) => {
        task.result = result;
        task.done = true;
      },
      (error: unknown) => {
        task.result = String(error);
        task.done = true;
      },
    );
    await quiesce();
    return 'started';
  }

  async #join(threads: readonly string[]): Promise<string> {
    await advance(this.#clock, this.#settleMs);
    const results: string[] = [];
    for (const thread of threads) {
      const task = this.#background.get(thread);
      if (task !== undefined) await advance(this.#clock, this.#options.blockedMs, () => task.done);
      results.push(`${thread}: ${task === undefined ? 'unknown' : task.done ? task.result : 'pending'}`);
    }
    return results.join('; ');
  }
}

/** Runs a script on a new stack; the text the stack prints. */
export async function runOnStack(script: string, options: OracleOptions): Promise<string> {
  const run = new StackRun(options);
  let output = '';
  try {
    for (const line of parseScript(script)) {
      const result = await run.line(line);
      output += options.results ? `${result}\n` : `${line.number} ${line.text} -> ${result}\n`;
    }
  } finally {
    await run.close();
  }
  return output;
}

/** What the stack prints; a bug that throws is an answer like any other, only a wrong one. */
export async function askStack(text: string, options: OracleOptions): Promise<string> {
  try {
    return await runOnStack(text, options);
  } catch (error) {
    return `the stack threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
  }
}

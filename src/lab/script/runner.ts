// Runs one script: its events in their order under virtual time, system calls that may sleep across events, assertions judged
// at the end. The result says what happened, and why if it went wrong.

import type { CallEvent, CodeEvent, CommandEvent, PacketEvent, Script, ScriptEvent } from './ast.js';
import { ScriptSyntaxError } from './ast.js';
import { CallContext } from './call-context.js';
import { AssertionFailed, CodeRunner } from './code.js';
import { namesInCode } from './code-lexer.js';
import { configure, type ScriptConfig } from './config.js';
import { Exchange } from './exchange.js';
import { constant } from './names.js';
import { OpenCall } from './open-call.js';
import { NotHere, type ScriptResult, Unmet } from './outcome.js';
import { parseScript } from './parser.js';
import { checkRequirements } from './requirements.js';
import { Shell } from './shell.js';
import { getTcpInfo, tcpInfoNames } from './tcp-info.js';
import { checkTime, type Due, Timetable } from './timing.js';
import { World } from './world.js';

/** How long the next call waits for one that is still asleep, microseconds. */
const PATIENCE_US = 1_000_000;
/** How long a call without a time to return may sleep. */
const LONGEST_SLEEP_US = 600_000_000;
const TCP_INFINITE_SSTHRESH = 0x7fffffff;

/** Reads and runs a script. Never rejects. */
export async function runScript(
  source: string,
  path: string,
  defines: ReadonlyMap<string, string> = new Map(),
): Promise<ScriptResult> {
  const blank: ScriptResult = {
    path,
    result: 'failed',
    reason: '',
    place: null,
    event: null,
    expected: null,
    got: null,
    ladder: [],
    notes: [],
    endedAt: 0,
  };
  let runner: ScriptRunner;
  try {
    const script = parseScript(source, path, defines);
    const config = configure(script);
    checkRequirements(script, tcpInfoNames());
    runner = new ScriptRunner(script, config);
  } catch (error) {
    if (error instanceof NotHere) return { ...blank, result: 'skipped', reason: error.message };
    if (error instanceof ScriptSyntaxError) return { ...blank, reason: error.message, place: error.place };
    if (error instanceof SyntaxError) return { ...blank, reason: error.message };
    throw error;
  }
  return { ...blank, ...(await runner.run()) };
}

class ScriptRunner {
  readonly #script: Script;
  readonly #world: World;
  readonly #context: CallContext;
  readonly #shell: Shell;
  readonly #timetable: Timetable;
  readonly #exchange: Exchange;
  readonly #code: CodeRunner;
  /** The event at hand, for whoever asks what failed. */
  #event: ScriptEvent | null = null;
  #open: OpenCall | null = null;
  #failedAssertion: { error: Unmet; event: ScriptEvent } | null = null;

  constructor(script: Script, config: ScriptConfig) {
    this.#script = script;
    this.#world = new World(config);
    const { stack } = this.#world;
    this.#context = new CallContext(stack, config, () => this.#world.now);
    const { sysctl } = stack.host;
    this.#shell = new Shell(script.path, { sysctl, stack, counters: () => flat(stack.snmp()) });
    this.#timetable = new Timetable(config);
    this.#exchange = new Exchange(this.#world, this.#context, this.#timetable);
    this.#code = new CodeRunner((name) =>
      name === 'TCP_INFINITE_SSTHRESH' ? TCP_INFINITE_SSTHRESH : constant(name),
    );
  }

  async run(): Promise<Partial<ScriptResult>> {
    try {
      return { ...(await this.#outcome()), notes: this.#shell.notes, endedAt: this.#world.now };
    } finally {
      await this.#world.close();
    }
  }

  async #outcome(): Promise<Partial<ScriptResult>> {
    try {
      if (this.#script.init !== null) this.#shell.run(this.#script.init.text);
      for (const event of this.#script.events) {
        this.#event = event;
        await this.#run(event, this.#timetable.due(event, this.#world.now));
        this.#collect();
      }
      await this.#finishOpenCall(LONGEST_SLEEP_US);
      if (this.#script.cleanup !== null) this.#shell.run(this.#script.cleanup.text);
    } catch (error) {
      return this.#failure(error, this.#event);
    }
    if (this.#failedAssertion !== null)
      return this.#failure(this.#failedAssertion.error, this.#failedAssertion.event);
    return { result: 'passed' };
  }

  #failure(error: unknown, event: ScriptEvent | null): Partial<ScriptResult> {
    const culprit = error instanceof Unmet && this.#open?.culprit === error ? this.#open.event : event;
    const where = {
      place: culprit?.place ?? null,
      event: culprit?.text ?? null,
      ladder: this.#exchange.finish(),
    };
    if (error instanceof NotHere) return { result: 'skipped', reason: error.message };
    if (error instanceof Unmet)
      return { ...where, reason: error.message, expected: error.expected, got: error.got };
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { ...where, reason: `the stack threw: ${text}` };
  }

  #run(event: ScriptEvent, due: Due): Promise<void> {
    switch (event.kind) {
      case 'packet':
        return event.packet.direction === 'out'
          ? this.#exchange.expect(event, due)
          : this.#inject(event, due);
      case 'call':
        return this.#call(event, due);
      case 'command':
        return this.#command(event, due);
      case 'code':
        return this.#assert(event, due);
    }
  }

  /** Waits for the event's time. @throws Unmet if it has passed already */
  async #reach(event: ScriptEvent, due: Due, what: string): Promise<void> {
    if (due.from > this.#world.now) await this.#world.advanceTo(due.from);
    checkTime(due, this.#world.now, what, event.time);
  }

  async #inject(event: PacketEvent, due: Due): Promise<void> {
    await this.#reach(event, due, 'the packet can only arrive');
    this.#exchange.inject(event);
    await this.#world.settle();
  }

  async #command(event: CommandEvent, due: Due): Promise<void> {
    await this.#reach(event, due, 'the command can only run');
    this.#exchange.ladder.push({
      at: this.#world.now,
      side: 'command',
      text: event.text,
      line: event.place.line,
    });
    this.#shell.run(event.command);
    await this.#world.settle();
  }

  async #call(event: CallEvent, due: Due): Promise<void> {
    await this.#finishOpenCall(PATIENCE_US);
    await this.#reach(event, due, 'the call can only be made');
    const until = event.until === null ? null : due.base + event.until;
    const call = new OpenCall(event, this.#context, this.#exchange.ladder, this.#world);
    this.#open = call;
    this.#world.sleepers++;
    call.start();
    await this.#world.settle();
    if (until !== null) {
      const tolerance = this.#timetable.tolerance(until - due.from);
      call.mustReturn({ from: until, to: until, base: due.base, toleranceUs: tolerance });
    } else {
      await this.#finishOpenCall(LONGEST_SLEEP_US);
    }
  }

  /** Takes note of a call that has returned. @throws Unmet if it did so wrongly */
  #collect(): void {
    if (this.#open === null || !this.#open.done) return;
    this.#open.judge();
    this.#world.sleepers--;
    this.#open = null;
  }

  async #finishOpenCall(patience: number): Promise<void> {
    const call = this.#open;
    if (call === null) return;
    const limit = Math.max(this.#world.now, call.until ?? 0) + patience;
    while (!call.done) {
      if (!(await this.#world.step(limit))) throw call.asleep(limit);
    }
    this.#collect();
  }

  async #assert(event: CodeEvent, due: Due): Promise<void> {
    await this.#reach(event, due, 'the code can only look');
    const needsInfo = [...namesInCode(event.code)].some((name) => name.startsWith('tcpi_'));
    const sample = needsInfo ? this.#sample() : new Map<string, number>();
    try {
      this.#code.run(event.code, sample);
    } catch (error) {
      if (error instanceof AssertionFailed) {
        // As in packetdrill, whose assertions run when the script is over: what follows may tell more.
        const unmet = new Unmet(`the assertion is false: ${error.message}`);
        this.#failedAssertion ??= { error: unmet, event };
      } else if (error instanceof SyntaxError) {
        throw new Unmet(error.message);
      } else {
        throw error;
      }
    }
  }

  #sample(): Map<string, number> {
    const { underTest, stack } = this.#context;
    const fd = underTest?.fd == null ? undefined : this.#context.liveFd(underTest.fd);
    if (fd === undefined) throw new Unmet('there is no open socket whose TCP_INFO the code could look at');
    return getTcpInfo(stack, fd);
  }
}

function flat(counters: Record<string, Record<string, number>>): Record<string, number> {
  const names: Record<string, number> = {};
  for (const [group, values] of Object.entries(counters))
    for (const [name, value] of Object.entries(values)) names[group + name] = value;
  return names;
}

// A system call in progress: made at its event, perhaps asleep while the script goes on, and judged once it has returned.

import { errnoName } from '../../uapi/errno.js';
import { Arguments, evaluate, expressionText } from './arguments.js';
import type { CallEvent } from './ast.js';
import type { Call, CallContext, CallDone } from './call-context.js';
import { findCall } from './calls.js';
import { resultText } from './calls-socket.js';
import { NotHere, type Rung, Unmet } from './outcome.js';
import { checkTime, type Due } from './timing.js';
import type { World } from './world.js';

export class OpenCall {
  readonly event: CallEvent;
  done = false;
  /** The failure that is this call's own, for whoever reports it. */
  culprit: Unmet | null = null;
  readonly #call: Call;
  readonly #context: CallContext;
  readonly #world: World;
  readonly #rung: Rung;
  #answer: CallDone | null = null;
  #thrown: unknown = null;
  #returnedAt = 0;
  #due: Due | null = null;

  constructor(event: CallEvent, context: CallContext, ladder: Rung[], world: World) {
    const call = findCall(event.name);
    if (call === undefined) throw new NotHere(`the call ${event.name}()`);
    this.event = event;
    this.#call = call;
    this.#context = context;
    this.#world = world;
    this.#rung = {
      at: world.now,
      side: 'call',
      text: `${event.name}(${argumentsText(event)})`,
      line: event.place.line,
    };
    ladder.push(this.#rung);
  }

  /** When it must return, or null. */
  get until(): number | null {
    return this.#due === null ? null : this.#due.to;
  }

  mustReturn(due: Due): void {
    this.#due = due;
  }

  /** Makes the call. It has happened, up to where it sleeps, when this returns. */
  start(): void {
    const args = new Arguments(this.event.name, this.event.args);
    this.#call.before?.(this.#context, args);
    Promise.resolve(this.#call.run(this.#context, args)).then(
      (answer) => {
        this.#answer = answer;
        this.#returned();
      },
      (error: unknown) => {
        this.#thrown = error;
        this.#returned();
      },
    );
  }

  #returned(): void {
    this.done = true;
    this.#returnedAt = this.#world.now;
    const slept =
      this.#returnedAt > this.#rung.at ? ` after ${(this.#returnedAt - this.#rung.at) / 1e6} s` : '';
    if (this.#answer !== null) this.#rung.text += ` = ${resultText(this.#answer.result)}${slept}`;
  }

  /** @throws Unmet if result, time or what came back by reference are not as the script says. */
  judge(): void {
    if (this.#thrown !== null) throw this.#own(this.#thrown);
    const answer = this.#answer as CallDone;
    try {
      this.#checkResult(answer.result);
      if (this.#due !== null) checkTime(this.#due, this.#returnedAt, `${this.event.name}() returned`);
      answer.check?.(this.event.result.kind === 'ellipsis' ? answer.result : evaluate(this.event.result));
    } catch (error) {
      throw this.#own(error);
    }
  }

  #own(error: unknown): unknown {
    if (error instanceof Unmet) this.culprit = error;
    return error;
  }

  #checkResult(result: number): void {
    const { event } = this;
    if (event.result.kind === 'ellipsis') return;
    const wanted = evaluate(event.result);
    const anyFd = this.#call.returnsFd === true && wanted >= 0 && result >= 0;
    const value = result < 0 ? -1 : result;
    const sameError = event.errno === null || (result < 0 && event.errno === errnoName(result));
    if ((anyFd || value === wanted) && sameError) return;
    const text =
      event.errno === null ? expressionText(event.result) : `${expressionText(event.result)} ${event.errno}`;
    throw new Unmet(`${event.name}() has another result`, text, resultText(result));
  }

  /** Why waiting for it any longer is in vain. */
  asleep(limit: number): Unmet {
    this.culprit = new Unmet(
      `${this.event.name}() is still asleep at ${limit / 1e6} s`,
      `${expressionText(this.event.result)}`,
      'no result',
    );
    return this.culprit;
  }
}

function argumentsText(event: CallEvent): string {
  return event.args.map(expressionText).join(', ');
}

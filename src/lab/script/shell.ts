// The shell lines of a script, interpreted: settings, the queue and the device of the packetdrill world, counters. What is not
// known here makes the script skipped by name, before it runs.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Sysctl } from '../../core/sysctl.js';
import type { Stack } from '../../stack.js';
import { ENOENT } from '../../uapi/errno.js';
import { NotHere, Unmet } from './outcome.js';
import { ipCommand } from './shell-ip.js';
import { type SimpleCommand, splitShell } from './shell-words.js';

/** What commands act on. */
export interface ShellTarget {
  sysctl: Sysctl;
  /** Null for a rehearsal. */
  stack: Stack | null;
  /** Counters by nstat's names (`TcpExtOutOfWindowIcmps`). */
  counters(): Record<string, number>;
}

type Action = () => void;

export class Shell {
  /** Settings that were passed over, and why. */
  readonly notes: string[] = [];
  readonly #scriptPath: string;
  readonly #target: ShellTarget;
  #lastCounters: Record<string, number>;
  /** Inside an init script that many scripts share: what it sets and is not here does no harm. */
  #shared = false;
  #mayFail = false;
  /** What set_sysctls.py has changed, for its restore script: the oldest value of each. */
  readonly #before = new Map<string, string | number | number[]>();

  constructor(scriptPath: string, target: ShellTarget) {
    this.#scriptPath = scriptPath;
    this.#target = target;
    this.#lastCounters = target.counters();
  }

  /** Runs the lines; the last command's failure is theirs. @throws NotHere for what cannot be interpreted, Unmet */
  run(text: string): void {
    const commands = this.#split(text);
    let failure: Unmet | null = null;
    for (let at = 0; at < commands.length; at++) {
      const command = commands[at];
      const piped = commands[at + 1]?.joint === '|' ? commands[++at] : null;
      // Where the script has an answer to failure, a setting that is none of ours fails as it does on a kernel without it.
      this.#mayFail = commands[at + 1]?.joint === '||';
      const action = this.#action(command, piped);
      if ((command.joint === '&&' && failure !== null) || (command.joint === '||' && failure === null))
        continue;
      failure = attempt(action);
    }
    if (failure !== null) throw failure;
  }

  #split(text: string): SimpleCommand[] {
    try {
      return splitShell(text, (name) => {
        if (name === 'PPID' || name === 'PACKETDRILL_PID') return '1';
        throw new SyntaxError(`the shell variable $${name}`);
      });
    } catch (error) {
      if (error instanceof SyntaxError) throw new NotHere(error.message);
      throw error;
    }
  }

  #action(command: SimpleCommand, piped: SimpleCommand | null): Action {
    const [program = '', ...args] = command.words;
    const name = program.replace(/^.*\//, '');
    if (name === 'nstat') return this.#nstat(piped);
    if (piped !== null)
      throw new NotHere(`the command ${command.words.join(' ')} | ${piped.words.join(' ')}`);
    if (/^sysctl_restore_.*\.sh$/.test(name)) return () => this.#restore();
    if (name.endsWith('.sh')) return () => this.#include(program);
    switch (name) {
      case 'sysctl':
        return this.#settings(args.filter((arg) => !arg.startsWith('-')));
      case 'set_sysctls.py':
        return this.#settings(args, true);
      case 'echo':
        return this.#echo(args, command.output);
      case 'true':
        return () => {};
      case 'false':
        return () => {
          throw new Unmet('the command failed');
        };
      case 'ip':
        return this.#ip(args);
      case 'tc':
        return this.#tc(args);
      case 'ethtool':
        return this.#ethtool(args);
      default:
        throw new NotHere(`the command '${command.words.join(' ')}'`);
    }
  }

  #include(path: string): void {
    const file = resolve(dirname(this.#scriptPath), path);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      throw new NotHere(`the init script ${path}, which is not to be found beside it`);
    }
    this.#shared = true;
    try {
      this.run(text);
    } finally {
      this.#shared = false;
    }
  }

  #settings(assignments: readonly string[], remember = false): Action {
    const mayFail = this.#mayFail;
    return () => {
      if (remember) this.#before.clear();
      for (const each of assignments) {
        const equals = each.indexOf('=');
        if (equals < 0) throw new NotHere(`the setting '${each}'`);
        const name = sysctlName(each.slice(0, equals));
        if (mayFail && this.#target.sysctl.get(name) === -ENOENT) throw new Unmet(`there is no ${name}`);
        if (remember) this.#before.set(name, this.#target.sysctl.get(name));
        this.#set(name, each.slice(equals + 1));
      }
    };
  }

  #set(path: string, value: string): void {
    const name = sysctlName(path);
    const { sysctl } = this.#target;
    const error = sysctl.set(name, /^0x[0-9a-f]+$/i.test(value) ? Number(value) : value);
    if (error === 0) return;
    const setting = `${name}=${value}`;
    if (!this.#shared)
      throw new NotHere(
        error === -ENOENT ? `sysctl ${setting}` : `sysctl ${setting}, a value not known here`,
      );
    this.notes.push(setting);
  }

  /** The script that set_sysctls.py writes. */
  #restore(): void {
    for (const [name, value] of this.#before) this.#target.sysctl.set(name, value);
  }

  #echo(args: readonly string[], output: string | null): Action {
    if (output === null || output === '/dev/null') return () => {};
    if (output.startsWith('/proc/sys/')) return () => this.#set(output, args.join(' '));
    const parameter = /^\/sys\/module\/(tcp_\w+)\/parameters\/(\w+)$/.exec(output);
    if (parameter !== null) return () => this.#set(`${parameter[1]}.${parameter[2]}`, args.join(' '));
    throw new NotHere(`the file ${output}`);
  }

  #ip(args: readonly string[]): Action {
    const action = ipCommand(args);
    return () => {
      if (this.#target.stack !== null) action(this.#target.stack);
    };
  }

  /** A queue that neither shapes nor drops is what a script's device has anyway; a limit of 0 drops everything. */
  #tc(args: readonly string[]): Action {
    const plain =
      /^qdisc (?:add|replace|change|del|delete) dev tun0 root(?: (?:pfifo|pfifo_fast|noqueue)(?: limit (?<limit>\d+))?)?$/;
    const match = plain.exec(args.join(' '));
    if (match !== null) {
      const limit = match.groups?.limit === undefined ? Number.POSITIVE_INFINITY : Number(match.groups.limit);
      return () => {
        const device = this.#target.stack?.ip.routes.devices.find(({ name }) => name === 'tun0');
        if (device !== undefined) device.queueLimit = limit;
      };
    }
    throw new NotHere(`the queueing discipline of 'tc ${args.join(' ')}'`);
  }

  /** Nothing changes: TCP makes large segments whatever the device can (sk_setup_caps), and the script sees them cut. */
  #ethtool(args: readonly string[]): Action {
    const [flag, device, ...settings] = args;
    const known = settings.every((word, i) =>
      (i % 2 === 0 ? /^(gso|tso|gro|tx|rx|sg)$/ : /^(on|off)$/).test(word),
    );
    if (flag !== '-K' || device !== 'tun0' || !known)
      throw new NotHere(`the command 'ethtool ${args.join(' ')}'`);
    return () => {};
  }

  /** nstat shows what grew since it ran last; `| grep NAME` fails when that did not. */
  #nstat(piped: SimpleCommand | null): Action {
    const [program, pattern, more] = piped?.words.filter((word) => !word.startsWith('-')) ?? [];
    if (piped !== null && (program !== 'grep' || pattern === undefined || more !== undefined))
      throw new NotHere(`the command nstat | ${piped.words.join(' ')}`);
    return () => {
      const before = this.#lastCounters;
      const now = this.#target.counters();
      this.#lastCounters = now;
      if (piped === null) return;
      const grown = Object.keys(now).filter((name) => now[name] > (before[name] ?? 0));
      if (!grown.some((name) => name.includes(pattern)))
        throw new Unmet(`no counter named ${pattern} has grown since nstat ran last`);
    };
  }
}

/** A name with dots, from one with slashes or a path below /proc/sys. */
function sysctlName(path: string): string {
  return path.replace(/^\/proc\/sys\//, '').replaceAll('/', '.');
}

function attempt(action: Action): Unmet | null {
  try {
    action();
    return null;
  } catch (error) {
    if (error instanceof Unmet) return error;
    throw error;
  }
}

// The tree of `tapstack`'s subcommands. Help, completion and docs/cli.md are made from it or compared with it.

import { createRequire } from 'node:module';
import { type Argument, Command, Help, type Option } from 'commander';
import { apiOption, BENCH_PORT, benchServer } from './bench-server.js';
import { registerCapture } from './capture.js';
import { registerCompletion } from './completion.js';
import { registerDoctor } from './doctor.js';
import { ECHO_PORT, echo } from './echo.js';
import { addExamples } from './examples.js';
import { HTTP_PORT, http } from './http.js';
import { registerIperf3 } from './iperf3.js';
import { LAB_SHELL, runLab, runLabShell } from './lab.js';
import { registerLabPlot } from './lab-plot.js';
import { registerNetstat } from './netstat.js';
import { addListenerOptions, addServerOptions } from './options.js';
import { registerReplay } from './replay.js';
import { registerRun } from './run.js';
import { registerScript } from './script.js';
import { serve } from './serve.js';
import { registerSs } from './ss.js';
import { registerTrace } from './trace.js';
import { registerWan } from './wan.js';

const { version, description } = createRequire(import.meta.url)('../../package.json') as {
  version: string;
  description: string;
};

export function program(): Command {
  const root = new Command('tapstack').description(description).version(version);
  // Commander's own complaints end with status 1; a wrong command line is 2 here, as in most programs.
  root
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .showHelpAfterError('(--help says more)');
  root
    .configureHelp({ sortSubcommands: false, optionDescription, argumentDescription })
    .enablePositionalOptions();

  addServerOptions(root.command('echo'), ECHO_PORT)
    .description('answer with whatever arrives, on a TAP device that this machine can reach')
    .action((_options, command: Command) => serve(echo, command));
  addServerOptions(root.command('http'), HTTP_PORT)
    .description('serve a page about the connection itself, and /bytes/N, over HTTP/1.1')
    .action((_options, command: Command) => serve(http, command));
  addListenerOptions(root.command('bench-server'), BENCH_PORT)
    .addOption(apiOption())
    .description(
      'echo, sink and source on three ports from --port on, for ./scripts/bench and any other client',
    )
    .action((_options, command: Command) => benchServer(command));
  registerIperf3(root);
  registerRun(root);
  const lab = root
    .command('lab')
    .description('run a command in a private network; without one, a shell there beside an echo server')
    .argument('[command...]', 'what to run, with its arguments')
    .usage('[command...]')
    .passThroughOptions()
    // Every other word is a program to run; one named `help` too.
    .helpCommand(false)
    .action((command: string[]) => runLab(command));
  registerLabPlot(lab);
  registerReplay(root);
  registerScript(root);
  registerWan(root);
  registerSs(root);
  registerNetstat(root);
  registerTrace(root);
  registerCapture(root);
  registerDoctor(root);
  root.command(LAB_SHELL, { hidden: true }).action(runLabShell);
  addExamples(root);
  registerCompletion(root);
  registerHelp(root);
  return root;
}

/** Commander's own prints the whole for a command that there is not, as if that had been asked for. */
function registerHelp(root: Command): void {
  root
    .helpCommand(false)
    .command('help')
    .argument('[command...]', 'whose options and examples; without one, what commands there are')
    .description('what a command does, its options and examples')
    .usage('[command...]')
    .action((names: string[]) => {
      let command = root;
      for (const name of names) {
        const next = command.commands.find((each) => each.name() === name);
        if (next === undefined) return command.error(`error: ${unknownCommand(command, name)}`);
        command = next;
      }
      return command.help();
    });
}

function unknownCommand(command: Command, name: string): string {
  const there = command.createHelp().visibleCommands(command);
  const where = command.parent === null ? '' : `of ${command.name()} `;
  return there.length === 0
    ? `'${command.name()}' has no commands of its own`
    : `unknown command ${where}'${name}'; there are ${there.map((each) => each.name()).join(', ')}`;
}

/** That a flag is off, and a list empty, unless something is given is no news. */
function optionDescription(option: Option): string {
  return isNothing(option.defaultValue) ? option.description : Help.prototype.optionDescription(option);
}

function argumentDescription(argument: Argument): string {
  return isNothing(argument.defaultValue)
    ? argument.description
    : Help.prototype.argumentDescription(argument);
}

function isNothing(value: unknown): boolean {
  return (
    value === false ||
    (Array.isArray(value) && value.length === 0) ||
    (value instanceof Map && value.size === 0)
  );
}

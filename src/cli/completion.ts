// `tapstack completion SHELL`: a script that asks this very command what may come next, so that it knows every option there is.

import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';

const EXAMPLES = `
Examples:
  $ source <(tapstack completion bash)                                    # in ~/.bashrc
  $ source <(tapstack completion zsh)                                     # in ~/.zshrc
  $ tapstack completion fish > ~/.config/fish/completions/tapstack.fish`;

/** Call it last: it looks at what the program has. */
export function registerCompletion(program: Command): void {
  tab(program, { completionCommandName: 'completion' });
  program.commands
    .find((command) => command.name() === 'completion')
    ?.description('a script for your shell that completes commands and options')
    .addHelpText('after', EXAMPLES);
}

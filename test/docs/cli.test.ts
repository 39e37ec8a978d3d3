// docs/cli.md lists every command with every option, in the words of its help. UPDATE_FIGURES=1 writes the lists anew.

import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { program } from '../../src/cli/program.js';

const PAGE = new URL('../../docs/cli.md', import.meta.url);
const LIST = /<!-- options: ([\w -]+) -->\n([\s\S]*?)<!-- end -->/g;

/** Commands that people give, by what they type: `lab plot`. Help and its like explain themselves. */
function commands(command: Command, prefix = ''): Map<string, Command> {
  const visible = command.createHelp().visibleCommands(command);
  return new Map(
    visible
      .filter((each) => each.name() !== 'help')
      .flatMap((each) => {
        const name = `${prefix}${each.name()}`;
        return [[name, each] as const, ...commands(each, `${name} `)];
      }),
  );
}

const tree = commands(program());

/** A command's usage and options as the page has them. */
function list(name: string): string {
  const command = tree.get(name);
  if (command === undefined) return '';
  const help = command.createHelp();
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = [
    ...help
      .visibleArguments(command)
      .map((each) => [help.argumentTerm(each), help.argumentDescription(each)]),
    ...help
      .visibleOptions(command)
      .filter(({ long }) => long !== '--help')
      .map((each) => [help.optionTerm(each), help.optionDescription(each)]),
  ].map(([term, text]) => `| \`${cell(term)}\` | ${cell(text)} |\n`);
  const table = rows.length === 0 ? '' : `\n| | |\n| --- | --- |\n${rows.join('')}`;
  return `\`${help.commandUsage(command)}\`\n${table}`;
}

const page = () => readFileSync(PAGE, 'utf8');
if (process.env.UPDATE_FIGURES !== undefined)
  writeFileSync(
    PAGE,
    page().replaceAll(LIST, (_all, name: string) => `<!-- options: ${name} -->\n${list(name)}<!-- end -->`),
  );
const lists = new Map([...page().matchAll(LIST)].map(([, name, text]) => [name, text]));

describe('docs/cli.md', () => {
  it('has every command, and none besides', () => {
    expect([...lists.keys()]).toEqual([...tree.keys()]);
  });

  it.each([...tree.keys()])('%s: its usage and options are those of --help', (name) => {
    expect(lists.get(name)).toBe(list(name));
  });

  it.each([...tree.keys()])('%s: has a section', (name) => {
    expect(page()).toContain(`\n## tapstack ${name}\n`);
  });
});

describe('--help', () => {
  const named = [...tree].filter(([name]) => name !== 'lab plot');

  it.each(named)('%s: ends with examples that begin with its name', (name, command) => {
    let text = '';
    command.configureOutput({
      writeOut: (more) => {
        text += more;
      },
    });
    command.outputHelp();
    const [, examples = ''] = text.split('\nExamples:\n');
    const lines = examples.split('\n').filter((line) => line.startsWith('  $ '));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(new RegExp(`tapstack ${name}|tapstack lab`));
  });
});

// Completion knows what the program knows: commands, options, trace points; and the scripts are sound.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { program } from '../../src/cli/program.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** What is offered after these words. */
function offered(...words: string[]): string[] {
  const lines = run('complete', '--', ...words).split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith(':')).map((line) => line.split('\t')[0]);
}

test('every command that can be seen, and no other', () => {
  const seen = program().createHelp().visibleCommands(program());
  expect(offered('')).toEqual(seen.map((command) => command.name()));
  expect(offered('')).not.toContain('lab-shell');
  expect(offered('net')).toEqual(['netstat']);
  expect(offered('lab', 'p')).toEqual(['plot']);
});

test.each(['ss', 'iperf3', 'capture'])('every option of %s', (name) => {
  const command = program().commands.find((each) => each.name() === name);
  const options = command?.options.map(({ long }) => long) ?? [];
  expect(options.length).toBeGreaterThan(5);
  expect(offered(name, '--')).toEqual(expect.arrayContaining(options));
});

test('the scripts: bash can read its own, all ask the command', () => {
  for (const shell of ['bash', 'zsh', 'fish'])
    expect(run('completion', shell)).toContain('tapstack complete --');
  const { status, stderr } = spawnSync('bash', ['-n'], {
    input: run('completion', 'bash'),
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('bash completes by it', () => {
  const script = `
    tapstack() { "$NODE" "$MAIN" "$@"; }
    # What bash-completion offers, as far as the script uses it here.
    _get_comp_words_by_ref() { words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=\${COMP_WORDS[COMP_CWORD]}; prev=\${COMP_WORDS[COMP_CWORD-1]}; }
    compopt() { :; }
    source <(tapstack completion bash)
    COMP_WORDS=(tapstack ss --mem); COMP_CWORD=2
    __tapstack_complete
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = spawnSync('bash', ['-c', script], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, NODE: process.execPath, MAIN: main },
  });
  expect(stdout.trim()).toBe('--memory');
});

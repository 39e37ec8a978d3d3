// Command lines that are wrong: refused before anything is made, with status 2 and what would be right.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

function run(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 60_000 });
}

test.each([
  [['--port', '0'], 'A port is a whole number from 1 to 65535.'],
  [['--port', '65536'], 'A port is a whole number from 1 to 65535.'],
  [['--port', '7x'], 'A port is a whole number from 1 to 65535.'],
  [['--mtu', '87'], 'An MTU is a whole number from 88 to 65521.'],
  [['--mtu', '65522'], 'An MTU is a whole number from 88 to 65521.'],
  [['--address', '10.0.0.2'], 'Write an IPv4 address and a prefix length, like 10.0.0.2/24.'],
  [['--host-address', '10.0.0.255/24'], 'It is the broadcast address of its network.'],
  [['--tap', 'sixteen-letters-'], 'A device name is 1 to 15 characters'],
  [['--netns', '../x'], 'A namespace is named as a file is'],
  [['--fast'], "unknown option '--fast'"],
  [['extra'], 'too many arguments'],
])('echo %j', (args, why) => {
  const { status, stdout, stderr } = run('echo', ...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(why);
  expect(stderr).toContain('--help says more');
});

test('trace of a port that cannot be', () => {
  const { status, stderr } = run('trace', '--port', '65536');
  expect(status).toBe(2);
  expect(stderr).toContain('A port is a whole number from 1 to 65535.');
});

test('refuses two ends that cannot see each other, and proposes two that can', () => {
  const { status, stderr } = run('http', '--address', '10.2.0.7/24', '--host-address', '10.1.0.1/24');
  expect(status).toBe(2);
  expect(stderr).toBe(
    'tapstack: The stack at 10.2.0.7/24 and the host at 10.1.0.1/24 cannot reach each other: they are not in one network.\n' +
      '  - give both ends of one network: --address 10.2.0.7/24 --host-address 10.2.0.1/24\n',
  );
  const same = run('http', '--address', '10.2.0.7/24', '--host-address', '10.2.0.7/24');
  expect(same.stderr).toContain('they are the same address');
});

test('knows its commands, options and version', () => {
  expect(run('--version')).toMatchObject({ status: 0, stdout: `${packageJson.version}\n` });
  expect(run('--help').stdout).toMatch(/echo \[options\](.|\n)*http \[options\](.|\n)*lab \[command/);
  expect(run('--help').stdout).not.toContain('lab-shell');
  expect(run('serve')).toMatchObject({ status: 2, stdout: '' });
  const help = run('echo', '--help').stdout;
  for (const option of [
    'tap',
    'address',
    'host-address',
    'mtu',
    'port',
    'edge',
    'no-offload',
    'pcap',
    'netns',
    'quiet',
  ])
    expect(help).toContain(`--${option} `);
});

test('help of a command, of one below it, and of none that there is', () => {
  expect(run('help')).toMatchObject({ status: 0, stdout: run('--help').stdout });
  expect(run('help', 'echo')).toMatchObject({ status: 0, stdout: run('echo', '--help').stdout });
  expect(run('help', 'lab', 'plot').stdout).toMatch(/^Usage: tapstack lab plot /);
  const unknown = run('help', 'foo');
  expect(unknown).toMatchObject({ status: 2, stdout: '' });
  expect(unknown.stderr).toMatch(/^error: unknown command 'foo'; there are echo, http, /);
  expect(run('help', 'echo', 'foo').stderr).toMatch(/^error: 'echo' has no commands of its own/);
});

test('what it says to paste is a command that is there', () => {
  const here = run('echo', '--help').stdout;
  expect(here).toContain('  $ sudo env "PATH=$PATH" npx tapstack echo\n');
  // As npm install --global has it, from where it is on the PATH.
  const place = mkdtempSync(join(tmpdir(), 'tapstack-global-'));
  onTestFinished(() => rmSync(place, { recursive: true }));
  const modules = join(place, 'lib/node_modules');
  const root = dirname(dirname(dirname(main)));
  mkdirSync(join(modules, 'tapstack'), { recursive: true });
  for (const part of ['dist', 'package.json'])
    cpSync(join(root, part), join(modules, 'tapstack', part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(modules, 'tapstack/node_modules'));
  const command = join(modules, 'tapstack/dist/cli/main.js');
  const { stdout } = spawnSync(process.execPath, [command, 'echo', '--help'], { encoding: 'utf8' });
  expect(stdout).toContain('  $ sudo env "PATH=$PATH" tapstack echo\n');
});

test.each([
  ['the command', [main, '--version']],
  ['the preload', ['--import', new URL('../../dist/cli/register.js', import.meta.url).href, '-e', '']],
])('%s says that Node.js is too old, and does not fail in the midst of loading', (_what, args) => {
  const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.8' } })`;
  const ran = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(old)}`, ...args],
    {
      encoding: 'utf8',
    },
  );
  expect(ran).toMatchObject({ status: 1, stdout: '' });
  expect(ran.stderr).toMatch(
    /^tapstack: This needs Node\.js 20\.19 or newer, and runs in 18\.20\.8 \(.*\)\.\n {2}- install/,
  );
});

// The package as its users get it: packed, installed into an empty project, and used from there; with the addon that was shipped,
// and where none fits with one built from source. Only dependencies come from npm's registry.

import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveDependencies } from './registry.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
let scratch: string;
let archive: string;
let registry: Awaited<ReturnType<typeof serveDependencies>>;

function run(cwd: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 240_000,
  });
}

function succeeded(ran: SpawnSyncReturns<string>): string {
  expect(ran, ran.stdout + ran.stderr).toMatchObject({ status: 0 });
  return ran.stdout;
}

/** Programs an installation may use where there is no compiler: only these are on the PATH. */
function pathWithoutCompiler(): string {
  const tools = join(scratch, 'tools');
  mkdirSync(tools, { recursive: true });
  for (const name of ['node', 'npm', 'npx', 'sh', 'bash', 'env']) {
    const found = succeeded(run(scratch, 'sh', ['-c', `command -v ${name}`])).trim();
    if (!existsSync(join(tools, name))) symlinkSync(found, join(tools, name));
  }
  return tools;
}

/** As `lab.record` records them. */
const point = { atUs: 0, cwnd: 10, ssthresh: 7, srttUs: 100, inFlight: 1, delivered: 2 };

/** An empty project that has just run `npm install tapstack`. */
async function install(name: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const project = join(scratch, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }');
  const options = ['--no-audit', '--no-fund', '--registry', registry.url, '--cache', join(scratch, 'cache')];
  const child = spawn('npm', ['install', ...options, archive], {
    cwd: project,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  expect(status).toBe(0);
  return project;
}

/** Which addon this project's tapstack opens devices with. */
function addonOf(project: string): string {
  const code = "console.log(require('node-gyp-build').path('node_modules/tapstack'))";
  const path = succeeded(run(project, process.execPath, ['--input-type=commonjs', '-e', code])).trim();
  succeeded(
    run(project, process.execPath, ['--input-type=commonjs', '-e', `require(${JSON.stringify(path)})`]),
  );
  return path.slice(join(project, 'node_modules/tapstack/').length);
}

function works(project: string): void {
  cpSync(join(root, 'examples/loopback.mjs'), join(project, 'loopback.mjs'));
  expect(succeeded(run(project, process.execPath, ['loopback.mjs']))).toBe('Hello, loopback\n');
  const version = succeeded(run(project, 'npx', ['tapstack', '--version'])).trim();
  expect(version).toBe(process.env.npm_package_version ?? version);
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'tapstack-published-'));
  succeeded(run(root, process.execPath, ['scripts/prebuild.mjs', '--native']));
  succeeded(run(root, 'npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', scratch]));
  mkdirSync(join(scratch, 'registry'));
  registry = await serveDependencies(root, join(scratch, 'registry'));
  archive = join(scratch, readdirSync(scratch).find((name) => name.endsWith('.tgz')) ?? '');
}, 240_000);

afterAll(() => {
  registry.server.close();
  rmSync(scratch, { recursive: true, force: true });
});

describe('an installed package', { timeout: 400_000 }, () => {
  it('works without a compiler, by the addon that was shipped; its types compile; and it is built from source on request', async () => {
    const project = await install('prebuilt', { PATH: pathWithoutCompiler() });
    expect(addonOf(project)).toBe(`prebuilds/linux-${process.arch}/tapstack.glibc.node`);
    works(project);
    writeFileSync(join(project, 'series.json'), JSON.stringify({ connections: { 'a > b': [point] } }));
    expect(run(project, 'npx', ['tapstack', 'lab', 'plot', 'series.json'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr:
        "tapstack: The package 'vega' draws the picture, and is not installed here.\n  - npm install vega\n",
    });
    // Node's own types: whoever writes TypeScript for Node has them.
    for (const name of ['@types/node', 'undici-types']) {
      cpSync(join(root, 'node_modules', name), join(project, 'node_modules', name), { recursive: true });
    }
    writeFileSync(
      join(project, 'use.ts'),
      `import { AF_INET, EPOLLIN, Stack, type EpollEvent } from 'tapstack';
       import { Lab } from 'tapstack/lab';
       import { type AddressInfo, connect, createServer, type ListenOptions, Server, Socket } from 'tapstack/net';
       const options: ListenOptions = { port: 0, host: '127.0.0.1' };
       const server: Server = createServer((socket: Socket) => socket.end()).listen(options);
       export const made: Server[] = [server, new Server()];
       export const client: Socket = connect((server.address() as AddressInfo).port);
       const stack: Stack = new Lab().stack({ link: new Lab().cable().a, address: '10.0.0.1/24' });
       const events: EpollEvent[] = [{ events: EPOLLIN, data: AF_INET }];
       export const waited: Promise<number> = stack.sys.epoll_wait(3, events, 1, 0);
       // @ts-expect-error: a descriptor is a number
       stack.sys.close('3');
       stack.listener(3).onSyn = ({ mss }) => void console.log(mss);
       stack.listener(3).onSyn = ({ peer }) => (peer.port < 1024 ? 'reset' : 'accept');
       // @ts-expect-error: an answer is needed at once
       stack.listener(3).onSyn = async () => 'accept';`,
    );
    for (const [module, moduleResolution] of [
      ['node16', 'node16'],
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ]) {
      const compilerOptions = {
        module,
        moduleResolution,
        target: 'es2022',
        lib: ['es2022'],
        types: ['node'],
        strict: true,
        noEmit: true,
      };
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
      succeeded(run(project, join(bin, 'tsc'), []));
    }

    // The same project, where npm is told to build from source.
    succeeded(run(project, 'npm', ['rebuild', 'tapstack'], { npm_config_build_from_source: 'true' }));
    expect(addonOf(project)).toBe('build/Release/tapstack.node');
    works(project);
  });

  it('works in a bundle, in memory; devices and journals say why they do not', () => {
    const project = join(scratch, 'bundled');
    mkdirSync(join(project, 'node_modules'), { recursive: true });
    succeeded(run(project, 'tar', ['xzf', archive, '-C', 'node_modules']));
    renameSync(join(project, 'node_modules/package'), join(project, 'node_modules/tapstack'));
    writeFileSync(
      join(project, 'app.js'),
      `import { Stack, TapLink } from 'tapstack';
       import { createNet } from 'tapstack/net';
       import { recordSession } from 'tapstack/replay';
       const net = createNet(new Stack());
       const server = net.createServer((socket) => socket.end('hello')).listen(7, '127.0.0.1', () => {
         net.connect(7, '127.0.0.1').on('data', (data) => console.log(String(data))).on('close', () => server.close());
       });
       TapLink.open().catch(({ code, message }) => console.log(code, message));
       try { recordSession({}, 'journal'); } catch ({ message }) { console.log(message); }`,
    );
    for (const [format, file] of [
      ['esm', 'app.mjs'],
      ['cjs', 'app.cjs'],
    ]) {
      succeeded(
        run(project, join(bin, 'rolldown'), [
          'app.js',
          '--platform',
          'node',
          '--format',
          format,
          '--file',
          `out/x/${file}`,
        ]),
      );
      expect(
        succeeded(run(project, process.execPath, [`out/x/${file}`]))
          .split('\n')
          .sort(),
      ).toEqual([
        '',
        expect.stringMatching(/^A bundle cannot tell whose code it is made of.*--external:tapstack/),
        expect.stringMatching(/^ERR_ADDON_MISSING .*this is a bundle.*--external:tapstack/),
        'hello',
      ]);
    }
  });

  it('installs without addon and compiler, says so, and does what needs none', () => {
    const bare = join(scratch, 'bare');
    mkdirSync(bare);
    succeeded(run(bare, 'tar', ['xzf', archive]));
    rmSync(join(bare, 'package/prebuilds'), { recursive: true });
    const ran = run(join(bare, 'package'), process.execPath, ['scripts/build-native.mjs', '--install'], {
      PATH: pathWithoutCompiler(),
      npm_config_node_gyp: join(root, 'node_modules/node-gyp/bin/node-gyp.js'),
    });
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout).toContain('installed without it: in-memory links work');
  });

  it('installs with the addon that was shipped, and says so, where the one that was asked for cannot be built', () => {
    const bare = join(scratch, 'unbuildable');
    mkdirSync(bare);
    succeeded(run(bare, 'tar', ['xzf', archive]));
    symlinkSync(join(root, 'node_modules'), join(bare, 'package/node_modules'));
    const ran = run(join(bare, 'package'), process.execPath, ['scripts/build-native.mjs', '--install'], {
      PATH: pathWithoutCompiler(),
      npm_config_build_from_source: 'true',
    });
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.stdout).toContain('installed with the addon that was shipped');
  });
});

describe('the package', { timeout: 240_000 }, () => {
  it('is clean to publint', () => {
    expect(succeeded(run(root, join(bin, 'publint'), ['run', '--strict', archive]))).toContain('All good!');
  });

  it('gives types wherever it can be imported (it is ESM only)', () => {
    succeeded(run(root, join(bin, 'attw'), ['--profile', 'esm-only', '--no-color', archive]));
  });

  it('holds nothing twice, and no more than it needs', () => {
    const files = succeeded(run(scratch, 'tar', ['tzf', archive]))
      .trim()
      .split('\n');
    const allowed =
      /^package\/(dist|src)\/|^package\/native\/[a-z]+\.(c|cc|h)$|^package\/prebuilds\/linux-(x64|arm64)\/tapstack\.(glibc|musl)\.node$|^package\/scripts\/(build-native|lab)\.mjs$|^package\/(package\.json|binding\.gyp|[A-Z]+(\.md)?)$/;
    expect(files.filter((path) => !allowed.test(path))).toEqual([]);
    expect(files).toContain(`package/prebuilds/linux-${process.arch}/tapstack.glibc.node`);
    expect(files.filter((path) => /\.test\.|tsbuildinfo|\.tapstack/.test(path))).toEqual([]);
  });
});

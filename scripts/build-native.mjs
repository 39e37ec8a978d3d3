// Builds the NIC addon (native/) into build/Release, and does nothing when the one there is still good.
// `--install` is npm's install step: it builds only where no prebuilt addon loads (or npm was told --build-from-source), and a
// missing compiler is reported but is no failure, because every in-memory link works without the addon; opening a TAP device
// then says what is missing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installing = process.argv.includes('--install');
const say = (text) => console.log(`tapstack: ${text}`);

/** Hash of everything the addon is made of: the sources, the way it is built, the Node it is built for. */
function recipe() {
  const hash = createHash('sha256').update(`${process.version} ${process.arch} `);
  const files = readdirSync(join(root, 'native'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(c|cc|cpp|h|hpp|gypi)$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  for (const file of [...files.sort(), join(root, 'binding.gyp')]) {
    hash.update(`${file.slice(root.length)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Directory that holds include/node for exactly this Node, or undefined: then node-gyp has to download it. */
function headersBesideNode() {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const version = join(prefix, 'include/node/node_version.h');
  if (!existsSync(join(prefix, 'include/node/node.h')) || !existsSync(version)) return undefined;
  const text = readFileSync(version, 'utf8');
  const part = (name) => text.match(new RegExp(`^#define NODE_${name}_VERSION (\\d+)`, 'm'))?.[1];
  return `v${part('MAJOR')}.${part('MINOR')}.${part('PATCH')}` === process.version ? prefix : undefined;
}

/** node-gyp from our own devDependencies, or the one npm brings along when a user installs the package. */
function nodeGyp() {
  try {
    return createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  } catch {
    return process.env.npm_config_node_gyp;
  }
}

/** npm was told --build-from-source. */
const fromSource = ['true', '1', ''].includes(process.env.npm_config_build_from_source);

/** One of the addons that were shipped loads here. Tried in a process of its own, since loading is what may go wrong. */
function prebuiltLoads() {
  if (!existsSync(join(root, 'prebuilds'))) return false;
  const load = "require('node-gyp-build')(process.cwd())";
  const env = { ...process.env, PREBUILDS_ONLY: '1' };
  return spawnSync(process.execPath, ['-e', load], { cwd: root, env, stdio: 'ignore' }).status === 0;
}

function build() {
  if (process.platform !== 'linux') {
    say('TAP devices exist on Linux only, so the native addon is not built here; in-memory links work.');
    return 0;
  }
  if (!existsSync(join(root, 'binding.gyp')) || !existsSync(join(root, 'native'))) {
    say('there is no binding.gyp or no native/ here, so there is no addon to build.');
    return 0;
  }
  const stamp = join(root, 'build/.recipe');
  const wanted = recipe();
  const addons = join(root, 'build/Release');
  const built = existsSync(addons) && readdirSync(addons).some((name) => name.endsWith('.node'));
  if (built && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return 0;

  if (installing && !fromSource && prebuiltLoads()) return 0;

  const gyp = nodeGyp();
  if (gyp === undefined) {
    say('node-gyp was not found. Install it (npm install -g node-gyp) and run: npm rebuild tapstack');
    return 1;
  }
  const headers = headersBesideNode();
  say(
    `building the native addon (${headers ? `headers in ${headers}/include/node` : 'node-gyp fetches headers'})`,
  );
  const options = headers ? [`--nodedir=${headers}`] : [];
  const run = spawnSync(process.execPath, [gyp, 'rebuild', '--loglevel=warn', ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (run.status !== 0) {
    process.stderr.write(run.stdout ?? '');
    say('the native addon could not be built; the compiler output above says why.');
    say('It needs g++, make and python3 (Debian, Ubuntu: apt-get install g++ make python3).');
    return 1;
  }
  writeFileSync(stamp, wanted);
  return 0;
}

const status = build();
if (status !== 0 && installing) {
  say(
    prebuiltLoads()
      ? 'installed with the addon that was shipped.'
      : 'installed without it: in-memory links work, TAP devices do not until `npm rebuild tapstack` succeeds.',
  );
}
process.exitCode = installing ? 0 : status;

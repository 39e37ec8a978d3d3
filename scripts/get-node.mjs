// Other versions of Node, and Node for other processors, from npm's `node-linux-*` packages, which hold nothing but Node's own
// release. Kept in a cache, so that each is fetched once. `node scripts/get-node.mjs VERSION [ARCH]` prints the directory.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What tests and prebuilds are made with: the oldest that package.json allows, and one of each line that is maintained. */
export const VERSIONS = ['20.19.0', '22.23.3', '24.21.0', '26.12.1'];

export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tapstack');

function run(command, args, cwd) {
  const ran = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (ran.status === 0) return ran.stdout;
  throw new Error(`${command} ${args.join(' ')} failed: ${(ran.stderr || ran.error?.message || '').trim()}`);
}

/** Directory with bin/node and include/node of exactly that version. `arch` as process.arch has it. */
export function getNode(version, arch = process.arch) {
  const wanted = join(cache, 'nodes', `v${version}-${arch}`);
  if (existsSync(join(wanted, 'bin/node'))) return wanted;
  mkdirSync(join(cache, 'nodes'), { recursive: true });
  const scratch = mkdtempSync(join(cache, 'nodes/fetch-'));
  try {
    run('npm', ['pack', '--silent', `node-linux-${arch}@${version}`], scratch);
    const [archive] = readdirSync(scratch);
    run('tar', ['xzf', archive, 'package/bin/node', 'package/include', 'package/LICENSE'], scratch);
    // Somebody else may have been as quick: either copy will do.
    if (!existsSync(wanted)) renameSync(join(scratch, 'package'), wanted);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return wanted;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , version, arch] = process.argv;
  if (version === undefined) {
    console.error('usage: node scripts/get-node.mjs VERSION [ARCH]');
    process.exitCode = 2;
  } else console.log(getNode(version, arch));
}

// Builds the addons that are shipped, prebuilds/linux-{x64,arm64}/tapstack.{glibc,musl}.node, as node-gyp-build looks for them, and
// verifies each. `--native`: only the one for this machine. Cross compilers and musl come from scripts/prebuild.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cache, getNode, VERSIONS } from './get-node.mjs';
import { verify } from './portable/verify.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const portable = join(root, 'scripts/portable');
const triples = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

function run(command, args) {
  const ran = spawnSync(command, args, { encoding: 'utf8' });
  if (ran.status === 0) return ran.stdout.trim();
  if (ran.error?.code === 'ENOENT') {
    throw new Error(`${command} is missing; ./scripts/prebuild installs what is needed.`);
  }
  throw new Error(`${command} ${args.join(' ')}\n${ran.stderr}`);
}

/** Sources and flags are those of binding.gyp, which builds from source. */
function recipe() {
  const [target] = JSON.parse(readFileSync(join(root, 'binding.gyp'), 'utf8')).targets;
  const linux = target.conditions[0][1];
  return {
    sources: linux.sources,
    defines: [...target.defines, ...linux.defines].map((name) => `-D${name}`),
    flags: [...linux.cflags, '-fPIC', '-ffunction-sections', '-fdata-sections'],
    c: linux.cflags_c,
    cc: [...linux.cflags_cc, '-fno-exceptions', '-fno-rtti', '-fno-threadsafe-statics'],
  };
}

/**
 * musl's headers and the kernel's, and nothing of glibc's. C++'s own are those of the compiler: their templates are instantiated
 * in the addon, and the question which glibc this is is answered with "none".
 */
function muslFlags(arch, gxx, scratch) {
  const triple = triples[arch];
  const musl = join(cache, 'musl', arch);
  const muslTriple = triple.replace('gnu', 'musl');
  if (!existsSync(musl)) throw new Error(`there is no musl in ${musl}; ./scripts/prebuild fetches it.`);
  const kernel = join(scratch, 'kernel');
  mkdirSync(kernel);
  const crossed = `/usr/${triple}/include`;
  const headers = existsSync(join(crossed, 'linux/if_tun.h')) ? crossed : '/usr/include';
  for (const name of ['linux', 'asm-generic', 'asm']) {
    const here = join(headers, name);
    symlinkSync(existsSync(here) ? here : join(headers, triple, name), join(kernel, name));
  }
  const library = run(gxx, ['-print-file-name=include']);
  const listed = spawnSync(gxx, ['-xc++', '-E', '-v', '/dev/null'], { encoding: 'utf8' }).stderr;
  const cplusplus = listed
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^\/.*\/c\+\+\//.test(line));
  const system = (paths) => paths.flatMap((path) => ['-isystem', path]);
  return {
    common: ['-nostdinc', ...system([join(musl, 'usr/include', muslTriple), kernel])],
    cc: [...system(cplusplus), '-include', join(portable, 'musl.h')],
    after: system([library]),
    link: ['-nostdlib', run(gxx, ['-print-file-name=crtbeginS.o']), '-L', join(musl, 'lib', muslTriple)],
    end: ['-l:libc.so', run(gxx, ['-print-libgcc-file-name']), run(gxx, ['-print-file-name=crtendS.o'])],
  };
}

function glibcFlags() {
  const common = ['-include', join(portable, 'glibc-2.28.h')];
  return { common, cc: [], after: [], link: ['-static-libgcc'], end: [] };
}

/** Compiles and links one addon; `libc` is glibc or musl. */
function build(arch, libc, file) {
  const scratch = mkdtempSync(join(tmpdir(), 'tapstack-prebuild-'));
  try {
    const own = arch === process.arch;
    const compiler = (name) => (own ? name : `${triples[arch]}-${name}`);
    const of = libc === 'musl' ? muslFlags(arch, compiler('g++'), scratch) : glibcFlags();
    const { sources, defines, flags, c, cc } = recipe();
    const napi = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'));
    const headers = join(getNode(VERSIONS[0]), 'include/node');
    // An atomic that libgcc would look up at run time asks glibc which processor this is.
    const machine = arch === 'arm64' ? ['-mno-outline-atomics'] : [];
    const objects = [...sources, 'scripts/portable/runtime.cc'].map((source) => {
      const object = join(scratch, `${source.replaceAll('/', '_')}.o`);
      const plusplus = source.endsWith('.cc');
      run(compiler(plusplus ? 'g++' : 'gcc'), [
        ...(plusplus ? [...cc, ...of.cc] : c),
        ...of.common,
        ...of.after,
        ...defines,
        ...flags,
        ...machine,
        '-isystem',
        napi,
        '-isystem',
        headers,
        '-c',
        join(root, source),
        '-o',
        object,
      ]);
      return object;
    });
    const script = `-Wl,--version-script=${join(portable, 'exports.map')}`;
    const linker = ['-shared', '-s', script, '-Wl,--gc-sections', '-Wl,--as-needed', '-Wl,-z,now'];
    run(compiler('gcc'), [...of.link, ...linker, ...objects, ...of.end, '-o', file]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Everything a prebuilt addon is made of. */
function fingerprint() {
  const hash = createHash('sha256');
  const inside = (folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
  const files = [...inside('native'), ...inside('scripts/portable'), 'binding.gyp', 'scripts/prebuild.mjs'];
  for (const file of files.sort()) hash.update(`${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function main() {
  const native = process.argv.includes('--native');
  const targets = Object.keys(triples).flatMap((arch) => ['glibc', 'musl'].map((libc) => ({ arch, libc })));
  const wanted = native
    ? targets.filter(({ arch, libc }) => arch === process.arch && libc === 'glibc')
    : targets;
  if (wanted.length === 0) throw new Error(`no addon is shipped for ${process.platform} ${process.arch}`);
  const made = fingerprint();
  for (const { arch, libc } of wanted) {
    const folder = join(root, 'prebuilds', `linux-${arch}`);
    const file = join(folder, `tapstack.${libc}.node`);
    const stamp = join(folder, `.${libc}`);
    mkdirSync(folder, { recursive: true });
    if (!existsSync(file) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== made) {
      build(arch, libc, file);
      writeFileSync(stamp, made);
    }
    for (const line of verify(file, arch, libc)) console.log(`linux-${arch} ${libc}: ${line}`);
  }
}

try {
  main();
} catch (error) {
  console.error(`tapstack: ${error.message}`);
  process.exitCode = 1;
}

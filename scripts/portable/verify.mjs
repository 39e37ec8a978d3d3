// Holds a prebuilt addon to what it promises: its processor, no library but libc, nothing newer than glibc 2.28; and that it
// loads: in Node where there is one for its libc (under QEMU for another processor), else by musl's own loader.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cache, getNode } from '../get-node.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const triples = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const machines = { x64: 'Advanced Micro Devices X86-64', arm64: 'AArch64' };
/** Of a Node for another processor only the newest is tried. */
const OTHER_NODE = '24.20.0';
/** glibc's parts, which are one file in musl. */
const libraries = { glibc: /^(libc\.so\.6|ld-linux-[\w-]+\.so\.\d)$/, musl: /^libc\.so$/ };

function run(command, args, options = {}) {
  const ran = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (ran.status === 0) return ran.stdout;
  throw new Error(
    `${command} ${args.join(' ')}\n${ran.stderr || ran.error?.message || `status ${ran.status}`}`,
  );
}

function expect(holds, text) {
  if (!holds) throw new Error(text);
}

/** Undefined symbols, without their versions. */
function undefinedSymbols(file) {
  return run('readelf', ['-W', '--dyn-syms', file])
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((cells) => cells[6] === 'UND' && cells[4] === 'GLOBAL' && cells[7] !== undefined)
    .map((cells) => cells[7].split('@')[0]);
}

const isNodes = (symbol) => /^(napi|node_api|uv)_/.test(symbol);
const version = (text = '0') => {
  const [major, minor = 0, patch = 0] = text.split('.').map(Number);
  return (major * 1000 + minor) * 1000 + patch;
};

function checkElf(file, arch, libc) {
  const machine = /Machine:\s+(.*)/.exec(run('readelf', ['-h', file]))?.[1];
  expect(machine === machines[arch], `${file} is for ${machine}`);
  const cplusplus = undefinedSymbols(file).filter((name) => /^(_Z|__cxa_(?!atexit))/.test(name));
  expect(cplusplus.length === 0, `${file} needs a C++ library for ${cplusplus.join(', ')}`);
  const dynamic = run('readelf', ['-d', file]);
  const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
  expect(needed.includes(libc === 'musl' ? 'libc.so' : 'libc.so.6'), `${file} needs no libc but ${needed}`);
  const foreign = needed.filter((name) => !libraries[libc].test(name));
  expect(foreign.length === 0, `${file} needs ${foreign}`);
  const versions = [...run('readelf', ['-W', '-V', file]).matchAll(/Name: GLIBC_([\d.]+)/g)].map(
    ([, v]) => v,
  );
  const newest = versions.sort((a, b) => version(a) - version(b)).at(-1);
  if (libc === 'musl') expect(newest === undefined, `${file} asks for glibc ${newest}`);
  else expect(version(newest) <= version('2.28'), `${file} asks for glibc ${newest}; Node itself for 2.28`);
  const size = `${Math.round(statSync(file).size / 1024)} KiB`;
  return `${size}, ${libc === 'musl' ? 'nothing of glibc' : `glibc ${newest} or newer`}, needs ${needed.join(' and ')}`;
}

/** How a program for that processor is run here: [] natively. */
function emulator(arch) {
  return arch === process.arch
    ? []
    : [`qemu-${arch === 'arm64' ? 'aarch64' : 'x86_64'}`, '-L', `/usr/${triples[arch]}`];
}

function loadInNode(file, arch) {
  const node = arch === process.arch ? process.execPath : join(getNode(OTHER_NODE, arch), 'bin/node');
  const code = `const { Nic } = require(${JSON.stringify(file)}); console.log(process.version, typeof Nic)`;
  const [command, ...args] = [...emulator(arch), node, '-e', code];
  const [loaded, type] = run(command, args).trim().split(' ');
  expect(type === 'function', `${file} has no Nic`);
  return `loads in Node ${loaded}${arch === process.arch ? '' : ' under QEMU'}`;
}

function loadByMusl(file, arch) {
  const scratch = mkdtempSync(join(tmpdir(), 'tapstack-verify-'));
  try {
    const triple = triples[arch].replace('gnu', 'musl');
    const musl = join(cache, 'musl', arch);
    const crt = join(musl, 'usr/lib', triple);
    const library = join(musl, 'lib', triple);
    const stubs = undefinedSymbols(file)
      .filter(isNodes)
      .map((name) => `void ${name}(void) {}\n`);
    writeFileSync(join(scratch, 'stubs.c'), stubs.join(''));
    const gcc = arch === process.arch ? 'gcc' : `${triples[arch]}-gcc`;
    const program = join(scratch, 'load');
    run(gcc, [
      ...[
        '-nostdinc',
        '-isystem',
        join(musl, 'usr/include', triple),
        '-nostdlib',
        '-fPIE',
        '-pie',
        '-rdynamic',
      ],
      ...['Scrt1.o', 'crti.o'].map((name) => join(crt, name)),
      ...[join(here, 'load.c'), join(scratch, 'stubs.c'), '-L', library, '-l:libc.so'],
      ...[join(crt, 'crtn.o'), '-o', program],
    ]);
    const [command, ...args] = [...emulator(arch), join(library, 'libc.so'), program, file];
    run(command, args);
    return `loads under musl's loader${arch === process.arch ? '' : ' and QEMU'}, with stubs for Node's functions`;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Throws what is wrong; returns what was found, a line each. */
export function verify(file, arch, libc) {
  const elf = checkElf(file, arch, libc);
  return [elf, libc === 'musl' ? loadByMusl(file, arch) : loadInNode(file, arch)];
}

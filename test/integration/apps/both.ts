// Runs a Node program twice, unchanged: on this kernel, in a namespace behind a veth pair, and on the stack, behind a TAP device.
// Both are reached by the same addresses and talk to the same programs on the host's side, so what is seen must be the same.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, vi } from 'vitest';
import { ip, requireLab } from '../../link/lab.js';
import { deviceThere, type Exit, place, root, temporaryDirectory, until } from '../server.js';

// Each of these tests starts several programs, one after another.
vi.setConfig({ testTimeout: 60_000 });

export const ROOM = 86;
const programs = fileURLToPath(new URL('programs/', import.meta.url));

export type Way = 'kernel' | 'stack';

export interface RunOptions {
  args?: string[];
  /** Options of Node. */
  node?: string[];
  env?: Record<string, string>;
  stdin?: 'ignore' | 'pipe';
}

/** A program of a test's own, as a file. */
export function program(source: string, extension = 'mjs'): string {
  const file = join(temporaryDirectory(), `program.${extension}`);
  writeFileSync(file, source);
  return file;
}

/** A program that runs. */
export class App {
  readonly way: Way;
  /** Where the program is, and where its peers on the host's side are. */
  readonly address: string;
  readonly host: string;
  readonly tap: string;
  readonly child: ChildProcess;
  out = '';
  err = '';
  #exit: Exit | null = null;
  readonly #exited: Promise<Exit>;

  constructor(way: Way, net: number, child: ChildProcess) {
    this.way = way;
    ({ stack: this.address, host: this.host, tap: this.tap } = place(ROOM, net));
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    this.#exited = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  /** Waits for a line of its output. */
  async says(text: string): Promise<void> {
    const lines = (): string[] => this.out.split('\n').slice(0, -1);
    await until(() => lines().includes(text) || this.#exit !== null, `${this.way}: the line ${text}`);
    if (!lines().includes(text))
      throw new Error(`on the ${this.way}, it ended before it said '${text}': ${this.out}${this.err}`);
  }

  exited(): Promise<Exit> {
    return this.#exited;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.child.kill(signal);
    return this.#exited;
  }
}

/** The command line that runs `program` (a file of programs/, or any other by its whole path) one way. */
function command(way: Way, net: number, options: RunOptions, program: string[]): string[] {
  const node = [process.execPath, ...(way === 'stack' ? ['--import', 'tapstack/register'] : [])];
  const inside = way === 'kernel' ? ['nsenter', `--net=/run/netns/${place(ROOM, net).tap}`] : [];
  return [...inside, ...node, ...(options.node ?? []), ...program, ...(options.args ?? [])];
}

/** Lays the way from the host to the program's address; the returned function takes it away again. */
function lay(way: Way, net: number): () => void {
  if (way === 'stack') return () => {};
  const { tap, host, stack } = place(ROOM, net);
  ip('netns', 'add', tap);
  ip('link', 'add', tap, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', tap);
  ip('addr', 'add', `${host}/24`, 'dev', tap);
  ip('link', 'set', tap, 'up');
  for (const line of [`addr add ${stack}/24 dev eth0`, 'link set eth0 up', 'link set lo up'])
    ip('-n', tap, ...line.split(' '));
  return () => {
    ip('link', 'delete', tap);
    ip('netns', 'delete', tap);
  };
}

/** Starts a program one way; `net` is a number that no other test of this folder uses. */
export function run(way: Way, net: number, program: string, options: RunOptions = {}): App {
  requireLab();
  const { tap, host, stack } = place(ROOM, net);
  const [file, ...args] = command(way, net, options, [
    isAbsolute(program) ? program : join(programs, program),
  ]);
  const child = spawn(file, args, {
    cwd: root,
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      TAPSTACK_TAP: tap,
      TAPSTACK_ADDRESS: `${stack}/24`,
      TAPSTACK_HOST_ADDRESS: `${host}/24`,
      ...options.env,
    },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return new App(way, net, child);
}

export interface Seen<T> {
  /** What the driver returned. */
  saw: T;
  out: string;
  err: string;
  exit: Exit;
}

/**
 * Runs the program on the kernel and on the stack, one after the other. `drive` talks to it, or lets it talk, and returns what there
 * was to see; a program still running afterwards gets a SIGTERM. Fails unless both ways look the same; returns how.
 */
export async function bothWays<T>(
  net: number,
  program: string,
  drive: (app: App) => Promise<T>,
  options: RunOptions = {},
): Promise<Seen<T>> {
  const kernel = await oneWay('kernel', net, program, drive, options);
  const stack = await oneWay('stack', net, program, drive, options);
  expect(stack).toEqual(kernel);
  return stack;
}

export async function oneWay<T>(
  way: Way,
  net: number,
  program: string,
  drive: (app: App) => Promise<T>,
  options: RunOptions = {},
): Promise<Seen<T>> {
  const takeAway = lay(way, net);
  try {
    const app = run(way, net, program, options);
    try {
      const saw = await drive(app);
      const exit = await app.stop();
      expect(deviceThere(app.tap)).toBe(way === 'kernel');
      return { saw, out: app.out, err: app.err, exit };
    } catch (error) {
      await app.stop('SIGKILL');
      throw new Error(`on the ${way}: ${(error as Error).message}\n${app.out}${app.err}`, { cause: error });
    }
  } finally {
    takeAway();
  }
}

/** A key and a certificate for an address, made for this test. */
export function certificate(address: string): { key: string; cert: string } {
  const directory = temporaryDirectory();
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const name = ['-subj', '/CN=tapstack', '-addext', `subjectAltName=IP:${address}`];
  execFileSync('openssl', ['req', '-x509', ...curve, '-days', '2', ...name, '-keyout', key, '-out', cert], {
    stdio: 'pipe',
  });
  return { key, cert };
}

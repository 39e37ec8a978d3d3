// Runs the built command as its users do, in the lab that the tests run in: starts a server, waits until it says it is ready,
// stops it, and reads its capture with tshark.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { requireLab } from '../link/lab.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const main = join(root, 'dist/cli/main.js');

/** What a server of these tests is reached by: `net` is the third number of its addresses, and of its device's name. */
export interface Place {
  readonly tap: string;
  readonly host: string;
  readonly stack: string;
  readonly options: string[];
}

/** Addresses and a device name nobody else uses: `room` belongs to one test file, `net` to one test in it. */
export function place(room: number, net: number): Place {
  const host = `10.${room}.${net}.1`;
  const stack = `10.${room}.${net}.2`;
  const tap = `ts${room}-${net}`;
  return {
    tap,
    host,
    stack,
    options: ['--tap', tap, '--address', `${stack}/24`, '--host-address', `${host}/24`],
  };
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class Server {
  readonly child: ChildProcess;
  readonly at: Place;
  readonly pcap: string | undefined;
  out = '';
  err = '';
  readonly #exited: Promise<Exit>;
  #exit: Exit | null = null;

  constructor(child: ChildProcess, at: Place, pcap: string | undefined) {
    this.child = child;
    this.at = at;
    this.pcap = pcap;
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

  async ready(): Promise<void> {
    const said = () => `${this.out}${this.err}`.includes('Ctrl-C stops it');
    await until(() => said() || this.#exit !== null, 'the server to be ready');
    if (this.#exit !== null) throw new Error(`the server ended at once: ${this.err}`);
  }

  /** Ends it, and waits until it has. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<Exit> {
    this.child.kill(signal);
    return this.#exited;
  }

  exited(): Promise<Exit> {
    return this.#exited;
  }

  /** Lines about connections that have ended. */
  lines(): string[] {
    return this.out.split('\n').filter((line) => line.startsWith(`${this.at.host}:`));
  }

  /** Waits for the lines about `count` ended connections. */
  async ended(count: number): Promise<string[]> {
    await until(() => this.lines().length >= count, `${count} connections to end`);
    return this.lines();
  }

  /** Resident memory in MiB. */
  resident(): number {
    const status = execFileSync('cat', [`/proc/${this.child.pid}/status`], { encoding: 'utf8' });
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }
}

/** The commands that are servers. */
export type Command = 'echo' | 'http' | 'iperf3';

export interface StartOptions {
  /** Options of the command, besides the place's. */
  options?: string[];
  /** Options of Node. */
  node?: string[];
  /** Record everything; `checkCapture` reads it. */
  capture?: boolean;
}

/** Starts `tapstack COMMAND` at a place; it is gone when the test is, however that ends. */
export async function start(command: Command, at: Place, more: StartOptions = {}): Promise<Server> {
  const server = launch(command, at, more);
  await server.ready();
  return server;
}

/** Starts it without waiting. */
export function launch(command: Command, at: Place, more: StartOptions = {}): Server {
  requireLab();
  if (!existsSync(main)) throw new Error('these tests run the built command: npm run build');
  const pcap = more.capture === true ? join(temporaryDirectory(), 'capture.pcapng') : undefined;
  const record = pcap === undefined ? [] : ['--pcap', pcap];
  const args = [...(more.node ?? []), main, command, ...at.options, ...record, ...(more.options ?? [])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return new Server(child, at, pcap);
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tapstack-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Polls, since what is waited for is another process's doing. */
export async function until(condition: () => boolean, what: string, milliseconds = 30_000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(20);
  }
}

export const deviceThere = (name: string): boolean =>
  name in networkInterfaces() || existsSync(`/sys/class/net/${name}`);

/** Runs a shell script with a bound on its time; `$1` … are `args`. Bash, because the lines we print are for it. */
export function shell(script: string, ...args: string[]) {
  return spawnSync('bash', ['-c', script, 'test', ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 1 << 28,
  });
}

/** The same while this process goes on doing its part. */
export async function shellAsync(
  script: string,
  ...args: string[]
): Promise<{ code: number | null; out: string }> {
  const child = spawn('bash', ['-c', script, 'test', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out })));
}

export function tshark(file: string, ...args: string[]): string[] {
  const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  const run = spawnSync('tshark', ['-n', '-r', file, ...checks, ...args], {
    encoding: 'utf8',
    timeout: 120_000,
    maxBuffer: 1 << 28,
  });
  if (run.status !== 0) throw new Error(`tshark failed: ${run.stderr}`);
  return run.stdout.split('\n').filter((line) => line !== '');
}

/** What a frame must not be. */
const WRONG = [
  '_ws.malformed',
  '(_ws.expert.severity == error && !(tcp.checksum == 0xffff))',
  'ip.checksum.status == "Bad"',
  // 0xffff is 0 in one's complement, and what Linux writes for it; tshark would rather see 0x0000.
  '(tcp.checksum.status == "Bad" && tcp.checksum != 0xffff)',
  'udp.checksum.status == "Bad"',
  'icmp.checksum.status == "Bad"',
];

/** The frames of a capture that are malformed or have a bad checksum. */
export function wrongFrames(file: string): string[] {
  return tshark(file, '-Y', WRONG.join(' || '));
}

/** Fails unless the stopped server's capture is sound: every frame whole, every checksum right. */
export function checkCapture(server: Server): void {
  if (server.pcap === undefined) throw new Error('this server recorded nothing');
  expect(wrongFrames(server.pcap)).toEqual([]);
}

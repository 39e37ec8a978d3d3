// Real databases on the host's side, for as long as a test file: a Redis and a PostgreSQL, their data in a temporary directory.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Service {
  readonly port: number;
  stop(): Promise<void>;
}

/** A service, once it lets itself be connected to. */
async function start(directory: string, port: number, command: string[]): Promise<Service> {
  const [file, ...args] = command;
  const child = spawn(file, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const stop = async () => {
    // For PostgreSQL this is the fast way down, for Redis the only one.
    child.kill('SIGINT');
    await gone;
    rmSync(directory, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 200; tries++) {
    if (await answers(port)) return { port, stop };
    if (child.exitCode !== null) break;
    await sleep(50);
  }
  await stop();
  throw new Error(`${file} did not start:\n${said}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

const temporary = (): string => mkdtempSync(join(tmpdir(), 'tapstack-service-'));

export function startRedis(port: number): Promise<Service> {
  const settings = ['--port', String(port), '--bind', '0.0.0.0', '--protected-mode', 'no'];
  const directory = temporary();
  return start(directory, port, ['redis-server', ...settings, '--save', '', '--dir', directory]);
}

/** Debian keeps the programs of each major version apart. */
function postgresPrograms(): string {
  const versions = readdirSync('/usr/lib/postgresql').map(Number);
  return `/usr/lib/postgresql/${Math.max(...versions)}/bin`;
}

/**
 * PostgreSQL refuses to serve root, which is what everybody is in a lab. A user namespace inside it makes us the user `postgres`
 * there, and nothing more in it.
 */
function asPostgres(...command: string[]): string[] {
  const id = (option: string): string =>
    execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }).trim();
  return ['unshare', '--user', `--map-user=${id('-u')}`, `--map-group=${id('-g')}`, '--', ...command];
}

export async function startPostgres(port: number, password: string): Promise<Service> {
  const directory = temporary();
  const bin = postgresPrograms();
  const [data, secret] = [join(directory, 'data'), join(directory, 'password')];
  writeFileSync(secret, password);
  const initdb = [`${bin}/initdb`, '-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', secret];
  const [file, ...args] = asPostgres(...initdb, '--no-sync', '--locale=C.UTF-8');
  execFileSync(file, args, { stdio: 'pipe', cwd: directory });
  writeFileSync(join(data, 'pg_hba.conf'), 'host all all 0.0.0.0/0 scram-sha-256\n');
  const settings = {
    listen_addresses: '0.0.0.0',
    port,
    unix_socket_directories: directory,
    fsync: 'off',
    dynamic_shared_memory_type: 'mmap',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return start(directory, port, asPostgres(`${bin}/postgres`, '-D', data, ...options));
}

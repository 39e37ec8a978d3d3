// scripts/lab: what runs inside sees a network of its own, and nothing of it outlives the command.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';

const lab = fileURLToPath(new URL('../../scripts/lab', import.meta.url));

function run(script: string, ...args: string[]) {
  return spawnSync(lab, ['bash', '-c', script, 'inside', ...args], { encoding: 'utf8' });
}

/** What `read` says about each process that is still there when it is asked. */
function ofProcesses(read: (proc: string) => string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [read(`/proc/${pid}`)];
      } catch {
        return [];
      }
    });
}
const withArgument = (token: string) =>
  ofProcesses((proc) => readFileSync(`${proc}/cmdline`, 'utf8')).filter((line) => line.includes(token))
    .length;
const inNamespace = (net: string) =>
  ofProcesses((proc) => readlinkSync(`${proc}/ns/net`)).filter((link) => link === net).length;

async function until(condition: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (condition()) return true;
    await sleep(50);
  }
  return condition();
}

/** A lab with two processes in it, one of them detached, and the namespace they live in. */
async function busyLab(): Promise<{ child: ChildProcess; token: string; net: string }> {
  const token = randomUUID();
  const script =
    'setsid tail -f /dev/null "$1.a" >/dev/null 2>&1 & readlink /proc/self/ns/net; exec tail -f /dev/null "$1.b" >/dev/null 2>&1';
  const child = spawn(lab, ['bash', '-c', script, 'inside', token], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let net = '';
  child.stdout?.on('data', (chunk) => {
    net += chunk;
  });
  expect(
    await until(() => net.endsWith('\n') && withArgument(`${token}.a`) > 0 && withArgument(`${token}.b`) > 0),
  ).toBe(true);
  return { child, token, net: net.trim() };
}

describe('inside', () => {
  it('is root, has loopback up and nothing else', () => {
    const result = run(
      'id -u; ip -o -br addr show; ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo reached',
    );
    expect(result.stderr).toBe('');
    expect(result.stdout).toMatch(/^0\nlo +UNKNOWN +127\.0\.0\.1\/8[^\n]*\nlo\nreached\n$/);
  });

  it('can make TAP devices and namespaces of its own, unseen from outside', () => {
    const names = () => (existsSync('/run/netns') ? readdirSync('/run/netns') : []);
    const before = names();
    const result = run(
      'ip tuntap add tap0 mode tap && ip netns add "$1" && ip netns exec "$1" ip -br link && ls /run/netns',
      'lab-test',
    );
    expect(result.stderr).toBe('');
    expect(result.stdout).toMatch(/^lo .*\nlab-test\n$/);
    expect(names()).toEqual(before);
  });

  it('hands over arguments, input, output and the exit code as they are', () => {
    const echo = spawnSync(lab, ['cat', '-'], { input: 'two  words\n', encoding: 'utf8' });
    expect(echo.stdout).toBe('two  words\n');
    expect(run('printf "%s|" "$@"; exit 7', 'a b', '', '$HOME')).toMatchObject({
      status: 7,
      stdout: 'a b||$HOME|',
    });
    expect(spawnSync(lab, ['true']).status).toBe(0);
    expect(spawnSync(lab, ['no-such-command-anywhere']).status).toBe(127);
    expect(run('kill -TERM $$').status).toBe(143);
  });

  it('may hold another lab', () => {
    expect(spawnSync(lab, [lab, 'sh', '-c', 'ip tuntap add tap0 mode tap && exit 5']).status).toBe(5);
  });
});

describe('afterwards', () => {
  it('nothing runs on, not even what went into the background', () => {
    const token = randomUUID();
    const result = run('setsid tail -f /dev/null "$1" >/dev/null 2>&1 & readlink /proc/self/ns/net', token);
    expect(result.status).toBe(0);
    expect(result.stdout).toMatch(/^net:\[\d+\]\n$/);
    expect(withArgument(token)).toBe(0);
    expect(inNamespace(result.stdout.trim())).toBe(0);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const)(
    '%s to the lab ends everything in it',
    async (signal) => {
      const { child, token, net } = await busyLab();
      expect(inNamespace(net)).toBeGreaterThanOrEqual(2);
      const ended = new Promise((resolve) => child.on('exit', (code, by) => resolve(code ?? by)));
      child.kill(signal);
      expect(await ended).toBe({ SIGTERM: 143, SIGINT: 130, SIGHUP: 129, SIGKILL: 'SIGKILL' }[signal]);
      expect(await until(() => withArgument(token) === 0 && inNamespace(net) === 0)).toBe(true);
    },
  );
});

describe('refused', () => {
  it('a device that is not there, and makes no file in its place', () => {
    const inside = `mount -t tmpfs none /dev/net && "${lab}" true; echo "status $?"; ls /dev/net`;
    const { stdout, stderr } = run(inside);
    expect(stderr).toContain('lab: no TAP devices in here: /dev/net/tun is not there');
    expect(stdout).toBe('status 0\n');
  });

  it('what has the name of the device and is none', () => {
    const { stdout, stderr } = run(
      `mount -t tmpfs none /dev/net && touch /dev/net/tun && "${lab}" true; echo "status $?"`,
    );
    expect(stderr).toContain('lab: no TAP devices in here: /dev/net/tun is not a device');
    expect(stderr).toContain('mknod -m 0666 /dev/net/tun c 10 200');
    expect(stdout).toBe('status 0\n');
  });

  it('says what is refused and what to do, and fails', () => {
    const dir = mkdtempSync(join(tmpdir(), 'tapstack-lab-'));
    try {
      const refusal = 'unshare: unshare failed: Operation not permitted';
      writeFileSync(join(dir, 'unshare'), `#!/bin/sh\necho '${refusal}' >&2\nexit 1\n`, { mode: 0o755 });
      const result = spawnSync(lab, ['true'], {
        encoding: 'utf8',
        env: { ...process.env, PATH: `${dir}:${process.env.PATH}` },
      });
      expect(result.status).toBe(1);
      expect(result.stderr).toContain(`this system refuses private namespaces`);
      expect(result.stderr).toContain(refusal);
      expect(result.stderr).toMatch(/Or run the same command as root|In a container: start it with/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

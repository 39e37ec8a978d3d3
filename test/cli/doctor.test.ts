// What the doctor says of machines that lack this or that, and of this one.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Facts } from '../../src/cli/doctor-facts.js';
import { type Finding, judge } from '../../src/cli/doctor-judge.js';
import { requireLab } from '../link/lab.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const DEVICE = {
  vnetHdr: true,
  offloads: 11,
  noIoUring: null,
  dearCalls: false,
  noThreadedNapi: null,
  netdevice: 'doctor0',
};

const HEALTHY: Facts = {
  platform: 'linux',
  node: '20.19.0',
  isRoot: false,
  addonError: null,
  tun: 'usable',
  netAdmin: true,
  forbidding: [],
  labError: null,
  device: DEVICE,
  kernelThreads: true,
  missingTools: [],
  controlError: null,
};

const sick = (facts: Partial<Facts>) =>
  judge({ ...HEALTHY, ...facts }).filter(({ verdict }) => verdict !== 'ok');

test('a machine that has everything', () => {
  expect(sick({})).toEqual([]);
  expect(judge(HEALTHY).flatMap(({ remedies }) => remedies)).toEqual([]);
});

test('a machine on which a system call is dear is told so, and what is done about it', () => {
  const said = (dearCalls: boolean) =>
    judge({ ...HEALTHY, device: { ...DEVICE, dearCalls } }).find(({ what }) => what === 'io_uring');
  expect(said(false)?.found).not.toMatch(/dear/);
  expect(said(true)).toMatchObject({ verdict: 'ok', found: expect.stringMatching(/calls are dear/) });
});

test("a thread that cannot be scheduled otherwise, as in a container, is told of, and nobody's fault", () => {
  const said = (facts: Partial<Facts>) =>
    judge({ ...HEALTHY, ...facts }).find(({ what }) => what === 'threaded NAPI');
  expect(said({})?.found).not.toMatch(/SCHED_BATCH/);
  expect(said({ kernelThreads: false })).toMatchObject({
    verdict: 'ok',
    found: expect.stringMatching(/SCHED_BATCH.*PID namespace/),
  });
});

describe('what is wrong, and what to do', () => {
  test.each<[string, Partial<Facts>, Finding['verdict'], string, string]>([
    ['another system', { platform: 'darwin' }, 'problem', 'system', 'use a Linux machine'],
    ['Node.js 18', { node: '18.20.4' }, 'problem', 'Node.js', 'install Node.js 20.19 or newer'],
    ['Node.js 20.9', { node: '20.9.0' }, 'problem', 'Node.js', 'install Node.js 20.19 or newer'],
    ['no addon', { addonError: 'not built' }, 'problem', 'addon', 'npm run build:native'],
    ['no device node', { tun: 'missing' }, 'problem', '/dev/net/tun', 'modprobe tun'],
    ['a file in its place', { tun: 'no device' }, 'problem', '/dev/net/tun', 'mknod'],
    ['no right to it', { tun: 'forbidden' }, 'problem', '/dev/net/tun', 'chmod 0666 /dev/net/tun'],
    ['no driver behind it', { tun: 'no driver' }, 'problem', '/dev/net/tun', 'modprobe tun'],
    ['an ordinary user', { netAdmin: false }, 'warning', 'CAP_NET_ADMIN', 'tapstack lab'],
    [
      'no namespaces for root',
      { labError: 'EPERM', isRoot: true },
      'warning',
      'private networks',
      '--privileged',
    ],
    [
      'namespaces forbidden',
      { labError: 'EPERM', forbidding: ['kernel.apparmor_restrict_unprivileged_userns = 1'] },
      'warning',
      'private networks',
      'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    ],
    [
      'none allowed',
      { labError: 'ENOSPC', forbidding: ['user.max_user_namespaces = 0'] },
      'warning',
      'private networks',
      'sysctl -w user.max_user_namespaces=10000',
    ],
    ['no offloads', { device: { ...DEVICE, vnetHdr: false, offloads: 0 } }, 'warning', 'offloads', '--mtu'],
    [
      'io_uring forbidden',
      { device: { ...DEVICE, noIoUring: 'EPERM' } },
      'warning',
      'io_uring',
      'kernel.io_uring_disabled=0',
    ],
    [
      'no sysfs to be mounted',
      { device: { ...DEVICE, noThreadedNapi: 'EPERM' } },
      'warning',
      'threaded NAPI',
      'CAP_SYS_ADMIN',
    ],
    ['no device to try', { device: null }, 'warning', 'offloads', 'look again'],
    [
      'no iproute2',
      { missingTools: ['ip', 'tshark'] },
      'warning',
      'programs',
      'apt-get install iproute2 tshark',
    ],
    [
      'a shared directory',
      { controlError: 'open to others' },
      'warning',
      'control sockets',
      'XDG_RUNTIME_DIR',
    ],
  ])('%s', (_name, facts, verdict, what, remedy) => {
    const [finding, ...more] = sick(facts);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ verdict, what });
    expect(finding.remedies.join('\n')).toContain(remedy);
  });

  test('a private network is no remedy where /dev/net/tun is closed, there as well', () => {
    const findings = sick({ netAdmin: false, tun: 'forbidden' });
    expect(findings.map(({ what, verdict }) => [what, verdict])).toEqual([
      ['/dev/net/tun', 'problem'],
      ['CAP_NET_ADMIN', 'problem'],
    ]);
    expect(findings.flatMap(({ remedies }) => remedies).join('\n')).not.toContain('tapstack lab');
  });

  test('neither rights nor namespaces: nothing can be done here', () => {
    const findings = sick({ netAdmin: false, labError: 'EPERM' });
    expect(findings.map(({ what, verdict }) => [what, verdict])).toEqual([
      ['CAP_NET_ADMIN', 'problem'],
      ['private networks', 'problem'],
    ]);
  });
});

describe('this machine', () => {
  requireLab();
  const run = (env: Record<string, string>, ...args: string[]) =>
    spawnSync(process.execPath, [main, 'doctor', ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, ...env },
    });

  test('is fit, and the report has no colours where nobody sees them', () => {
    const { status, stdout, stderr } = run({ CI: 'true' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    // A machine may lack io_uring, and is fit without.
    const rest = stdout.replace(/^\w+ +io_uring: .*\n( .*\n)*/m, '');
    expect(rest).not.toBe(stdout);
    expect(rest).toMatch(/^ok {6}system: Linux\n(ok {6}[^\n]+\n){9}\nThe stack can work here\.\n$/);
  }, 60_000);

  test('as JSON', () => {
    const report = JSON.parse(run({}, '--json').stdout) as { healthy: boolean; findings: Finding[] };
    expect(report.healthy).toBe(true);
    expect(report.findings).toHaveLength(11);
  }, 60_000);

  test('without rights to the device: status 1', () => {
    const script = 'mount --bind /dev/null /dev/net/tun && exec "$@"';
    const { status, stdout } = spawnSync(
      'unshare',
      ['--mount', 'bash', '-c', script, 'doctor', process.execPath, main, 'doctor'],
      { encoding: 'utf8', timeout: 60_000 },
    );
    expect(status).toBe(1);
    expect(stdout).toContain('PROBLEM /dev/net/tun: ');
    expect(stdout).toContain('Something is in the way.');
  }, 60_000);
});

// What the command refuses: each time what happened, why and what to do, in a few lines and without a trace; and nothing is left.

import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { ip, requireLab } from '../link/lab.js';
import { launch, main, place, root, shell, start, temporaryDirectory } from './server.js';

const ROOM = 85;

const devices = (): string[] => readdirSync('/sys/class/net').filter((name) => name.startsWith(`ts${ROOM}-`));
const namespaces = (): string[] =>
  existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith(`ts${ROOM}-`)) : [];

let before: string[] = [];
beforeEach(() => {
  requireLab();
  before = [...devices(), ...namespaces()];
});
afterEach(() => expect([...devices(), ...namespaces()]).toEqual(before));

/** Runs `tapstack echo` at a place to its refusal, and checks the manner of it. */
function refused(script: string, ...args: string[]): string {
  const run = shell(`timeout 20 ${script} "$@"`, ...args);
  expect(run.stdout).toBe('');
  expect(run.status).toBe(1);
  const [first, ...remedies] = run.stderr.trimEnd().split('\n');
  expect(first).toMatch(/^tapstack: .+[.!?]$/);
  for (const remedy of remedies) expect(remedy).toMatch(/^ {2}- .+/);
  return run.stderr;
}
const node = (...options: string[]): string => [process.execPath, ...options, main, 'echo'].join(' ');

test('a thread of the kernel for a device that somebody else made', () => {
  const { options, tap } = place(ROOM, 20);
  ip('tuntap', 'add', 'dev', tap, 'mode', 'tap');
  let said: string;
  try {
    said = refused(node(), ...options, '--napi', 'threaded');
  } finally {
    ip('link', 'delete', tap);
  }
  expect(said).toMatch(
    /cannot be set up like that: .+ cannot have threaded NAPI: the device was there before/,
  );
  expect(said).toContain('--napi auto');
});

test('the name belongs to another interface', () => {
  const said = refused(node(), ...place(ROOM, 1).options, '--tap', 'lo');
  expect(said).toMatch(
    /There can be no TAP device of that name: the name lo is taken by a network interface/,
  );
  expect(said).toContain('--tap NAME');
});

test('the device is in use', async () => {
  const at = place(ROOM, 2);
  const server = await start('echo', at);
  before = devices();
  const said = refused(node(), ...place(ROOM, 3).options, '--tap', at.tap);
  expect(said).toContain(`The TAP device is taken: ${at.tap} is in use by another program`);
  // The first is none the worse for it.
  expect(shell(`nc -N ${at.stack} 7 <<< hello`).stdout).toBe('hello\n');
  await server.stop();
  before = [];
});

test('the host reaches something by these addresses already', () => {
  const at = place(ROOM, 4);
  ip('netns', 'add', at.tap);
  onTestFinished(() => void ip('netns', 'delete', at.tap));
  before = namespaces();
  ip('-n', at.tap, 'link', 'set', 'lo', 'up');
  ip('-n', at.tap, 'addr', 'add', `10.${ROOM}.4.77/16`, 'dev', 'lo');
  const address = refused(node(), ...at.options, '--netns', at.tap);
  expect(address).toContain(
    `10.${ROOM}.4.1/24 would hide what the host reaches now: it has the address 10.${ROOM}.4.77/16 on lo`,
  );
  expect(address).toContain('--address');
  ip('-n', at.tap, 'addr', 'del', `10.${ROOM}.4.77/16`, 'dev', 'lo');
  ip('-n', at.tap, 'route', 'add', `10.${ROOM}.0.0/16`, 'dev', 'lo');
  expect(refused(node(), ...at.options, '--netns', at.tap)).toContain('it has the route to');
});

test('not permitted to make a device', () => {
  const said = refused(
    `setpriv --bounding-set=-net_admin --inh-caps=-net_admin ${node()}`,
    ...place(ROOM, 5).options,
  );
  expect(said).toMatch(
    /^tapstack: Not permitted: not permitted to make the TAP device ts85-5: it takes CAP_NET_ADMIN/,
  );
  expect(said).toContain('sudo env "PATH=$PATH" npx tapstack');
  expect(said).toContain('npx tapstack lab');
});

test('not permitted to open /dev/net/tun, which no private network mends', () => {
  const closed = join(temporaryDirectory(), 'tun');
  writeFileSync(closed, '', { mode: 0 });
  const script = `setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search ${node()}`;
  const said = refused(
    `unshare --mount bash -c 'mount --bind ${closed} /dev/net/tun && exec "$@"' - ${script}`,
    ...place(ROOM, 14).options,
  );
  expect(said).toMatch(
    /^tapstack: Not permitted: not permitted to open \/dev\/net\/tun: .*`chmod 0666 \/dev\/net\/tun`\.$/m,
  );
  expect(said).toContain('npx tapstack doctor');
  expect(said).not.toContain('tapstack lab');
});

test('not permitted to give the device that root has made an address', () => {
  const { tap, options } = place(ROOM, 15);
  ip('tuntap', 'add', tap, 'mode', 'tap');
  ip('link', 'set', tap, 'up');
  onTestFinished(() => void ip('link', 'delete', tap));
  before = devices();
  const said = refused(`setpriv --bounding-set=-net_admin --inh-caps=-net_admin ${node()}`, ...options);
  expect(said).toContain(
    `let root do it before: \`ip addr add ADDRESS/PREFIX dev ${tap}; ip link set ${tap} up\``,
  );
});

test('not permitted to make a namespace', () => {
  const at = place(ROOM, 6);
  const said = refused(`setpriv --bounding-set=-sys_admin ${node()}`, ...at.options, '--netns', at.tap);
  expect(said).toMatch(/^tapstack: Not permitted: .*Named network namespaces need root/);
});

test('not on Linux', () => {
  const elsewhere = "data:text/javascript,Object.defineProperty(process,'platform',{value:'darwin'})";
  const said = refused(node('--import', `"${elsewhere}"`), ...place(ROOM, 7).options);
  expect(said).toMatch(/^tapstack: This needs Linux: A TAP device needs Linux/);
});

test('something else has the name of the device', () => {
  const script = `unshare --mount bash -c 'mount --bind /dev/null /dev/net/tun && exec "$@"' - ${node()}`;
  const said = refused(script, ...place(ROOM, 11).options);
  expect(said).toMatch(
    /^tapstack: This system has no TAP devices: \/dev\/net\/tun is not the tun driver's device/,
  );
  expect(said).toContain('mknod -m 0666 /dev/net/tun c 10 200');
});

test.each([
  [12, '--pcap', /^tapstack: The capture stopped after \d+ frames: \/dev\/full cannot be written \(ENOSPC/],
  [13, '--record', /^tapstack: The journal stopped after \d+ bytes: \/dev\/full cannot be written \(ENOSPC/],
])('of a program whose recording fails no more than the recording (place %i, %s)', (n, option, said) => {
  const directory = temporaryDirectory();
  const file = join(directory, 'app.mjs');
  writeFileSync(
    file,
    `import { connect, createServer } from 'node:net';
    const server = createServer((socket) => socket.end('hello')).listen(7, () => {
      connect(7, '127.0.0.1').on('data', (data) => console.log(String(data))).on('close', () => server.close());
      connect(9, '${place(ROOM, n).host}').on('error', () => {});
    });`,
  );
  const run = shell(
    `timeout 20 ${process.execPath} ${main} run "$@"`,
    ...place(ROOM, n).options,
    option,
    '/dev/full',
    file,
  );
  expect(run).toMatchObject({ status: 0, stdout: 'hello\n', stderr: expect.stringMatching(said) });
});

test('the addon is not there', () => {
  const directory = temporaryDirectory();
  cpSync(join(root, 'dist'), join(directory, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(directory, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  const copy = `${process.execPath} ${join(directory, 'dist/cli/main.js')} echo`;
  const said = refused(copy, ...place(ROOM, 8).options);
  expect(said).toMatch(/^tapstack: A part of tapstack is missing: The native addon/);
  expect(said).toContain('npm rebuild tapstack');
});

test('the capture cannot be written', () => {
  const directory = join(temporaryDirectory(), 'capture');
  mkdirSync(directory);
  const said = refused(node(), ...place(ROOM, 9).options, '--pcap', directory);
  expect(said).toContain(`Cannot capture to ${directory}: EISDIR`);
});

test('a capture that fails later is told at the end', async () => {
  const server = launch('echo', place(ROOM, 10), { options: ['--pcap', '/dev/full'] });
  await server.ready();
  shell(`nc -N ${server.at.stack} 7 <<< hello`);
  expect((await server.stop()).code).toBe(1);
  expect(server.err).toMatch(
    /^tapstack: The capture stopped after \d+ frames: \/dev\/full cannot be written \(ENOSPC/,
  );
});

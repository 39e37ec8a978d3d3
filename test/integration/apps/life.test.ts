// How a program on the stack lives and dies: as on the kernel, and the device goes with it.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join, relative } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ip } from '../../link/lab.js';
import { main, place, root, shell, until } from '../server.js';
import { type App, bothWays, oneWay, program, ROOM } from './both.js';

const ends = async (app: App) => void (await app.exited());

/** Without the paths and the lines of Node's own that stand in a trace. */
const firstLines = (text: string): string[] => text.split('\n').filter((line) => /^\w*Error/.test(line));

const SERVER = `
  import { createServer } from 'node:net';
  createServer((socket) => socket.end('hello\\n')).listen(7777, () => console.log('listening'));
`;

describe('a program ends', () => {
  test('when it has nothing left to do', async () => {
    const { exit, out } = await bothWays(31, program(`console.log('done')`), ends);
    expect({ exit, out }).toEqual({ exit: { code: 0, signal: null }, out: 'done\n' });
  });

  test('when its last socket is closed, unreferenced, or its server is', async () => {
    const server = createServer((socket) => socket.resume());
    onTestFinished(() => void server.close());
    await once(server.listen(0, '0.0.0.0'), 'listening');
    const { port } = server.address() as { port: number };
    const source = `
      import { connect, createServer } from 'node:net';
      connect(${port}, '10.86.32.1').on('connect', function () { this.end('bye'); });
      connect(${port}, '10.86.32.1').on('connect', function () { this.unref(); });
      createServer().listen(7778).unref();
    `;
    const { exit } = await bothWays(32, program(source), ends);
    expect(exit).toEqual({ code: 0, signal: null });
  });

  test('with its own exit code', async () => {
    const { exit } = await bothWays(33, program(`process.exitCode = 3`), ends);
    expect(exit.code).toBe(3);
  });

  test('by process.exit, and what it has written arrives', async () => {
    let received = '';
    const server = createServer((socket) => {
      socket.setEncoding('latin1').on('data', (text: string) => {
        received += text;
      });
      socket.on('end', () => socket.end());
    });
    onTestFinished(() => void server.close());
    await once(server.listen(0, '0.0.0.0'), 'listening');
    const { port } = server.address() as { port: number };
    const source = `
      import { connect } from 'node:net';
      const socket = connect(${port}, '10.86.34.1', () => socket.write('x'.repeat(50_000), () => process.exit(5)));
    `;
    const { exit, saw } = await bothWays(34, program(source), async (app) => {
      received = '';
      await app.exited();
      return received.length;
    });
    expect(exit.code).toBe(5);
    expect(saw).toBe(50_000);
  });

  test('and what it writes in its last moment arrives', async () => {
    let received = '';
    const server = createServer((socket) => {
      socket.setEncoding('latin1').on('data', (text: string) => {
        received += text;
      });
    });
    onTestFinished(() => void server.close());
    await once(server.listen(0, '0.0.0.0'), 'listening');
    const { port } = server.address() as { port: number };
    const source = `
      import { connect } from 'node:net';
      const socket = connect(${port}, '10.86.37.1', () => socket.unref());
      process.on('exit', () => socket.write('last words'));
    `;
    const { saw } = await bothWays(37, program(source), async (app) => {
      received = '';
      await app.exited();
      await until(() => received.length === 10, 'the last words');
      return received;
    });
    expect(saw).toBe('last words');
  });

  test('by an exception, and says which', async () => {
    const source = `${SERVER} setTimeout(() => { throw new TypeError('nobody catches this'); }, 200);`;
    const seen = await bothWays(35, program(source), async (app) => {
      await app.exited();
      const said = firstLines(app.err);
      app.err = '';
      return said;
    });
    expect(seen).toMatchObject({ exit: { code: 1, signal: null }, saw: ['TypeError: nobody catches this'] });
  });

  test('by a rejection, and says which', async () => {
    const source = `${SERVER} await Promise.reject(new RangeError('nobody awaits this'));`;
    const seen = await bothWays(36, program(source), async (app) => {
      await app.exited();
      const said = firstLines(app.err);
      app.err = '';
      return said;
    });
    expect(seen).toMatchObject({ exit: { code: 1, signal: null }, saw: ['RangeError: nobody awaits this'] });
  });
});

describe('a signal', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s ends a server, and its peers hear of it',
    async (signal) => {
      const source = `
        import { createServer } from 'node:net';
        createServer((socket) => socket.write('hello')).listen(7777, () => console.log('listening'));
      `;
      const net = 40 + signal.length + (signal === 'SIGHUP' ? 1 : 0);
      const { exit, saw } = await bothWays(net, program(source), async (app) => {
        await app.says('listening');
        const nc = shell(
          `nc -d ${app.address} 7777 & pid=$!; sleep 0.3; kill -${signal} ${app.child.pid}; wait $pid`,
        );
        await app.exited();
        return { said: nc.stdout, status: nc.status };
      });
      expect(exit).toEqual({ code: null, signal });
      expect(saw).toEqual({ said: 'hello', status: 0 });
    },
  );

  test('is the business of a program that listens for it', async () => {
    const source = `${SERVER}
      process.on('SIGTERM', () => console.log('no'));
      process.once('SIGINT', () => process.exit(9));
      console.log(process.listenerCount('SIGTERM'), process.listenerCount('SIGINT'));
    `;
    const { exit, out } = await bothWays(50, program(source), async (app) => {
      await app.says('listening');
      app.child.kill('SIGTERM');
      await app.says('no');
      app.child.kill('SIGINT');
      await app.exited();
    });
    expect(exit.code).toBe(9);
    expect(out).toBe('1 1\nlistening\nno\n');
  });

  test('ends a program again that has stopped listening for it', async () => {
    const source = `${SERVER}
      process.once('SIGTERM', () => console.log('once'));
    `;
    const { exit } = await bothWays(51, program(source), async (app) => {
      await app.says('listening');
      app.child.kill('SIGTERM');
      await app.says('once');
    });
    expect(exit).toEqual({ code: null, signal: 'SIGTERM' });
  });

  test('that cannot be caught leaves no device either', async () => {
    const { exit } = await bothWays(52, program(SERVER), async (app) => {
      await app.says('listening');
      await app.stop('SIGKILL');
    });
    expect(exit).toEqual({ code: null, signal: 'SIGKILL' });
  });
});

test('a device that somebody removes is told of, and keeps nobody', async () => {
  const source = `
    import { createServer } from 'node:net';
    const lost = ({ message }) => console.log(message);
    const server = createServer((socket) => socket.resume().on('error', lost)).on('error', lost);
    server.listen(7777, () => console.log('listening'));
  `;
  const { saw, out, err, exit } = await oneWay('stack', 57, program(source), async (app) => {
    await app.says('listening');
    const peer = connect(7777, app.address).on('error', () => {});
    await once(peer, 'connect');
    ip('link', 'delete', app.tap);
    const from = performance.now();
    await app.exited();
    peer.destroy();
    return performance.now() - from;
  });
  expect(err).toMatch(
    /TapstackWarning: the TAP device ts86-57 is gone: .* The program has no network any more/,
  );
  expect(out).toMatch(/^accept ENETDOWN - the TAP device ts86-57 is gone/m);
  expect(out).toMatch(/^read ENETDOWN - the TAP device ts86-57 is gone/m);
  expect(exit).toEqual({ code: 0, signal: null });
  expect(saw).toBeLessThan(5000);
});

describe('other threads and processes', () => {
  test('a child process by exec and by fork works, and a forked one is told that it uses the kernel', async () => {
    const child = program(`
      import { createServer } from 'node:net';
      const server = createServer().listen(0, '127.0.0.1', () => { process.send('up'); server.close(); process.disconnect(); });
    `);
    const source = `
      import { exec, fork } from 'node:child_process';
      exec('echo from a shell', (error, out) => console.log(error, out.trim()));
      fork(${JSON.stringify(child)}).on('message', (text) => console.log(text)).on('exit', (code) => console.log(code));
    `;
    const { out, err, exit } = await oneWay('stack', 53, program(source), ends);
    expect(out.split('\n').sort()).toEqual(['', '0', 'null from a shell', 'up']);
    expect(err).toMatch(
      /TAPSTACK_KERNEL_NET\] TapstackWarning: This process uses the kernel: the device ts86-53/,
    );
    expect(exit.code).toBe(0);
  });

  test('a worker thread uses the kernel, and says so when it does', async () => {
    const quiet = program('console.log("quiet")');
    const server = program(`
      import { createServer } from 'node:net';
      const server = createServer().listen(0, () => { console.log('up'); server.close(); });
    `);
    const source = `
      import { once } from 'node:events';
      import { Worker } from 'node:worker_threads';
      for (const file of ${JSON.stringify([quiet, server])}) await once(new Worker(file), 'exit');
    `;
    const { out, err, exit } = await oneWay('stack', 54, program(source), ends);
    expect(out).toBe('quiet\nup\n');
    expect(err.match(/TapstackWarning: This worker thread uses the kernel/g)).toHaveLength(1);
    expect(exit.code).toBe(0);
  });

  test('a cluster is refused', async () => {
    const source = `import cluster from 'node:cluster'; cluster.fork();`;
    const { err, exit } = await oneWay('stack', 55, program(source), ends);
    expect(err).toContain('ERR_TAPSTACK_CLUSTER');
    expect(exit.code).toBe(1);
  });

  test('a socket or a server cannot be sent to a child, and messages can', async () => {
    const child = program(`process.once('message', (text) => { console.log(text); process.disconnect(); });`);
    const source = `
      import { fork } from 'node:child_process';
      import { connect, createServer } from 'node:net';
      const child = fork(${JSON.stringify(child)});
      const server = createServer((peer) => peer.destroy()).listen(80, () => {
        const socket = connect(80, '127.0.0.1', () => {
          for (const handle of [socket, server])
            try { child.send('handle', handle); } catch ({ code }) { console.log(code); }
          child.send('message');
          server.close();
        });
      });
    `;
    const { out, exit } = await oneWay('stack', 58, program(source), ends);
    expect(out).toBe('ERR_TAPSTACK_SEND\nERR_TAPSTACK_SEND\nmessage\n');
    expect(exit).toEqual({ code: 0, signal: null });
  });

  test('standard input and pipes are the kernel’s', async () => {
    const source = `
      import { spawn } from 'node:child_process';
      process.stdin.pipe(process.stdout);
      process.stdin.on('end', () => spawn('cat').on('exit', (code) => console.log('cat', code)).stdin.end());
    `;
    const { out } = await bothWays(
      56,
      program(source),
      async (app) => {
        app.child.stdin?.end('what was typed\n');
        await app.exited();
      },
      { stdin: 'pipe' },
    );
    expect(out).toBe('what was typed\ncat 0\n');
  });
});

describe('a device that cannot be opened', () => {
  const start = (environment: Record<string, string>, before: string[] = []) => {
    const [file, ...args] = [...before, process.execPath, '--import', 'tapstack/register', '-p', '"ran"'];
    return spawnSync(file, args, { cwd: root, encoding: 'utf8', env: { ...process.env, ...environment } });
  };

  test('is explained, and the program does not run', () => {
    const run = start({ TAPSTACK_TAP: 'lo' });
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toMatch(/^tapstack: There can be no TAP device of that name: the name lo is taken/);
    expect(run.stderr).toContain('\n  - ');
    expect(run.stderr).not.toMatch(/^ +at /m);
  });

  test('for want of rights', () => {
    const run = start({ TAPSTACK_TAP: place(ROOM, 60).tap }, [
      'setpriv',
      '--bounding-set=-net_admin',
      '--inh-caps=-net_admin',
    ]);
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toMatch(/^tapstack: Not permitted: /);
  });

  test('settings that make no sense are told by the name of their variable', () => {
    const run = start({ TAPSTACK_TAP: 'tap0', TAPSTACK_MTU: 'large' });
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toBe("tapstack: TAPSTACK_MTU is 'large': it is a whole number from 88 to 65521.\n");
  });

  test('a tunable that there is not', () => {
    const run = start({ TAPSTACK_SYSCTL: 'net.ipv4.nothing=1' });
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toBe(
      'tapstack: The stack cannot be set up: sysctl net.ipv4.nothing: there is no such tunable here.\n',
    );
  });
});

test.each([
  [
    'a setting',
    (tap: string) => ({ TAPSTACK_TAP: tap, TAPSTACK_NAPI: 'threaded' }),
    ['--import', 'tapstack/register'],
  ],
  ['an option of tapstack run', () => ({}), [main, 'run', '--napi', 'threaded', '--tap']],
] as const)('a thread of the kernel receives for the host, by %s', (_how, environment, before) => {
  const { tap } = place(ROOM, 61);
  const file = program(`
    import { readFileSync } from 'node:fs';
    import { setTimeout as sleep } from 'node:timers/promises';
    const threaded = () => readFileSync('/sys/class/net/${tap}/threaded', 'utf8').trim();
    for (let i = 0; i < 300 && threaded() !== '1'; i++) await sleep(10);
    console.log(threaded());
  `);
  const args = [...before, ...(before.length > 2 ? [tap] : []), file];
  const env = { ...process.env, ...environment(tap) };
  const run = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 60_000, env });
  expect(run).toMatchObject({ status: 0, stdout: '1\n' });
});

test('without a device there is loopback, inside the process, without any privilege', () => {
  const source = `
    import { createServer } from 'node:http';
    const server = createServer((request, response) => response.end(request.socket.remoteAddress));
    server.listen(80, async () => {
      console.log(await (await fetch('http://localhost/')).text());
      server.close();
    });
  `;
  const file = program(source);
  const args = ['--bounding-set=-all', process.execPath, '--import', 'tapstack/register', file];
  const run = spawnSync('setpriv', args, { cwd: root, encoding: 'utf8', timeout: 60_000 });
  expect(run).toMatchObject({ stderr: '', stdout: '127.0.0.1\n', status: 0 });
});

test('tapstack/net has the same stack by default', () => {
  const source = `
    import { createServer } from 'node:net';
    import own from ${JSON.stringify(join(root, 'dist/net/index.js'))};
    const server = createServer((socket) => socket.end('one stack')).listen(80, () => {
      own.connect(80, '127.0.0.1').on('data', (data) => { console.log(String(data)); server.close(); });
    });
  `;
  const args = ['--import', 'tapstack/register', program(source)];
  const run = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 60_000 });
  expect(run).toMatchObject({ stderr: '', stdout: 'one stack\n', status: 0 });
});

describe('tapstack run', () => {
  const run = (net: number, file: string, ...args: string[]) =>
    spawnSync(process.execPath, [main, 'run', ...place(ROOM, net).options, file, ...args], {
      cwd: root,
      encoding: 'utf8',
      timeout: 60_000,
      input: 'input\n',
    });

  test('hands over all of the arguments, standard input, and the exit code', () => {
    const source = `
      console.log(process.argv.slice(2).join(' '), require.main === module);
      process.stdin.on('data', (data) => process.stdout.write(data)).on('end', () => { process.exitCode = 7; });
    `;
    const file = program(source, 'cjs');
    expect(run(61, file, '--tap', 'x', '-h', '--', '--help')).toMatchObject({
      stdout: '--tap x -h -- --help true\ninput\n',
      stderr: '',
      status: 7,
    });
  });

  test('its name is whole, as node makes it', () => {
    const file = program(
      'console.log(process.argv[1] === (await import("node:url")).fileURLToPath(import.meta.url));',
    );
    expect(run(65, relative(root, file)).stdout).toBe('true\n');
  });

  test.each([
    ['--kernel', 'localhost', "--kernel has 'localhost': it is a list of addresses and networks"],
    ['--sysctl', 'tcp_sack', "--sysctl has 'tcp_sack': it is a list of tunables and values"],
    ['--gateway', 'router', "--gateway is 'router': it is an IPv4 address, or 'host'"],
  ])('%s %s is refused, by the name of the option', (option, value, why) => {
    const done = run(66, option, value, program('console.log("ran")'));
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain(`tapstack: ${why}`);
    expect(done.stderr).not.toMatch(/^ +at /m);
  });

  test('a module, with what it throws as its own', () => {
    const done = run(62, program('await 1; throw new SyntaxError("of the program");'));
    expect(done.status).toBe(1);
    expect(done.stderr).toMatch(/^SyntaxError: of the program$/m);
    expect(done.stderr).not.toContain('should not have');
  });

  test('a program that is not there', () => {
    const done = run(63, '/nowhere/program.js');
    expect(done.status).toBe(1);
    expect(done.stderr).toContain("Cannot find module '/nowhere/program.js'");
  });

  test('a signal ends it as it ends the program', async () => {
    const { tap, stack, options } = place(ROOM, 64);
    const { spawn } = await import('node:child_process');
    const child = spawn(process.execPath, [main, 'run', ...options, program(SERVER)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    expect(shell(`nc -d -w 2 ${stack} 7777`).stdout).toBe('hello\n');
    child.kill('SIGINT');
    expect(await once(child, 'close')).toEqual([null, 'SIGINT']);
    expect(ip('link')).not.toContain(tap);
  });
});

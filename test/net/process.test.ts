// What keeps a process alive: listening, reading, and requests under way. The stack by itself does not.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a program; what it printed, or that it had to be stopped. */
function run(module: string, program: string): Promise<string> {
  const code = `import net from '${module}';\n${program}`;
  return new Promise((resolve) => {
    const args = ['--input-type=module', '-e', code];
    execFile(process.execPath, args, { cwd: root, timeout: 4000 }, (error, out, err) =>
      resolve(error?.killed ? 'kept alive' : `${out}${err}`.trim()),
    );
  });
}

describe.each(['node:net', 'tapstack/net'])('%s', (module) => {
  it.each([
    ['nothing open', "new net.Socket(); net.createServer(); console.log('done')", 'done'],
    ['a server', 'net.createServer().listen(0)', 'kept alive'],
    ['a server without ref', 'net.createServer().listen(0).unref()', ''],
    [
      'a connection without ref, with a timer',
      `const server = net.createServer().listen(0, '127.0.0.1', () => {
         const client = net.connect(server.address().port, '127.0.0.1');
         client.setTimeout(60_000);
         client.unref();
       }).unref();
       server.on('connection', (socket) => socket.unref());`,
      '',
    ],
    [
      'a connection that is read',
      `const server = net.createServer((socket) => socket.unref()).listen(0, '127.0.0.1', () => {
         net.connect(server.address().port, '127.0.0.1').resume();
       }).unref();`,
      'kept alive',
    ],
    [
      'a connection that both have closed',
      `const server = net.createServer((socket) => socket.end('bye')).listen(0, '127.0.0.1', () => {
         net.connect(server.address().port, '127.0.0.1').on('data', (data) => console.log(String(data)));
         server.on('connection', () => server.close());
       });`,
      'bye',
    ],
  ])('%s', async (_what, program, expected) => {
    expect(await run(module, program)).toBe(expected);
  });
});

it('a stack that was closed keeps no process, whatever was open on it', async () => {
  const program = `import { createNet } from 'tapstack/net';
    import { Stack } from 'tapstack';
    const stack = new Stack();
    const { createServer, connect } = createNet(stack);
    const server = createServer().listen(7);
    const socket = connect(7, '127.0.0.1', async () => {
      await stack.close();
      process.on('exit', () => console.log(server.listening, socket.destroyed));
    });`;
  expect(await run('tapstack/net', program)).toBe('false true');
});

it('what is closed after its stack was, is no reason less to live for what else there is', async () => {
  const program = `import { createNet } from 'tapstack/net';
    import { Stack } from 'tapstack';
    const stack = new Stack();
    const server = createNet(stack).createServer().listen(7, async () => {
      await stack.close();
      server.close(() => console.log('closed'));
    });`;
  expect(await run('tapstack/net', program)).toBe('closed');
});

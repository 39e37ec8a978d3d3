// A listener that throws ends neither the process, where somebody hears of it, nor what its connection has still to tell.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

function run(module: string, program: string): Promise<string> {
  const code = `import net from '${module}';\nprocess.on('uncaughtException', ({ message }) => console.log(message));\n${program}`;
  return new Promise((resolve) => {
    const args = ['--input-type=module', '-e', code];
    execFile(process.execPath, args, { cwd: root, timeout: 8000 }, (error, out, err) =>
      resolve(error?.killed ? `waits for ever: ${out}` : `${out}${err}`.trim()),
    );
  });
}

describe.each(['node:net', 'tapstack/net'])('%s', (module) => {
  it.each([
    [
      'over the first of much data, all of which is there',
      `let bytes = 0;
       const server = net.createServer({ pauseOnConnect: true }, (socket) => {
         socket.on('data', (data) => {
           const first = bytes === 0;
           bytes += data.length;
           if (bytes === 100_000) socket.end('all');
           if (first) throw new Error('first');
         });
         setTimeout(() => socket.resume(), 200);
       }).listen(0, '127.0.0.1', () => {
         const client = net.connect(server.address().port, '127.0.0.1');
         client.write(Buffer.alloc(100_000));
         client.on('data', (data) => console.log(String(data))).on('end', () => server.close());
       });`,
      'first\nall',
    ],
    [
      'over the first of much data, while it comes',
      `let bytes = 0;
       const server = net.createServer((socket) => {
         let first = true;
         socket.on('data', (data) => {
           bytes += data.length;
           if (bytes === 300_000) socket.end('all');
           if (!first) return;
           first = false;
           throw new Error('first');
         });
       }).listen(0, '127.0.0.1', () => {
         const client = net.connect(server.address().port, '127.0.0.1');
         client.write(Buffer.alloc(300_000));
         client.on('data', (data) => console.log(String(data))).on('end', () => server.close());
       });`,
      'first\nall',
    ],
    [
      'over the first of two connections',
      `let count = 0;
       const server = net.createServer((socket) => {
         socket.end(String(++count));
         if (count === 1) throw new Error('first');
         server.close();
       }).listen(0, '127.0.0.1', () => {
         for (let i = 0; i < 2; i++) net.connect(server.address().port, '127.0.0.1').resume();
       });`,
      'first',
    ],
    [
      'over a connection that is closed',
      `const server = net.createServer((socket) => {
         socket.on('close', () => {
           server.close(() => console.log('closed'));
           throw new Error('close');
         });
         socket.end();
       }).listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1').resume());`,
      'close\nclosed',
    ],
  ])('%s', async (_what, program, expected) => {
    expect(await run(module, program)).toBe(expected);
  });
});

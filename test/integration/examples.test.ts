// The examples, run as their readers will: by node, against the built package. Those on a TAP device each get a lab of their own,
// since they all use the same name and addresses.

import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './server.js';

const examples = readdirSync(join(root, 'examples')).filter((name) => name.startsWith('echo-'));

test.each(examples)('%s echoes what nc sends, 20 MB of it', (name) => {
  const sent = randomBytes(20_000_000);
  const script = `
    node examples/"$1" & server=$!
    for try in {1..50}; do nc -N 10.0.0.2 7 <<< hello 2>/dev/null && break; sleep 0.1; done
    timeout 15 nc -N 10.0.0.2 7 | sha256sum
    kill $server`;
  const run = spawnSync(join(root, 'scripts/lab'), ['bash', '-c', script, 'test', name], {
    cwd: root,
    input: sent,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(run.stderr).toBe('');
  expect(run.stdout).toBe(`hello\n${createHash('sha256').update(sent).digest('hex')}  -\n`);
});

test.each(examples)('%s answers again after it has run out of descriptors', (name) => {
  const crowd = `
import socket
crowd = [socket.create_connection(('10.0.0.2', 7), 5) for _ in range(1100)]
crowd[0].sendall(b'the first is answered\\n')
print(crowd[0].recv(100).decode(), end='')`;
  const script = `
    ulimit -n 4096
    node examples/"$1" & server=$!
    for try in {1..50}; do nc -N 10.0.0.2 7 <<< hello 2>/dev/null && break; sleep 0.1; done
    python3 -c "$2"
    timeout 5 nc -N 10.0.0.2 7 <<< 'and who comes later'
    kill $server`;
  const run = spawnSync(join(root, 'scripts/lab'), ['bash', '-c', script, 'test', name, crowd], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(run).toMatchObject({ stderr: '', stdout: 'hello\nthe first is answered\nand who comes later\n' });
});

test('loopback.mjs needs no privilege', () => {
  const run = spawnSync('setpriv', ['--bounding-set=-all', process.execPath, 'examples/loopback.mjs'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(run).toMatchObject({ status: 0, stderr: '', stdout: 'Hello, loopback\n' });
});

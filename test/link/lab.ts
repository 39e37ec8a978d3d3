// For tests that make devices: refuses to run where that could disturb a real network, and asks `ip` what the host sees.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';

/** A lab has no way out, unless a test lays one through a TAP device; a real network nearly always has a default route. */
export function requireLab(): void {
  for (const line of readFileSync('/proc/net/route', 'utf8').split('\n').slice(1)) {
    const [device, destination] = line.split('\t');
    if (destination === '00000000' && !existsSync(`/sys/class/net/${device}/tun_flags`)) {
      throw new Error(
        'these tests make network devices: run them inside a lab, ./scripts/lab npx vitest run test/link',
      );
    }
  }
}

export function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

/** Sends a datagram to that address again and again, some thousand a second, until the test is over, or 20 seconds. */
export function sendDatagrams(address: string, device: string): void {
  ip('neighbour', 'add', address, 'lladdr', '02:00:00:00:00:02', 'dev', device);
  const script = `import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 7))
end = time.time() + 20
while time.time() < end: s.send(b"x"); time.sleep(0.0001)`;
  const sender = spawn('python3', ['-c', script, address], { stdio: 'ignore' });
  onTestFinished(() => void sender.kill('SIGKILL'));
}

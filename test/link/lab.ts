// For tests that make devices: refuses to run where that could disturb a real network, and asks `ip` what the host sees.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

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

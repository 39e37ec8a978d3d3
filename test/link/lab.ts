// For tests that make devices: refuses to run where that could disturb a real network, and knows what the host sees.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A lab has no way out; a real network nearly always has a default route. */
export function requireLab(): void {
  const routes = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1);
  if (routes.some((route) => route.split('\t')[1] === '00000000')) {
    throw new Error(
      'these tests make network devices: run them inside a lab, ./scripts/lab npx vitest run test/link',
    );
  }
}

export function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

// Counters have the kernel's names: whoever reads nstat reads ours.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Mib } from '../../src/core/mib.js';

/** /proc/net/snmp and /proc/net/netstat: a line of names and a line of numbers for each group. */
function kernelNames(): Map<string, Set<string>> {
  const groups = new Map<string, Set<string>>();
  for (const file of ['/proc/net/snmp', '/proc/net/netstat']) {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [group, ...names] = line.trim().split(/:? +/);
      if (names.length > 0 && !/^-?\d/.test(names[0])) groups.set(group.replace(':', ''), new Set(names));
    }
  }
  return groups;
}

// covers: counters by the kernel's names | Linux snmp4_net_list, snmp4_tcp_list | src/core/mib.ts
describe('the counters', () => {
  it.each(['Ip', 'Icmp', 'Udp', 'Tcp', 'TcpExt', 'IpExt'])('of %s are the kernel’s', (group) => {
    const known = kernelNames().get(group) as Set<string>;
    const ours = Object.keys(new Mib().snapshot()[group]);
    expect(ours.length).toBeGreaterThan(3);
    expect(ours.filter((name) => !known.has(name))).toEqual([]);
  });

  it('are counted somewhere, or docs/differences.md says that they are not', () => {
    const source = new URL('../../src/', import.meta.url);
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const code = files.map((name) => readFileSync(new URL(name, source), 'utf8')).join('\n');
    const page = readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8');
    const { Tcp, TcpExt } = new Mib().snapshot();
    const idle = (group: string, names: Record<string, number>) =>
      Object.keys(names).filter((name) => !new RegExp(`\\b${group}\\.${name}\\b`).test(code));
    const uncounted = [...idle('TcpExt', TcpExt), ...idle('TcpMib', Tcp)];
    expect(uncounted.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  // Otherwise a second of plain interpreting follows the first look at them, in all that counts.
  it('may be looked at, and compiled code goes on counting', () => {
    const program = `
      const { Mib, TcpExt } = await import(${JSON.stringify(new URL('../../dist/core/mib.js', import.meta.url).href)});
      const mib = new Mib();
      const count = () => mib.count(TcpExt.TCPTimeouts);
      %PrepareFunctionForOptimization(count);
      count();
      %OptimizeFunctionOnNextCall(count);
      count();
      const before = %GetOptimizationStatus(count);
      mib.snapshot();
      mib.snapshot();
      count();
      console.log(JSON.stringify([before, %GetOptimizationStatus(count), mib.snapshot().TcpExt.TCPTimeouts]));`;
    const args = ['--allow-natives-syntax', '--input-type=module', '-e', program];
    const [before, after, counted] = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
    expect(after).toBe(before);
    expect(counted).toBe(3);
  });
});

// The settings of a script's shell act on the script's own stack, and what set_sysctls.py changed is put back.

import { describe, expect, it } from 'vitest';
import { Shell } from '../../src/lab/script/shell.js';
import { Stack } from '../../src/stack.js';
import { VirtualClock } from '../../src/time/clock.js';

function shell(): { shell: Shell; stack: Stack } {
  const stack = new Stack({ clock: new VirtualClock(), seed: 1, memory: 4 << 20 });
  const { sysctl } = stack.host;
  return { stack, shell: new Shell('script.pkt', { sysctl, stack, counters: () => ({}) }) };
}

describe('settings of a packet script', () => {
  it('are restored by the script that set_sysctls.py writes', () => {
    const { shell: sh, stack } = shell();
    sh.run('set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0 /proc/sys/net/ipv4/tcp_fastopen=0x403');
    expect(stack.sysctl('net.ipv4.tcp_fastopen')).toBe(0x403);
    expect(stack.sysctl('net.ipv4.tcp_timestamps')).toBe(0);
    sh.run('sysctl -q net.ipv4.tcp_sack=0; /tmp/sysctl_restore_1.sh');
    expect(stack.sysctl('net.ipv4.tcp_fastopen')).toBe(1);
    expect(stack.sysctl('net.ipv4.tcp_timestamps')).toBe(1);
    expect(stack.sysctl('net.ipv4.tcp_sack')).toBe(0);
  });

  it('that are none of ours fail where the script has an answer to that', () => {
    const { shell: sh, stack } = shell();
    sh.run('sysctl -q net.ipv4.no_such_thing=1 &> /dev/null || sysctl -q net.ipv4.tcp_sack=0');
    expect(stack.sysctl('net.ipv4.tcp_sack')).toBe(0);
    sh.run('sysctl -q net.ipv4.tcp_dsack=0 || sysctl -q net.ipv4.tcp_sack=1');
    expect(stack.sysctl('net.ipv4.tcp_sack')).toBe(0);
    expect(() => sh.run('sysctl -q net.ipv4.no_such_thing=1')).toThrow(/no_such_thing/);
  });
});

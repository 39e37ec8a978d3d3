// A congestion control that a user wrote: what it is told of a connection, and that its word counts.

import { describe, expect, it } from 'vitest';
import { CongestionControl } from '../../src/tcp/congestion/congestion.js';
import type { TcpSock } from '../../src/tcp/sock.js';
import { conversation } from './conversation.js';

class Fixed extends CongestionControl {
  override readonly name = 'fixed';
  readonly told: string[] = [];

  override init(sk: TcpSock): void {
    this.told.push('init');
    sk.sndCwnd = 4;
  }

  override release(): void {
    this.told.push('release');
  }

  override ssthresh(): number {
    this.told.push('ssthresh');
    return 4;
  }

  override congestionAvoidance(_sk: TcpSock, _ack: number, acked: number): void {
    this.told.push(`acked ${acked}`);
  }

  override packetsAcked(_sk: TcpSock, acked: number, rttUs: number): void {
    this.told.push(`${acked} after ${rttUs} us`);
  }
}

// covers: a user's own congestion control | docs/congestion-control.md | src/tcp/congestion/registry.ts
describe('a congestion control of one’s own', () => {
  it('is chosen by its name, hears of each acknowledgement, and holds the window', () => {
    const t = conversation();
    const fixed = new Fixed();
    t.tcp.controls.register(fixed);
    expect(t.host.sysctl.set('net.ipv4.tcp_congestion_control', 'fixed')).toBe(0);
    expect(t.host.sysctl.get('net.ipv4.tcp_available_congestion_control')).toBe('reno cubic bbr fixed');
    const { peer, program } = t.established({ mss: 1000 });
    program.send(20_000);
    expect(peer.heard().length).toBe(4);
    t.after(30);
    peer.sends({ ack: 4001 });
    expect(peer.heard().length).toBe(4);
    expect(fixed.told).toEqual(['init', '4 after 30000 us', 'acked 4']);
    t.after(250);
    expect(fixed.told).toContain('ssthresh');
    program.disconnect();
    expect(fixed.told.at(-1)).toBe('release');
  });

  it('is refused under a name that is taken or cannot be one', () => {
    const { controls } = conversation().tcp;
    controls.register(new Fixed());
    expect(() => controls.register(new Fixed())).toThrow(/already/);
    const long = new (class extends Fixed {
      override readonly name = 'sixteen_letters_' as 'fixed';
    })();
    expect(() => controls.register(long)).toThrow(/1 to 15/);
  });
});

// Tunables: which of Linux 6.18's are here, and what they can be set to.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Sysctl } from '../../src/core/sysctl.js';
import { EINVAL, errnoName } from '../../src/uapi/errno.js';

/** What stands in /proc/sys/net/ipv4 of Linux 6.18, less `tcp_`. */
const LINUX =
  `abort_on_overflow adv_win_scale allowed_congestion_control app_win autocorking available_congestion_control
  available_ulp backlog_ack_defer base_mss challenge_ack_limit child_ehash_entries comp_sack_delay_ns comp_sack_nr
  comp_sack_slack_ns congestion_control dsack early_demux early_retrans ecn ecn_fallback ecn_option ecn_option_beacon
  ehash_entries fack fastopen fastopen_blackhole_timeout_sec fastopen_key fin_timeout frto fwmark_accept invalid_ratelimit
  keepalive_intvl keepalive_probes keepalive_time l3mdev_accept limit_output_bytes low_latency max_orphans max_reordering
  max_syn_backlog max_tw_buckets mem migrate_req min_rtt_wlen min_snd_mss min_tso_segs moderate_rcvbuf mtu_probe_floor
  mtu_probing no_metrics_save no_ssthresh_metrics_save notsent_lowat orphan_retries pacing_ca_ratio pacing_ss_ratio
  pingpong_thresh plb_cong_thresh plb_enabled plb_idle_rehash_rounds plb_rehash_rounds plb_suspend_rto_sec probe_interval
  probe_threshold recovery reflect_tos reordering retrans_collapse retries1 retries2 rfc1337 rmem rto_max_ms rto_min_us sack
  shrink_window slow_start_after_idle stdurg syn_linear_timeouts syn_retries synack_retries syncookies thin_linear_timeouts
  timestamps tso_rtt_log tso_win_divisor tw_reuse tw_reuse_delay window_scaling wmem workaround_signed_windows`
    .split(/\s+/)
    .map((name) => `tcp_${name}`);

const page = readFileSync(new URL('../../docs/differences.md', import.meta.url), 'utf8');
const row =
  page.split('\n').find((line) => line.startsWith('| tunables that would change nothing here')) ?? '';
const missing = [...row.matchAll(/`(tcp_\w+)`/g)].map(([, name]) => name);

const set = (sysctl: Sysctl, name: string, value: number): string | number => {
  const error = sysctl.set(`net.ipv4.${name}`, value);
  return error === 0 ? 0 : errnoName(-error);
};

describe('tunables of TCP', () => {
  it('are those of Linux 6.18, but for what docs/differences.md names', () => {
    const here = Object.keys(new Sysctl().all())
      .filter((name) => name.startsWith('net.ipv4.tcp_'))
      .map((name) => name.slice('net.ipv4.'.length));
    expect([...here, ...missing].sort()).toEqual([...LINUX].sort());
    expect(set(new Sysctl(), missing[0], 1)).toBe('ENOENT');
  });

  it('have the bounds that they have there', () => {
    const bounds: readonly [string, number, number][] = [
      ['tcp_shrink_window', 0, 1],
      ['tcp_reflect_tos', 0, 1],
      ['tcp_pingpong_thresh', 1, 255],
      ['tcp_app_win', 0, 31],
      ['tcp_workaround_signed_windows', 0, 255],
      ['tcp_timestamps', 0, 255],
      ['tcp_syncookies', 0, 255],
      ['tcp_keepalive_probes', 0, 255],
    ];
    for (const [name, low, high] of bounds) {
      const results = [low - 1, low, high, high + 1].map((value) => set(new Sysctl(), name, value));
      expect(results, name).toEqual(['EINVAL', 0, 0, 'EINVAL']);
    }
    // Nothing is no number, nor is what only JavaScript reads as one; a hexadecimal one is.
    for (const text of ['', ' ', '1e1', '1.0', 'Infinity', '1 2'])
      expect([text, new Sysctl().set('net.ipv4.tcp_sack', text)]).toEqual([text, -EINVAL]);
    expect(new Sysctl().set('net.ipv4.tcp_sack', ' 0x1 ')).toBe(0);
    // A day, as many set it.
    expect(set(new Sysctl(), 'tcp_keepalive_time', 86_400)).toBe(0);
  });
});

// Tunables by Linux's names, with Linux's defaults and bounds. The stack reads the fields; users set them by name.

import { EACCES, EINVAL, ENOENT } from '../uapi/errno.js';

const INT_MAX = 0x7fffffff;
/** Many that are a yes or no take a whole byte, as on Linux: what is not 0 is a yes. */
const U8_MAX = 255;
/** So that the milliseconds fit into an int32. */
const SECONDS_MAX = Math.floor(INT_MAX / 1000);

/** Values of net.* and fs.*; times in the unit Linux's name has (seconds unless it says ms). */
export class Sysctl {
  ipDefaultTtl = 64;
  ipLocalPortRange: number[] = [32768, 60999];
  ipNonlocalBind = 0;
  ipUnprivilegedPortStart = 1024;
  ipNoPmtuDisc = 0;
  ipRtMinPmtu = 552;
  ipRtMtuExpires = 600;
  ipRtMinAdvmss = 256;
  ipfragTime = 30;
  ipfragHighThresh = 4 << 20;
  ipfragMaxDist = 64;
  icmpEchoIgnoreAll = 0;
  icmpRatelimit = 1000;
  icmpMsgsPerSec = 1000;
  icmpMsgsBurst = 50;
  neighUnresQlen = 101;
  neighGcThresh3 = 1024;
  neighBaseReachableTimeMs = 30000;
  neighRetransTimeMs = 1000;
  neighDelayFirstProbeTime = 5;
  neighUcastSolicit = 3;
  neighMcastSolicit = 3;

  somaxconn = 4096;
  rmemMax = 212992;
  wmemMax = 212992;
  rmemDefault = 212992;
  optmemMax = 131072;
  tstampAllowData = 1;
  wmemDefault = 212992;
  netdevMaxBacklog = 1000;

  /** Pages of 4 KiB; zeros: TCP sets what the packet memory allows (tcp_init_mem). */
  tcpMem: number[] = [0, 0, 0];
  tcpRmem: number[] = [4096, 131072, 6291456];
  tcpWmem: number[] = [4096, 16384, 4194304];
  // Without effect, as on Linux since 6.6, 4.14 and 4.15.
  tcpAdvWinScale = 1;
  tcpLowLatency = 0;
  tcpFack = 0;

  tcpAppWin = 31;
  tcpShrinkWindow = 0;
  tcpWorkaroundSignedWindows = 0;
  tcpModerateRcvbuf = 1;
  tcpWindowScaling = 1;
  tcpTimestamps = 1;
  tcpSack = 1;
  tcpDsack = 1;
  tcpReflectTos = 0;
  tcpMigrateReq = 0;
  tcpSynRetries = 6;
  tcpSynLinearTimeouts = 4;
  tcpSynackRetries = 5;
  tcpRetries1 = 3;
  tcpRetries2 = 15;
  tcpOrphanRetries = 0;
  tcpFinTimeout = 60;
  tcpKeepaliveTime = 7200;
  tcpKeepaliveIntvl = 75;
  tcpKeepaliveProbes = 9;
  tcpMaxSynBacklog = 4096;
  tcpMaxOrphans = 16384;
  tcpMaxTwBuckets = 65536;
  tcpSyncookies = 1;
  tcpAbortOnOverflow = 0;
  tcpStdurg = 0;
  tcpRfc1337 = 0;
  tcpTwReuse = 2;
  tcpTwReuseDelay = 1000;
  tcpInvalidRatelimit = 500;
  tcpChallengeAckLimit = INT_MAX;
  tcpNotsentLowat = 0xffffffff;
  tcpNoMetricsSave = 0;
  tcpNoSsthreshMetricsSave = 1;
  tcpMinSndMss = 48;
  tcpMtuProbing = 0;
  tcpBaseMss = 1024;
  tcpMtuProbeFloor = 48;
  tcpProbeInterval = 600;
  tcpProbeThreshold = 8;
  tcpAutocorking = 1;
  tcpSlowStartAfterIdle = 1;
  tcpReordering = 3;
  tcpMaxReordering = 300;
  tcpRecovery = 1;
  tcpEarlyRetrans = 3;
  tcpFrto = 2;
  /** 0 never; 1 also ask for it, 2 only if asked; 3 to 5: agree to Accurate ECN, and ask for that, for RFC 3168's, for none. */
  tcpEcn = 2;
  /** AccECN's option: 0 never, 1 where it has news and some times a round trip (the beacon), 2 always. */
  tcpEcnOption = 2;
  tcpEcnOptionBeacon = 3;
  tcpEcnFallback = 1;
  tcpMinRttWlen = 300;
  tcpMinTsoSegs = 2;
  tcpTsoRttLog = 9;
  tcpTsoWinDivisor = 3;
  tcpPacingSsRatio = 200;
  tcpPacingCaRatio = 120;
  tcpRetransCollapse = 1;
  tcpThinLinearTimeouts = 0;
  tcpMinRtoUs = 200000;
  tcpRtoMaxMs = 120_000;
  tcpDelackMinMs = 40;
  tcpPingpongThresh = 1;
  tcpCompSackDelayNs = 1_000_000;
  tcpCompSackNr = 44;
  /** TFO_* bits of tcp/fastopen/fastopen.ts. */
  tcpFastopen = 1;
  /** One key, or two with a comma between; '' until one is set or drawn, and shown as zeros. */
  tcpFastopenKey = '';
  tcpFastopenBlackholeTimeoutSec = 0;
  tcpCongestionControl = 'cubic';
  /** Names with spaces between; kept by the registry of congestion controls. */
  tcpAvailableCongestionControl = 'reno cubic bbr';
  /** Those of them that processes may choose who are not root (TCP_CONG_NON_RESTRICTED). */
  tcpAllowedCongestionControl = 'reno cubic';
  /** Parameters of CUBIC, by the names of Linux's module. */
  tcpCubicBeta = 717;
  tcpCubicFastConvergence = 1;
  tcpCubicTcpFriendliness = 1;
  /** 0: off, 1: as Linux has it, 2: HyStart++ (RFC 9406). */
  tcpCubicHystart = 1;
  tcpCubicHystartDetect = 3;
  tcpCubicHystartLowWindow = 16;
  tcpCubicHystartAckDeltaUs = 2000;

  epollMaxUserWatches = 5_000_000;
  fileMax = 1_000_000;

  readonly #watchers = new Map<Field, () => void>();

  /** The value of a name in Linux's spelling, dots or slashes; a list for the triples. -ENOENT for unknown names. */
  get(name: string): string | number | number[] {
    const entry = table.get(normalise(name));
    return entry === undefined ? -ENOENT : this.#show(entry);
  }

  /** Sets by name: 0, -ENOENT (also for what no congestion control is called), -EINVAL (no number, out of bounds), -EACCES (read only). */
  set(name: string, value: string | number | readonly number[]): number {
    const entry = table.get(normalise(name));
    if (entry === undefined) return -ENOENT;
    if (entry.readOnly) return -EACCES;
    const current = this[entry.field];
    if (typeof current === 'string') {
      if (typeof value !== 'string') return -EINVAL;
      const text = entry.canonical === undefined ? value : entry.canonical(value, this);
      if (typeof text === 'number') return text;
      (this as Record<string, unknown>)[entry.field] = text;
      return 0;
    }
    const numbers = (Array.isArray(value) ? value : String(value).trim().split(/\s+/)).map(wholeNumber);
    if (numbers.some((n) => !Number.isInteger(n) || n < entry.min || n > entry.max)) return -EINVAL;
    if (Array.isArray(current)) {
      if (numbers.length === 0 || numbers.length > current.length) return -EINVAL;
      (this as Record<string, unknown>)[entry.field] = [...numbers, ...current.slice(numbers.length)];
    } else {
      if (numbers.length !== 1) return -EINVAL;
      (this as Record<string, unknown>)[entry.field] = numbers[0];
    }
    this.#watchers.get(entry.field)?.();
    return 0;
  }

  /** Calls `told` whenever a number is set by name, be it to what it was: for settings whose writing is an act. */
  watch(field: Field, told: () => void): void {
    this.#watchers.set(field, told);
  }

  #show(entry: Entry): string | number | number[] {
    const value = this[entry.field] as string | number | number[];
    return value === '' ? (entry.unset ?? value) : value;
  }

  /** All names and values, as `sysctl -a`. */
  all(): Record<string, string | number | number[]> {
    return Object.fromEntries([...table].map(([name, entry]) => [name, this.#show(entry)]));
  }
}

type Field = Exclude<keyof Sysctl, 'get' | 'set' | 'all' | 'watch'>;
interface Entry {
  field: Field;
  min: number;
  max: number;
  readOnly?: boolean;
  /** A text as it is kept, or -errno if it cannot be. */
  canonical?: (text: string, sysctl: Sysctl) => string | number;
  /** What stands for ''. */
  unset?: string;
}

const table = new Map<string, Entry>();

function define(name: string, field: Field, min = 0, max = INT_MAX): void {
  table.set(name, { field, min, max });
}

/** NaN for what is none: an empty text, too, which Number takes for 0. */
function wholeNumber(value: string | number): number {
  return typeof value === 'number' || /^-?\d+$|^0x[\da-f]+$/i.test(value) ? Number(value) : Number.NaN;
}

function normalise(name: string): string {
  return name.replaceAll('/', '.').replace(/^(\.?proc\.sys)?\./, '');
}

define('net.ipv4.ip_default_ttl', 'ipDefaultTtl', 1, 255);
define('net.ipv4.ip_local_port_range', 'ipLocalPortRange', 1, 65535);
define('net.ipv4.ip_nonlocal_bind', 'ipNonlocalBind', 0, U8_MAX);
define('net.ipv4.ip_unprivileged_port_start', 'ipUnprivilegedPortStart', 0, 65535);
define('net.ipv4.ip_no_pmtu_disc', 'ipNoPmtuDisc', 0, U8_MAX);
define('net.ipv4.route.min_pmtu', 'ipRtMinPmtu', 68);
define('net.ipv4.route.mtu_expires', 'ipRtMtuExpires');
define('net.ipv4.route.min_adv_mss', 'ipRtMinAdvmss');
define('net.ipv4.ipfrag_time', 'ipfragTime');
define('net.ipv4.ipfrag_high_thresh', 'ipfragHighThresh');
define('net.ipv4.ipfrag_max_dist', 'ipfragMaxDist');
define('net.ipv4.icmp_echo_ignore_all', 'icmpEchoIgnoreAll', 0, 1);
define('net.ipv4.icmp_ratelimit', 'icmpRatelimit');
define('net.ipv4.icmp_msgs_per_sec', 'icmpMsgsPerSec');
define('net.ipv4.icmp_msgs_burst', 'icmpMsgsBurst');
define('net.ipv4.neigh.default.unres_qlen', 'neighUnresQlen');
define('net.ipv4.neigh.default.gc_thresh3', 'neighGcThresh3');
define('net.ipv4.neigh.default.base_reachable_time_ms', 'neighBaseReachableTimeMs');
define('net.ipv4.neigh.default.retrans_time_ms', 'neighRetransTimeMs', 1);
define('net.ipv4.neigh.default.delay_first_probe_time', 'neighDelayFirstProbeTime');
define('net.ipv4.neigh.default.ucast_solicit', 'neighUcastSolicit');
define('net.ipv4.neigh.default.mcast_solicit', 'neighMcastSolicit');
define('net.core.somaxconn', 'somaxconn');
define('net.core.rmem_max', 'rmemMax', 2304);
define('net.core.wmem_max', 'wmemMax', 4608);
define('net.core.rmem_default', 'rmemDefault', 2304);
define('net.core.wmem_default', 'wmemDefault', 4608);
define('net.core.optmem_max', 'optmemMax');
define('net.core.tstamp_allow_data', 'tstampAllowData', 0, 1);
define('net.core.netdev_max_backlog', 'netdevMaxBacklog');
define('net.ipv4.tcp_mem', 'tcpMem');
define('net.ipv4.tcp_rmem', 'tcpRmem', 2304);
define('net.ipv4.tcp_wmem', 'tcpWmem', 4096);
define('net.ipv4.tcp_adv_win_scale', 'tcpAdvWinScale', -31, 31);
define('net.ipv4.tcp_app_win', 'tcpAppWin', 0, 31);
define('net.ipv4.tcp_shrink_window', 'tcpShrinkWindow', 0, 1);
define('net.ipv4.tcp_workaround_signed_windows', 'tcpWorkaroundSignedWindows', 0, U8_MAX);
define('net.ipv4.tcp_low_latency', 'tcpLowLatency', 0, U8_MAX);
define('net.ipv4.tcp_fack', 'tcpFack', 0, U8_MAX);
define('net.ipv4.tcp_moderate_rcvbuf', 'tcpModerateRcvbuf', 0, U8_MAX);
define('net.ipv4.tcp_window_scaling', 'tcpWindowScaling', 0, U8_MAX);
define('net.ipv4.tcp_timestamps', 'tcpTimestamps', 0, U8_MAX);
define('net.ipv4.tcp_sack', 'tcpSack', 0, U8_MAX);
define('net.ipv4.tcp_dsack', 'tcpDsack', 0, U8_MAX);
define('net.ipv4.tcp_migrate_req', 'tcpMigrateReq', 0, 1);
define('net.ipv4.tcp_reflect_tos', 'tcpReflectTos', 0, 1);
define('net.ipv4.tcp_syn_retries', 'tcpSynRetries', 1, 127);
define('net.ipv4.tcp_syn_linear_timeouts', 'tcpSynLinearTimeouts', 0, 127);
define('net.ipv4.tcp_synack_retries', 'tcpSynackRetries', 0, 255);
define('net.ipv4.tcp_retries1', 'tcpRetries1', 0, 255);
define('net.ipv4.tcp_retries2', 'tcpRetries2', 0, 255);
define('net.ipv4.tcp_orphan_retries', 'tcpOrphanRetries', 0, 255);
define('net.ipv4.tcp_fin_timeout', 'tcpFinTimeout', 0, SECONDS_MAX);
define('net.ipv4.tcp_keepalive_time', 'tcpKeepaliveTime', 1, SECONDS_MAX);
define('net.ipv4.tcp_keepalive_intvl', 'tcpKeepaliveIntvl', 1, SECONDS_MAX);
define('net.ipv4.tcp_keepalive_probes', 'tcpKeepaliveProbes', 0, U8_MAX);
define('net.ipv4.tcp_max_syn_backlog', 'tcpMaxSynBacklog');
define('net.ipv4.tcp_max_orphans', 'tcpMaxOrphans');
define('net.ipv4.tcp_max_tw_buckets', 'tcpMaxTwBuckets');
define('net.ipv4.tcp_syncookies', 'tcpSyncookies', 0, U8_MAX);
define('net.ipv4.tcp_abort_on_overflow', 'tcpAbortOnOverflow', 0, U8_MAX);
define('net.ipv4.tcp_stdurg', 'tcpStdurg', 0, U8_MAX);
define('net.ipv4.tcp_rfc1337', 'tcpRfc1337', 0, U8_MAX);
define('net.ipv4.tcp_tw_reuse', 'tcpTwReuse', 0, 2);
define('net.ipv4.tcp_tw_reuse_delay', 'tcpTwReuseDelay', 1, 60_000);
define('net.ipv4.tcp_invalid_ratelimit', 'tcpInvalidRatelimit');
define('net.ipv4.tcp_challenge_ack_limit', 'tcpChallengeAckLimit');
define('net.ipv4.tcp_notsent_lowat', 'tcpNotsentLowat', 0, 0xffffffff);
define('net.ipv4.tcp_no_metrics_save', 'tcpNoMetricsSave', 0, U8_MAX);
define('net.ipv4.tcp_no_ssthresh_metrics_save', 'tcpNoSsthreshMetricsSave', 0, 1);
define('net.ipv4.tcp_mtu_probing', 'tcpMtuProbing', 0, U8_MAX);
define('net.ipv4.tcp_base_mss', 'tcpBaseMss');
define('net.ipv4.tcp_mtu_probe_floor', 'tcpMtuProbeFloor', 48, 65535);
define('net.ipv4.tcp_probe_interval', 'tcpProbeInterval');
define('net.ipv4.tcp_probe_threshold', 'tcpProbeThreshold');
define('net.ipv4.tcp_min_snd_mss', 'tcpMinSndMss', 48, 65535);
define('net.ipv4.tcp_autocorking', 'tcpAutocorking', 0, 1);
define('net.ipv4.tcp_slow_start_after_idle', 'tcpSlowStartAfterIdle', 0, U8_MAX);
define('net.ipv4.tcp_reordering', 'tcpReordering', 1, 1000);
define('net.ipv4.tcp_max_reordering', 'tcpMaxReordering', 1);
define('net.ipv4.tcp_recovery', 'tcpRecovery', 0, U8_MAX);
define('net.ipv4.tcp_early_retrans', 'tcpEarlyRetrans', 0, 4);
define('net.ipv4.tcp_ecn', 'tcpEcn', 0, 5);
define('net.ipv4.tcp_ecn_option', 'tcpEcnOption', 0, 2);
define('net.ipv4.tcp_ecn_option_beacon', 'tcpEcnOptionBeacon', 0, 3);
define('net.ipv4.tcp_ecn_fallback', 'tcpEcnFallback', 0, 1);
define('net.ipv4.tcp_frto', 'tcpFrto', 0, 255);
define('net.ipv4.tcp_min_rtt_wlen', 'tcpMinRttWlen', 0, 86400);
define('net.ipv4.tcp_min_tso_segs', 'tcpMinTsoSegs', 1, 255);
define('net.ipv4.tcp_tso_rtt_log', 'tcpTsoRttLog', 0, 255);
define('net.ipv4.tcp_tso_win_divisor', 'tcpTsoWinDivisor', 0, 255);
define('net.ipv4.tcp_pacing_ss_ratio', 'tcpPacingSsRatio', 0, 1000);
define('net.ipv4.tcp_pacing_ca_ratio', 'tcpPacingCaRatio', 0, 1000);
define('net.ipv4.tcp_retrans_collapse', 'tcpRetransCollapse', 0, U8_MAX);
define('net.ipv4.tcp_thin_linear_timeouts', 'tcpThinLinearTimeouts', 0, U8_MAX);
define('net.ipv4.tcp_pingpong_thresh', 'tcpPingpongThresh', 1, 255);
define('net.ipv4.tcp_comp_sack_delay_ns', 'tcpCompSackDelayNs');
define('net.ipv4.tcp_comp_sack_nr', 'tcpCompSackNr', 0, 255);
define('net.ipv4.tcp_fastopen', 'tcpFastopen', -INT_MAX - 1);
define('net.ipv4.tcp_fastopen_key', 'tcpFastopenKey');
define('net.ipv4.tcp_fastopen_blackhole_timeout_sec', 'tcpFastopenBlackholeTimeoutSec');
define('net.ipv4.tcp_rto_min_us', 'tcpMinRtoUs', 1);
define('net.ipv4.tcp_rto_max_ms', 'tcpRtoMaxMs', 1000, 120_000);
define('net.ipv4.tcp_congestion_control', 'tcpCongestionControl');
define('net.ipv4.tcp_available_congestion_control', 'tcpAvailableCongestionControl');
define('net.ipv4.tcp_allowed_congestion_control', 'tcpAllowedCongestionControl');
define('tcp_cubic.beta', 'tcpCubicBeta', 1, 1023);
define('tcp_cubic.fast_convergence', 'tcpCubicFastConvergence', 0, 1);
define('tcp_cubic.tcp_friendliness', 'tcpCubicTcpFriendliness', 0, 1);
define('tcp_cubic.hystart', 'tcpCubicHystart', 0, 2);
define('tcp_cubic.hystart_detect', 'tcpCubicHystartDetect', 0, 3);
define('tcp_cubic.hystart_low_window', 'tcpCubicHystartLowWindow');
define('tcp_cubic.hystart_ack_delta_us', 'tcpCubicHystartAckDeltaUs');
define('fs.epoll.max_user_watches', 'epollMaxUserWatches');
define('fs.file-max', 'fileMax');
(table.get('net.ipv4.tcp_available_congestion_control') as Entry).readOnly = true;

/** tcp_set_default_congestion_control: what is everybody's unasked may be asked for, too. */
(table.get('net.ipv4.tcp_congestion_control') as Entry).canonical = (name, sysctl) => {
  const allowed = allowedNames(`${sysctl.tcpAllowedCongestionControl} ${name}`, sysctl);
  if (typeof allowed === 'string') sysctl.tcpAllowedCongestionControl = allowed;
  return typeof allowed === 'string' ? name : allowed;
};
(table.get('net.ipv4.tcp_allowed_congestion_control') as Entry).canonical = allowedNames;

/** tcp_set_allowed_congestion_control: all names or none; they are shown in the order in which they were registered. */
function allowedNames(text: string, sysctl: Sysctl): string | number {
  const available = sysctl.tcpAvailableCongestionControl.split(' ');
  const names = text.split(/\s+/).filter((name) => name !== '');
  if (names.some((name) => !available.includes(name))) return -ENOENT;
  return available.filter((name) => names.includes(name)).join(' ');
}

const fastopenKey = table.get('net.ipv4.tcp_fastopen_key') as Entry;
fastopenKey.unset = '00000000-00000000-00000000-00000000';
/** proc_tcp_fastopen_key: four hexadecimal words, and perhaps a comma and four more. */
fastopenKey.canonical = (text) => {
  const keys = text.trim().split(',');
  if (keys.length > 2 || keys.some((key) => !/^[0-9a-f]{1,8}(-[0-9a-f]{1,8}){3}$/i.test(key))) return -EINVAL;
  const words = (key: string): string =>
    key
      .split('-')
      .map((word) => word.padStart(8, '0'))
      .join('-');
  return keys.map((key) => words(key.toLowerCase())).join(',');
};

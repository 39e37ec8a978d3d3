// Settings of a script: its `--option=value` lines, with packetdrill's defaults.

import { IpAddress } from '../../packet/address.js';
import { type Script, type ScriptOption, ScriptSyntaxError } from './ast.js';
import { NotHere } from './outcome.js';

export interface ScriptConfig {
  localIp: string;
  remoteIp: string;
  bindPort: number;
  connectPort: number;
  mtu: number;
  toleranceUs: number;
  tolerancePercent: number;
  /** A segment of the script is one segment on the wire. */
  strictSegments: boolean;
  /** Microseconds of a timestamp's tick; 0: timestamps that leave are not looked at. */
  tsTickUs: number;
  /** An echoed timestamp may be one that never left; it is then counted from the first. */
  tsEcrScaled: boolean;
}

type Setter = (config: ScriptConfig, value: string | null, option: ScriptOption) => void;

function integer(option: ScriptOption, least: number, most: number): number {
  const number = Number(option.value ?? Number.NaN);
  if (option.value !== null && Number.isInteger(number) && number >= least && number <= most) return number;
  throw new ScriptSyntaxError(option.place, `--${option.name} needs a number from ${least} to ${most}`);
}

function address(option: ScriptOption): string {
  const text = (option.value ?? '').replace(/\/\d+$/, '');
  if (text.includes(':')) throw new NotHere('IPv6');
  if (IpAddress.parse(text) !== null) return text;
  throw new ScriptSyntaxError(option.place, `--${option.name} needs an address such as 192.168.0.1`);
}

const nothing: Setter = () => {};
const notHere =
  (what: string): Setter =>
  () => {
    throw new NotHere(what);
  };

const setters: Readonly<Record<string, Setter>> = {
  local_ip: (config, _value, option) => {
    config.localIp = address(option);
  },
  remote_ip: (config, _value, option) => {
    config.remoteIp = address(option);
  },
  bind_port: (config, _value, option) => {
    config.bindPort = integer(option, 1, 65535);
  },
  connect_port: (config, _value, option) => {
    config.connectPort = integer(option, 1, 65535);
  },
  mtu: (config, _value, option) => {
    config.mtu = integer(option, 68, 65535);
  },
  tolerance_usecs: (config, _value, option) => {
    config.toleranceUs = integer(option, 0, 1e9);
  },
  tolerance_percent: (config, value, option) => {
    config.tolerancePercent = Number(value);
    if (!(config.tolerancePercent >= 0)) integer(option, 0, 100);
  },
  strict_segments: (config) => {
    config.strictSegments = true;
  },
  tcp_ts_tick_usecs: (config, _value, option) => {
    config.tsTickUs = integer(option, 0, 1_000_000);
  },
  tcp_ts_ecr_scaled: (config) => {
    config.tsEcrScaled = true;
  },
  ip_version: (_config, value) => {
    if (value !== 'ipv4') throw new NotHere(value === 'ipv6' ? 'IPv6' : `--ip_version=${value}`);
  },
  mss: notHere('segments coalesced before they arrive (--mss)'),
  psp_udp_port: notHere('PSP encryption'),
  is_anyip: notHere('addresses of a whole network (--is_anyip)'),
  so_filename: notHere('another stack behind a shared library (--so_filename)'),
  define: nothing,
  speed: nothing,
  code_command: nothing,
  code_format: nothing,
  init_scripts: nothing,
  non_fatal: nothing,
  send_omit_free: nothing,
  gateway_ip: nothing,
  netmask_ip: nothing,
  so_flags: nothing,
  dry_run: nothing,
  verbose: nothing,
};

/** @throws NotHere, ScriptSyntaxError */
export function configure(script: Script): ScriptConfig {
  const config: ScriptConfig = {
    localIp: '192.168.0.1',
    remoteIp: '192.0.2.1',
    bindPort: 8080,
    connectPort: 8080,
    mtu: 1500,
    toleranceUs: 4000,
    tolerancePercent: 12.5,
    strictSegments: false,
    tsTickUs: 0,
    tsEcrScaled: false,
  };
  for (const option of script.options) {
    const setter = setters[option.name];
    if (setter === undefined)
      throw new ScriptSyntaxError(option.place, `there is no option --${option.name}`);
    setter(config, option.value, option);
  }
  return config;
}

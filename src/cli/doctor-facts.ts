// What `tapstack doctor` finds out about the machine. Only looks: what it must try (a namespace, a device) it tries in a network of
// its own, which is gone with the trial.

import { spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { controlDirectory } from '../control/directory.js';
import { TapLink } from '../index.js';
import { nativeNic } from '../link/native-nic.js';

const LAB = fileURLToPath(new URL('../../scripts/lab.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('main.js', import.meta.url));
const PATIENCE_MS = 20_000;

/** Hidden: what runs inside the trial's network. */
export const DOCTOR_DEVICE = 'doctor-device';

/** Its number: 10, 200 (Documentation/admin-guide/devices.txt). */
const TUN_DEVICE = (10 << 8) | 200;
/** Bit of CapEff. */
const CAP_NET_ADMIN = 12n;
/** What may keep ordinary users from namespaces, and the value that does. */
const FORBIDDING: readonly [string, string][] = [
  ['kernel.unprivileged_userns_clone', '0'],
  ['kernel.apparmor_restrict_unprivileged_userns', '1'],
  ['user.max_user_namespaces', '0'],
  ['user.max_net_namespaces', '0'],
];
export const LAB_TOOLS = ['ip', 'unshare', 'setpriv', 'mount', 'bash'] as const;
export const MORE_TOOLS = ['tshark', 'iperf3', 'curl'] as const;

/** What the kernel grants a device here. */
export interface DeviceFacts {
  vnetHdr: boolean;
  offloads: number;
  noIoUring: string | null;
  dearCalls: boolean;
  noThreadedNapi: string | null;
  netdevice: string;
}

export interface Facts {
  platform: string;
  node: string;
  isRoot: boolean;
  /** Null: the addon works; else what loading it says. */
  addonError: string | null;
  /** Of /dev/net/tun. */
  tun: 'usable' | 'missing' | 'no device' | 'forbidden' | 'no driver';
  netAdmin: boolean;
  /** Settings that keep ordinary users from namespaces here. */
  forbidding: string[];
  /** Null: a private network can be had; else why not. */
  labError: string | null;
  /** Null: no device could be tried. */
  device: DeviceFacts | null;
  /** Are the kernel's threads in sight? They are not in a PID namespace of one's own. */
  kernelThreads: boolean;
  missingTools: string[];
  /** Null: it can be had; else what is wrong with it. */
  controlError: string | null;
}

export async function gather(): Promise<Facts> {
  const lab = await tryLab();
  return {
    platform: process.platform,
    node: process.versions.node,
    isRoot: process.getuid?.() === 0,
    addonError: thrown(() => void nativeNic()),
    tun: tunState(),
    netAdmin: hasNetAdmin(),
    forbidding: FORBIDDING.filter(([name, value]) => sysctl(name) === value).map(
      ([name, value]) => `${name} = ${value}`,
    ),
    ...lab,
    kernelThreads: read('/proc/2/comm') === 'kthreadd\n',
    missingTools: [...LAB_TOOLS, ...MORE_TOOLS].filter((tool) => !onPath(tool)),
    controlError: thrown(() => void controlDirectory()),
  };
}

function thrown(action: () => void): string | null {
  try {
    action();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function tunState(): Facts['tun'] {
  const stats = statSync('/dev/net/tun', { throwIfNoEntry: false });
  if (stats === undefined) return 'missing';
  if (!stats.isCharacterDevice() || stats.rdev !== TUN_DEVICE) return 'no device';
  try {
    closeSync(openSync('/dev/net/tun', constants.O_RDWR));
    return 'usable';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EACCES' || code === 'EPERM' ? 'forbidden' : 'no driver';
  }
}

function hasNetAdmin(): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(read('/proc/self/status') ?? '')?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> CAP_NET_ADMIN) & 1n) === 1n;
}

function sysctl(name: string): string | undefined {
  return read(`/proc/sys/${name.replaceAll('.', '/')}`)?.trim();
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function onPath(tool: string): boolean {
  // Debian keeps ip out of an ordinary user's PATH.
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return places.some((place) => thrown(() => accessSync(join(place, tool), constants.X_OK)) === null);
}

/** Makes a device in a private network, if that can be had. */
async function tryLab(): Promise<Pick<Facts, 'labError' | 'device'>> {
  const run = spawnSync(process.execPath, [LAB, process.execPath, MAIN, DOCTOR_DEVICE], {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
  });
  if (run.status === 0) return { labError: null, device: JSON.parse(run.stdout) as DeviceFacts };
  const [why = 'it did not end'] = run.stderr.split('\n').filter((line) => line !== '');
  // The network may have been there, and only the device not.
  const network = spawnSync(process.execPath, [LAB, 'true'], { encoding: 'utf8', timeout: PATIENCE_MS });
  return { labError: network.status === 0 ? null : why.replace(/^lab: /, ''), device: null };
}

/** Inside: opens a device, and says what was granted. */
export async function doctorDevice(): Promise<void> {
  const link = await TapLink.open({ name: 'doctor0', hostAddress: '10.0.0.1/24' });
  const { vnetHdr, offloads, noIoUring, dearCalls, noThreadedNapi, name } = link.info;
  await link.close();
  process.stdout.write(
    JSON.stringify({
      vnetHdr,
      offloads,
      noIoUring,
      dearCalls,
      noThreadedNapi,
      netdevice: name,
    } satisfies DeviceFacts),
  );
}

// The NIC addon (native/) as TypeScript sees it, and the one place that loads it. Nothing is loaded until a device is
// asked for, so that a stack without one needs no addon.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What a device is opened with; see `TapOptions` for the meaning. */
export interface NicOptions {
  name: string;
  netns?: string | undefined;
  hostAddress?: string | undefined;
  hostMac?: string | undefined;
  /** Absent: the device's MTU is left as it is. */
  mtu?: number | undefined;
  offload: boolean;
  /** Hand on every frame as it came. */
  noGro?: boolean;
  persist: boolean;
  /** Make a new device so that `threadNapi` can switch it. */
  napi?: boolean;
}

/** A TAP's descriptor (or a socket that keeps frames apart) that somebody else opened; `close` closes it. */
export interface NicHandedOver {
  fd: number;
  /** Frames on it carry a 10-byte virtio header. */
  vnetHdr: boolean;
}

/** What the kernel granted (struct nic_info). */
export interface NicInfo {
  name: string;
  ifindex: number;
  mtu: number;
  /** The host side's Ethernet address, 6 bytes. */
  hostMac: Uint8Array;
  /** TUN_F_* bits of linux/if_tun.h: what the kernel may hand to us unfinished. */
  offloads: number;
  /** Frames carry a virtio header: partial checksums and TSO frames may be handed to the kernel. */
  vnetHdr: boolean;
  /**
   * Null: frames that leave together are handed to the kernel in one system call (io_uring). Else why each is one of its own: the
   * errno of io_uring_setup(2), such as `EPERM` where it is forbidden and `EINVAL` before Linux 6.1.
   */
  noIoUring: string | null;
  /**
   * A system call was found to cost more than twice what it has the kernel do, as in some virtual machines: small frames that come together
   * are read together, too, and two are enough to be sent so.
   */
  dearCalls: boolean;
  /**
   * Null: threaded NAPI can be had, so that the host's share of what is sent may be done by a thread of the kernel's. Else why not, an
   * errno: `EPERM` (sysfs may not be mounted), `ENOENT` (before Linux 5.12), `EEXIST` (the device was there before, and is left as it
   * is), `ECANCELED` (it was not asked for).
   */
  noThreadedNapi: string | null;
  /** The device did not exist before. */
  created: boolean;
  netnsCreated: boolean;
}

/** Where the rings lie in packet memory: byte offsets, multiples of 4 (struct nic_layout). */
export interface NicLayout {
  /** Words that say where each posted block begins, how many they are, and how long each is. */
  rxListOffset: number;
  rxBlocks: number;
  rxBlockSize: number;
  rxDescOffset: number;
  rxDescCount: number;
  txHeaderOffset: number;
  txHeaderSlot: number;
  /** A power of two. */
  txSlots: number;
  txDescOffset: number;
  ctrlOffset: number;
}

/** Counters since the device was opened; they stay readable after `close`. */
export interface NicStats {
  rxFrames: number;
  rxBytes: number;
  /** Frames too short or too long to be one, and those read ahead of a batch when the device was removed or closed. */
  rxDropped: number;
  /** Reads that failed with an error which the device outlives, such as for want of memory. */
  rxErrors: number;
  /** Of `rxFrames`, those that busy polling found; Linux counts them as BusyPollRxPackets. */
  rxBusyPolled: number;
  /** Of `rxFrames`, those read together with others, by io_uring: of bulk, and where a system call is dear of any kind. */
  rxBatched: number;
  /** Nanoseconds for which busy polling has looked for frames in vain. */
  rxSpunNs: number;
  txFrames: number;
  txBytes: number;
  /** Frames that the kernel refused, such as while the interface is down. */
  txDropped: number;
  /** Descriptors with values that point outside packet memory or contradict each other. */
  txInvalid: number;
  /** Times the device was full; the ring was kept. */
  txEagain: number;
  /** Of `txFrames`, those handed to the kernel together with others, by io_uring. */
  txBatched: number;
  /** Who does the host's share of what is sent, now. */
  napi: 'softirq' | 'threaded' | 'switching';
}

export interface Nic {
  readonly info: NicInfo;
  /**
   * Attaches the rings and starts. `onReceive` gets the number of receive descriptors written; `onFlush` is called when control
   * word FLUSH is set, `onError` once when the device or the memory is gone.
   */
  start(
    memory: ArrayBuffer,
    layout: NicLayout,
    onReceive: (count: number) => void,
    onFlush: () => void,
    onError: (code: string, message: string) => void,
  ): void;
  /** Transmits what is in the ring now. */
  flush(): void;
  /** Receives and transmits once, as a turn of the event loop does: for a process that is past its last turn. */
  turn(): void;
  /** Receives what is waiting, and neither sends what it puts off nor runs microtasks: for the inside of a callback. Whether there was any. */
  takeIn(): boolean;
  /** Looks for frames for so many microseconds, again and again, before the event loop sleeps; 0, as at first, does not. */
  busyPoll(us: number): void;
  /** Begins to switch, unless it is doing that; `stats` says when that is done, and it may take 30 ms. Nothing where `info` says why not. */
  threadNapi(threaded: boolean): void;
  /** Keeps the thread that threaded NAPI has off the processor that this one runs on; to be repeated, as either moves. */
  keepThreadOff(): void;
  /** Idempotent, and safe inside any of the callbacks. */
  close(): void;
  /** Whether the open device keeps the event loop alive; it does at first. */
  ref(): void;
  unref(): void;
  stats(): NicStats;
}

export interface NativeNic {
  /** Opens a device, or takes over a descriptor that is open already. Throws an Error with `code`, `errno`, `syscall`. */
  Nic: new (
    options: NicOptions | NicHandedOver,
  ) => Nic;
  /** Removes a named network namespace, as `ip netns delete`. */
  removeNetns(name: string): void;
  /**
   * Says, once, what `armUnscoped` has called: `step`, outside every callback scope of Node's, for as long as it returns true, and
   * `settle` in one after each time.
   */
  unscoped(step: (inBatch: boolean) => boolean, settle: () => void): void;
  /** At the end of the batch that is being received, or else before the event loop looks for events. */
  armUnscoped(): void;
}

/** An Error as Node's own system errors are: `code` is an errno's name or one of ours. */
export interface SystemError extends Error {
  code: string;
  errno?: number;
  syscall?: string;
}

/** What a bundler has taken it into does not stand where it did. */
export const UNBUNDLE =
  'Leave tapstack out of the bundle (esbuild: --external:tapstack), and install it beside.';

export interface Package {
  /** The folder with the addon. */
  readonly root: string;
  readonly version: string;
}

/** The package of which this file is a part; null: it is part of something else, a bundle. */
export function ownPackage(): Package | null {
  try {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const { name, version } = createRequire(root)('./package.json') as { name?: string; version: string };
    return name === 'tapstack' ? { root, version } : null;
  } catch {
    return null;
  }
}

let loaded: NativeNic | undefined;

function refuse(code: string, message: string, cause?: unknown): SystemError {
  return Object.assign(new Error(message, { cause }), { code });
}

/** Loads the addon. Throws ENOTSUP elsewhere than on Linux, ERR_ADDON_MISSING where it is not built or does not load. */
export function nativeNic(): NativeNic {
  if (loaded !== undefined) return loaded;
  if (process.platform !== 'linux') {
    throw refuse(
      'ENOTSUP',
      'A TAP device needs Linux; in-memory links and loopback work on this system too.',
    );
  }
  const own = ownPackage();
  if (own === null) {
    const message = `The native addon, which a TAP device needs, is not here: this is a bundle. ${UNBUNDLE}`;
    throw refuse('ERR_ADDON_MISSING', message);
  }
  const { root } = own;
  try {
    const load = createRequire(import.meta.url)('node-gyp-build') as (directory: string) => NativeNic;
    loaded = load(root);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw refuse(
      'ERR_ADDON_MISSING',
      `The native addon, which a TAP device needs, cannot be loaded: ${why}${/[.!?]$/.test(why) ? '' : '.'} Build it with \`npm run build:native\` in ` +
        `${root} (as a dependency: \`npm rebuild tapstack\`); that takes g++, make and python3.`,
      cause,
    );
  }
  return loaded;
}

// What the facts mean: for each, whether it is as it must be, and in words what to do about it if not.

import { AS_ROOT, TAPSTACK } from './called.js';
import { type Facts, LAB_TOOLS } from './doctor-facts.js';
import { isEnough, LEAST_NODE } from './node-version.js';

/** TUN_F_CSUM and TUN_F_TSO4 (linux/if_tun.h) */
const CSUM_AND_TSO4 = 3;

const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  unshare: 'util-linux',
  setpriv: 'util-linux',
};

export type Verdict = 'ok' | 'warning' | 'problem';

export interface Finding {
  what: string;
  verdict: Verdict;
  /** What there is. */
  found: string;
  /** Things to do, the best first. */
  remedies: string[];
}

export function judge(facts: Facts): Finding[] {
  return [
    system(facts),
    node(facts),
    addon(facts),
    tun(facts),
    rights(facts),
    namespaces(facts),
    offloads(facts),
    batches(facts),
    threadedNapi(facts),
    tools(facts),
    control(facts),
  ];
}

function finding(what: string, verdict: Verdict, found: string, ...remedies: string[]): Finding {
  return { what, verdict, found, remedies: verdict === 'ok' ? [] : remedies };
}

function system({ platform }: Facts): Finding {
  return platform === 'linux'
    ? finding('system', 'ok', 'Linux')
    : finding(
        'system',
        'problem',
        `${platform}: TAP devices are Linux's`,
        'use a Linux machine, a virtual one, or a container that has /dev/net/tun',
        `without a device everything works in memory: ${TAPSTACK} script, the lab of tapstack/lab`,
      );
}

function node({ node: version }: Facts): Finding {
  const fine = isEnough(version);
  return finding(
    'Node.js',
    fine ? 'ok' : 'problem',
    version,
    `install Node.js ${LEAST_NODE.join('.')} or newer`,
  );
}

function addon({ addonError }: Facts): Finding {
  return finding(
    'addon',
    addonError === null ? 'ok' : 'problem',
    addonError ?? 'loads',
    'in a checkout: npm run build:native',
    'as an installed package: npm rebuild tapstack (needs g++, make and python3)',
  );
}

function tun({ tun: state }: Facts): Finding {
  switch (state) {
    case 'usable':
      return finding('/dev/net/tun', 'ok', 'may be opened');
    case 'missing':
      return finding(
        '/dev/net/tun',
        'problem',
        'is not there',
        'as root: modprobe tun',
        'in a container: start it with --device /dev/net/tun',
      );
    case 'no device':
      return finding(
        '/dev/net/tun',
        'problem',
        'is not the device of that name (character device 10, 200)',
        'as root: rm /dev/net/tun; mknod -m 0666 /dev/net/tun c 10 200',
      );
    case 'forbidden':
      return finding(
        '/dev/net/tun',
        'problem',
        'may not be opened by you',
        'as root: chmod 0666 /dev/net/tun',
        'in a container: start it with --device /dev/net/tun',
      );
    case 'no driver':
      return finding(
        '/dev/net/tun',
        'problem',
        'is there, but nothing answers behind it',
        'as root: modprobe tun',
        'a kernel without CONFIG_TUN has no TAP devices: use another',
      );
  }
}

function rights({ netAdmin, labError, tun: state }: Facts): Finding {
  const elsewhere = labError === null && state === 'usable';
  return finding(
    'CAP_NET_ADMIN',
    netAdmin ? 'ok' : elsewhere ? 'warning' : 'problem',
    netAdmin
      ? 'you have it: devices can be made on this machine'
      : 'you do not have it: no device can be made here',
    ...(elsewhere ? [`in a private network you may: ${TAPSTACK} lab`] : []),
    `as root: ${AS_ROOT} …`,
    'in a container: start it with --cap-add NET_ADMIN',
  );
}

function namespaces({ labError, netAdmin, forbidding, isRoot }: Facts): Finding {
  const todo = forbidding.map((setting) => {
    const [name, value] = setting.split(' = ');
    const other = value === '0' ? (name.startsWith('user.') ? '10000' : '1') : '0';
    return `${setting} forbids them; as root: sysctl -w ${name}=${other}`;
  });
  return finding(
    'private networks',
    labError === null ? 'ok' : netAdmin ? 'warning' : 'problem',
    labError === null ? 'can be had: tapstack lab works' : `tapstack lab does not work: ${labError}`,
    ...todo,
    isRoot
      ? 'in a container: start it with --privileged, or with CAP_SYS_ADMIN and no seccomp filter'
      : `or run it as root: ${AS_ROOT} lab`,
  );
}

function offloads({ device }: Facts): Finding {
  const what = 'offloads';
  if (device === null)
    return finding(
      what,
      'warning',
      'no device could be made to see',
      'mend what is wrong above; then look again',
    );
  const all = device.vnetHdr && (device.offloads & CSUM_AND_TSO4) === CSUM_AND_TSO4;
  return all
    ? finding(what, 'ok', 'the kernel takes and gives segments of up to 64 KiB, and checksums')
    : finding(
        what,
        'warning',
        'this kernel has none for TAP devices (IFF_VNET_HDR): everything works, with a frame for each 1500 bytes',
        'a larger --mtu makes up for some of it',
      );
}

function batches({ device }: Facts): Finding {
  const what = 'io_uring';
  if (device === null) return finding(what, 'ok', 'not tried');
  return device.noIoUring === null
    ? finding(
        what,
        'ok',
        'frames that leave together cost one system call' +
          (device.dearCalls
            ? ', and so do those that come together, since calls are dear on this machine'
            : ''),
      )
    : finding(
        what,
        'warning',
        `cannot be had (${device.noIoUring}): everything works, with a system call for each frame`,
        'Linux 6.1 or newer has what is needed',
        'as root, where it is forbidden: sysctl -w kernel.io_uring_disabled=0',
        'in a container: a seccomp profile that allows io_uring_setup and io_uring_enter',
      );
}

function threadedNapi({ device, kernelThreads }: Facts): Finding {
  const what = 'threaded NAPI';
  if (device === null) return finding(what, 'ok', 'not tried');
  if (device.noThreadedNapi === null)
    return finding(
      what,
      'ok',
      "a thread of the kernel's can do the host's share of what is sent" +
        (kernelThreads
          ? ''
          : ', but not be made to wait for others (SCHED_BATCH): it is not in this PID namespace'),
    );
  if (device.noThreadedNapi === 'ECANCELED')
    return finding(what, 'ok', 'not asked for: there is one processor');
  return finding(
    what,
    'warning',
    `cannot be had (${device.noThreadedNapi}): everything works, a busy server somewhat slower`,
    'Linux 5.12 or newer has what is needed',
    'in a container: the right to mount sysfs (CAP_SYS_ADMIN)',
  );
}

function tools({ missingTools }: Facts): Finding {
  const lab = missingTools.filter((tool) => (LAB_TOOLS as readonly string[]).includes(tool));
  const packages = [...new Set(missingTools.map((tool) => PACKAGES[tool] ?? tool))].join(' ');
  const verdict = missingTools.length === 0 ? 'ok' : 'warning';
  const need = lab.length > 0 ? ` (tapstack lab needs ${lab.join(', ')})` : ' (handy, and needed by nothing)';
  return finding(
    'programs',
    verdict,
    verdict === 'ok' ? 'all there' : `missing: ${missingTools.join(', ')}${need}`,
    `Debian, Ubuntu: apt-get install ${packages}`,
  );
}

function control({ controlError }: Facts): Finding {
  return finding(
    'control sockets',
    controlError === null ? 'ok' : 'warning',
    controlError === null
      ? 'have a private directory'
      : `tapstack ss and its like will see nothing: ${controlError}`,
    'set XDG_RUNTIME_DIR to a directory of yours with mode 0700',
  );
}

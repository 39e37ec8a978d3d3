// scripts/lab: runs a command (or a shell) in a private user, network, mount and process namespace.
// Inside one may make TAP devices, addresses and further namespaces freely; the host never sees them, and all of
// it, every process included, is gone when the command ends or this program does, however it dies.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const complain = (text) => process.stderr.write(`lab: ${text}\n`);

/**
 * What happens first inside. /run/netns is where `ip netns` keeps its names: the host's own is covered, as is /run
 * where the host has none. /sys is mounted afresh because an old one shows the host's interfaces. The command is
 * not process 1 (which no signal ends by default) but its child.
 */
const prepare = `
  set -e
  if [ -d /run/netns ]; then mount -t tmpfs lab /run/netns; else mount -t tmpfs lab /run; mkdir /run/netns; fi
  mount -t sysfs lab /sys
  ip link set lo up
`;
const runInside = `${prepare}
  set +e
  trap : INT QUIT
  "$@"
`;
/** A probe fails where the real thing would: the preparation itself, the TAP device, the files in reach. */
const probes = {
  namespace: prepare,
  // `<>` would make a file where there is no device.
  device: `${prepare}
    [ -e /dev/net/tun ] || { echo '/dev/net/tun is not there' >&2; exit 1; }
    [ -c /dev/net/tun ] || { echo '/dev/net/tun is not a device' >&2; exit 1; }
    exec 3<>/dev/net/tun`,
  files: '[ -w . ]',
};

// Debian keeps ip out of an ordinary user's PATH.
process.env.PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

const isRoot = process.getuid?.() === 0;
const withUser = ['--user', '--map-root-user'];
const always = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child=KILL'];
const unshare = (user, script, args = []) => [...user, ...always, '--', 'bash', '-c', script, 'lab', ...args];

function works(user, probe) {
  const run = spawnSync('unshare', unshare(user, probes[probe]), { encoding: 'utf8' });
  return { ok: run.status === 0, why: (run.stderr || run.error?.message || '').trim().split('\n')[0] };
}

function sysctl(name) {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function explainRefusal(why) {
  complain(
    `this system refuses private namespaces${isRoot ? ', even to root' : ' to an ordinary user'}: ${why}`,
  );
  if (sysctl('kernel.unprivileged_userns_clone') === '0') {
    complain('kernel.unprivileged_userns_clone is 0 here. Root may allow them until the next boot with:');
    complain('    sysctl -w kernel.unprivileged_userns_clone=1');
  }
  if (sysctl('kernel.apparmor_restrict_unprivileged_userns') === '1') {
    complain(
      'kernel.apparmor_restrict_unprivileged_userns is 1 here (Ubuntu 23.10 and later). Root may change it:',
    );
    complain('    sysctl -w kernel.apparmor_restrict_unprivileged_userns=0');
  }
  if (sysctl('user.max_user_namespaces') === '0') {
    complain(
      'user.max_user_namespaces is 0 here. Root may raise it: sysctl -w user.max_user_namespaces=10000',
    );
  }
  if (isRoot)
    complain('In a container: start it with --privileged, or with CAP_SYS_ADMIN and no seccomp filter.');
  else complain('Or run the same command as root (sudo).');
}

/** The arguments that open a lab here, or undefined (and the reason printed) where none can be. */
function chooseNamespaces() {
  const user = works(withUser, 'namespace');
  // Root has a second way, without a user namespace: for a checkout that belongs to somebody the mapping leaves
  // out, and for a kernel that keeps user namespaces from root too.
  const writable = spawnSync('bash', ['-c', probes.files]).status === 0;
  const reachable = user.ok && (!writable || works(withUser, 'files').ok);
  const choices = [...(reachable ? [withUser] : []), ...(isRoot ? [[]] : [])];
  for (const choice of choices) if (works(choice, 'device').ok) return choice;

  const plain = choices.find((choice) => works(choice, 'namespace').ok);
  if (plain === undefined) {
    explainRefusal(user.why || works([], 'namespace').why);
    return undefined;
  }
  const { why } = works(plain, 'device');
  complain(`no TAP devices in here: ${why}`);
  const remedy = why.endsWith('is not a device')
    ? 'rm /dev/net/tun; mknod -m 0666 /dev/net/tun c 10 200'
    : 'modprobe tun; chmod 0666 /dev/net/tun';
  complain(`Root may help with: ${remedy}`);
  return plain;
}

function main(command) {
  if (process.platform !== 'linux') {
    complain('network namespaces exist on Linux only.');
    return 1;
  }
  for (const tool of ['unshare', 'setpriv', 'ip', 'mount', 'bash']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) {
      complain(`'${tool}' is missing (Debian, Ubuntu: apt-get install util-linux mount iproute2 bash).`);
      return 1;
    }
  }
  const user = chooseNamespaces();
  if (user === undefined) return 1;

  // setpriv: the kernel ends unshare, and unshare's --kill-child everything below it, even if we are killed with -9.
  const inside = unshare(user, runInside, command.length > 0 ? command : [process.env.SHELL || 'bash']);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...inside], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => {
      // A key typed at the terminal has reached the command already, and is the command's business.
      if (process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')) return;
      process.exitCode = 128 + constants.signals[signal];
      child.kill('SIGKILL');
    });
  }
  child.on('error', (error) => {
    complain(error.message);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode ??= code ?? 128 + constants.signals[signal];
  });
  return undefined;
}

const refused = main(process.argv.slice(2));
if (refused !== undefined) process.exitCode = refused;

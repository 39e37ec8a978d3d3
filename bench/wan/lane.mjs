// A private pair of hosts and the network between them. B is the kernel's, in a namespace of its own; A is a bridge in another, at
// which stand the wan's device, an address of the kernel's and, for its turns, tapstack's device: both go the same way.

import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { wanArguments } from './grid.mjs';
import { payload, sha256 } from './payload.mjs';
import { Process } from './process.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const MAIN = here('../../dist/cli/main.js');
const KERNEL_A = '10.1.0.1';
const KERNEL_B = '10.1.0.2';
const STACK_A = '10.1.0.3';
const NEAR_A = '10.1.0.4';
const WAN_A = '10.1.0.9';

const NETWORK = '10.1.0.0/24';
/** What no timer is precise enough for: half of this pays for a wake-up. Only where a core is to spare. */
const BUSY_POLL_US = 200;
/** The network's own pauses to collect garbage: seldom, and without threads that would run in front of tapstack. */
const FEW_PAUSES = ['--max-semi-space-size=64', '--single-threaded-gc'];

/** The kernel's TCP runs before any program. Where we have real-time priority, tapstack too then runs before the kernel's programs. */
const BEHIND_TCP = spawnSync('chrt', ['--rr', '1', 'true']).status === 0 ? ['chrt', '--rr', '1'] : [];

/** Tunables of both, so that neither has more room than the other, nor remembers earlier transfers. */
const SYSCTLS = {
  'net.ipv4.tcp_rmem': '4096 131072 6291456',
  'net.ipv4.tcp_wmem': '4096 16384 4194304',
  'net.ipv4.tcp_no_metrics_save': '1',
};

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
}

/** What a process says; one that says it too late is ended, since it would hold its device for all that come after. */
async function orEnded(process, said) {
  try {
    return await said;
  } catch (error) {
    await process.end('SIGKILL');
    throw error;
  }
}

export class Lane {
  #payload = Buffer.alloc(0);

  constructor(index, congestion) {
    this.a = `lane${index}-a`;
    this.b = `lane${index}-b`;
    this.congestion = congestion;
    for (const name of [this.a, this.b]) {
      ip('netns', 'add', name);
      ip('-n', name, 'link', 'set', 'lo', 'up');
      const settings = {
        ...SYSCTLS,
        'net.ipv6.conf.all.disable_ipv6': 1,
        'net.ipv6.conf.default.disable_ipv6': 1,
      };
      const words = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
      ip('netns', 'exec', name, 'sysctl', '-q', '-w', ...words);
    }
    const bridge = ['type', 'bridge', 'stp_state', '0', 'forward_delay', '0', 'mcast_snooping', '0'];
    ip(
      '-n',
      this.a,
      'link',
      'add',
      'name',
      'joint',
      'address',
      '02:00:00:00:00:01',
      'mtu',
      '1500',
      ...bridge,
    );
    ip('-n', this.a, 'link', 'set', 'joint', 'up');
  }

  close() {
    for (const name of [this.a, this.b]) ip('netns', 'delete', name);
  }

  /**
   * One transfer between `who` ('kernel' or 'stack') at A and the kernel at B. `way`: 'sends' or 'receives' is what A does;
   * `spare`: few transfers run at a time, so that there is a core for the network alone.
   * `begin` resolves when it shall begin. Resolves to { bytes, seconds, ended, sound, counters }; `sound`: what arrived is what was sent, from its beginning.
   */
  async transfer({ cell, seed, who, way, bytes, seconds, pcap, spare }, begin) {
    const wan = await this.#wan(cell, seed, pcap, spare);
    const processes = [wan];
    try {
      const role = way === 'sends' ? 'send' : 'receive';
      const other = way === 'sends' ? 'receive' : 'send';
      const atA = async (to) => {
        const started =
          who === 'kernel'
            ? this.#kernel(this.a, role, bytes, seconds, to)
            : await this.#stack(role, bytes, seconds, to);
        processes.push(started);
        return started;
      };
      const atB = (to) => {
        const started = this.#kernel(this.b, other, bytes, seconds, to);
        processes.push(started);
        return started;
      };
      const receiver = way === 'sends' ? atB('-') : await atA('-');
      await receiver.json();
      const sender = way === 'sends' ? await atA(KERNEL_B) : atB(who === 'kernel' ? KERNEL_A : STACK_A);
      await sender.json();
      await begin();
      sender.write('go\n');
      const got = await receiver.json(seconds + 60);
      sender.child.kill('SIGTERM');
      const { counters, info } = await sender.json();
      return { ...got, sound: this.#sound(got, bytes), counters, info };
    } finally {
      for (const each of processes.reverse()) await each.end();
      ip('-n', this.a, 'addr', 'flush', 'dev', 'joint');
    }
  }

  async #wan(cell, seed, pcap, spare) {
    const ends = ['--netns-a', this.a, '--netns-b', this.b, '--tap-a', 'wan', '--tap-b', 'wan'];
    const addresses = ['--address-a', `${WAN_A}/24`, '--address-b', `${KERNEL_B}/24`];
    const wan = new Process(process.execPath, [
      ...FEW_PAUSES,
      MAIN,
      'wan',
      '--quiet',
      ...ends,
      ...addresses,
      ...wanArguments(cell, seed),
      ...(pcap === undefined ? [] : ['--pcap', pcap]),
      ...(spare ? ['--busy-poll', `${BUSY_POLL_US}`] : []),
    ]);
    await orEnded(wan, wan.line());
    if (BEHIND_TCP.length > 0) this.#mainThreadFirst(wan.child.pid);
    ip('-n', this.a, 'addr', 'flush', 'dev', 'wan');
    ip('-n', this.a, 'link', 'set', 'wan', 'master', 'joint');
    ip('-n', this.a, 'addr', 'add', `${KERNEL_A}/24`, 'dev', 'joint');
    this.#control(this.a, 'joint', KERNEL_A);
    this.#control(this.b, 'wan', KERNEL_B);
    return wan;
  }

  /** By the route, because in a namespace of an ordinary user's the tunable takes only what the host lets everybody have. */
  #control(netns, device, source) {
    const route = [NETWORK, 'dev', device, 'proto', 'kernel', 'scope', 'link', 'src', source];
    ip('-n', netns, 'route', 'change', ...route, 'congctl', this.congestion);
  }

  #kernel(netns, role, bytes, seconds, to) {
    const peer = [process.execPath, here('kernel-peer.mjs'), role, bytes, seconds, to];
    const words = ['netns', 'exec', netns, ...BEHIND_TCP, ...peer];
    return new Process('ip', words.map(String));
  }

  async #stack(role, bytes, seconds, to) {
    const sysctls = JSON.stringify({ ...SYSCTLS, 'net.ipv4.tcp_congestion_control': this.congestion });
    const words = [
      '--expose-gc',
      here('stack-peer.mjs'),
      role,
      bytes,
      seconds,
      to,
      this.a,
      `${STACK_A}/24`,
      `${NEAR_A}/24`,
      sysctls,
    ];
    const stack = new Process(process.execPath, words.map(String));
    const { devices } = await orEnded(stack, stack.json());
    if (BEHIND_TCP.length > 0) this.#mainThreadFirst(stack.child.pid);
    for (const device of devices) ip('-n', this.a, 'link', 'set', device, 'master', 'joint');
    stack.write('go\n');
    return stack;
  }

  /** The engine's compiler and collector must not run in front of the stack: neither its own nor the network's. */
  #mainThreadFirst(pid) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      if (thread !== `${pid}`) spawnSync('chrt', ['--rr', '-p', '1', thread]);
    }
  }

  #sound({ bytes: count, sha256: digest }, bytes) {
    if (this.#payload.length !== bytes) this.#payload = payload(bytes);
    return count <= bytes && digest === sha256(this.#payload.subarray(0, count));
  }
}

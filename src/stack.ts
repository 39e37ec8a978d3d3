// One whole stack: links below, processes above, and everything between put together. Most programs need this class, a link
// and `stack.sys`; a stack without a link is reachable through 127.0.0.1 and needs no privilege.

import { Host } from './core/host.js';
import { type Known, refuseUnknown } from './core/known-options.js';
import { type Random, SeededRandom, SystemRandom } from './core/random.js';
import { Icmp } from './icmp/icmp.js';
import { Ip } from './ip/ip.js';
import { RouteMetrics } from './ip/route-metrics.js';
import { Doctor, type DoctorWarning } from './kernel/doctor.js';
import {
  type InterfaceOptions,
  parseAddress,
  parseCidr,
  parseMac,
  type RouteOptions,
} from './kernel/interface-options.js';
import type { Interposer } from './kernel/interposer.js';
import { Kernel } from './kernel/kernel.js';
import type { Listener } from './kernel/listener-handle.js';
import { Process, type ProcessOptions } from './kernel/process.js';
import { type SocketRow, socketRows } from './kernel/socket-rows.js';
import type { Link } from './link/link.js';
import { PacketMemory } from './memory/packet-memory.js';
import { InetFamily } from './socket/af-inet.js';
import type { CongestionControl } from './tcp/congestion/congestion.js';
import { Tcp } from './tcp/tcp.js';
import { type Clock, RealClock } from './time/clock.js';
import { EACCES, ENETUNREACH, ENOENT, strerror } from './uapi/errno.js';
import { TCP_CLOSE_WAIT, TCP_ESTABLISHED } from './uapi/tcp.js';
import { Udp } from './udp/udp.js';

/** What a stack is made of. `link`, `address`, `gateway` and the like are those of its first interface. */
export interface StackOptions extends Partial<InterfaceOptions> {
  /** Further interfaces. */
  interfaces?: readonly InterfaceOptions[];
  /** Routes by network (`10.1.0.0/16`, `0.0.0.0/0`), the gateway that leads there, and metrics as `ip route` has them. */
  routes?: readonly ({
    /** Network with the length of its prefix. */
    to: string;
  } & RouteOptions)[];
  /** Whose time the stack lives by; the machine's own unless given. */
  clock?: Clock;
  /** Where randomness comes from; the operating system unless given. */
  random?: Random;
  /** Makes all randomness repeatable. For simulations only: ports and sequence numbers can then be guessed. */
  seed?: number;
  /**
   * Bytes of packet memory, 4 MiB to 2 GiB; 64 MiB unless given. Pages are resident only once used. Whoever makes many short
   * stacks, one after another, saves the garbage collector work by giving them one buffer.
   */
  memory?: number | ArrayBuffer;
  /** Tunables by Linux's names, dots or slashes: `{ 'net.ipv4.tcp_syncookies': 0 }`. */
  sysctl?: Readonly<Record<string, string | number | readonly number[]>>;
  /** RLIMIT_NOFILE of the first process; 1024 unless given. */
  nofile?: number;
  /** Watch how the program uses epoll and warn when it holds it wrong: through `process.emitWarning`, or to a function. */
  doctor?: boolean | ((warning: DoctorWarning) => void);
  /** Who stands between programs and their calls, such as a recorder; the innermost first. */
  interposers?: readonly Interposer[];
  /**
   * Told when a link is gone or broken, which is for good: connections over it end with ENETDOWN. Unless given, a warning of the
   * process says so.
   */
  onLinkDown?: (name: string, error: Error) => void;
}

const STACK_OPTIONS: Known<StackOptions> = {
  link: true,
  address: true,
  gateway: true,
  neighbours: true,
  interfaces: true,
  routes: true,
  clock: true,
  random: true,
  seed: true,
  memory: true,
  sysctl: true,
  nofile: true,
  doctor: true,
  interposers: true,
  onLinkDown: true,
};

/**
 * A TCP/IP stack: interfaces and their routes, protocols, counters and tunables, and a first process whose calls are `sys` and
 * `blocking`. Without a link it has its loopback, 127.0.0.0/8, and needs no privilege.
 */
export class Stack {
  /** What every protocol stands on: clock, memory, randomness, counters, tunables. */
  readonly host: Host;
  /** Interfaces, routes and neighbours; frames come in here. */
  readonly ip: Ip;
  /** Errors and echo. */
  readonly icmp: Icmp;
  /** Connections and listeners. */
  readonly tcp: Tcp;
  /** Datagram sockets. */
  readonly udp: Udp;
  /** Processes and what they share. */
  readonly kernel: Kernel;
  /** The process that `sys` and `blocking` belong to. */
  readonly process: Process;
  readonly #links: Link[] = [];
  #closing: Promise<void> | null = null;

  /** @throws RangeError, TypeError when the options make no sense; the links are the caller's to close then. */
  constructor(options: StackOptions = {}) {
    refuseUnknown('a stack', options, STACK_OPTIONS);
    const random =
      options.random ?? (options.seed === undefined ? new SystemRandom() : new SeededRandom(options.seed));
    this.host = new Host(options.clock ?? new RealClock(), new PacketMemory(options.memory), random);
    for (const [name, value] of Object.entries(options.sysctl ?? {})) this.sysctl(name, value);
    this.ip = new Ip(this.host);
    const onLinkDown = options.onLinkDown ?? warnOfLink;
    this.ip.onLinkDown = (device, error) => {
      this.tcp.linkDown(device);
      onLinkDown(device.name, error);
    };
    this.icmp = new Icmp(this.ip);
    this.udp = new Udp(this.ip);
    this.tcp = new Tcp(this.host, this.ip);
    this.kernel = new Kernel(
      this.host,
      new InetFamily(this.ip, this.tcp, this.udp),
      doctorOf(options.doctor),
      options.interposers,
    );
    this.process = this.createProcess({ nofile: options.nofile });
    for (const each of this.#interfaces(options)) this.#addInterface(each);
    for (const { to, ...route } of options.routes ?? []) this.addRoute(to, route);
  }

  /** A stack on a link, which may still be opening. If the options are refused the link is closed again. */
  static async create(
    options: Omit<StackOptions, 'link'> & { link?: Link | Promise<Link> } = {},
  ): Promise<Stack> {
    const link = await options.link;
    try {
      return new Stack({ ...options, link });
    } catch (error) {
      await link?.close();
      throw error;
    }
  }

  /** The syscalls of the first process; see `Process.sys`. */
  get sys(): Process['sys'] {
    return this.process.sys;
  }

  /** The blocking calls of the first process; see `Process.blocking`. */
  get blocking(): Process['blocking'] {
    return this.process.blocking;
  }

  /**
   * The listener behind a descriptor of the first process: who stands in its queues, and what it does with SYNs (docs/accept.md).
   * @throws Error with the errno that accept() would answer: EBADF, ENOTSOCK, EOPNOTSUPP, EINVAL
   */
  listener(fd: number): Listener {
    return this.process.listener(fd);
  }

  /** Another process, with descriptors of its own. */
  createProcess(options: ProcessOptions = {}): Process {
    return new Process(this.kernel, options);
  }

  /**
   * Adds a route: `to` a network (`0.0.0.0/0` is the default route), by a gateway on one of the subnets, with metrics as
   * `ip route add` takes them. It goes ahead of others to the same network.
   */
  addRoute(to: string, route: string | RouteOptions): void {
    this.#editRoute('prepend', to, typeof route === 'string' ? { via: route } : route);
  }

  /** Puts a route in the place of the one to the same network, as `ip route change`. Connections follow from their next segment on. */
  changeRoute(to: string, route: RouteOptions): void {
    this.#editRoute('change', to, route);
  }

  /** Takes the route to the network away. */
  deleteRoute(to: string): void {
    const { address, prefix } = parseCidr(to, 'the destination of a route');
    if (this.ip.routes.delete(address, prefix) < 0) throw new RangeError(`there is no route to ${to}`);
  }

  #editRoute(how: 'prepend' | 'change', to: string, route: RouteOptions): void {
    const { address, prefix } = parseCidr(to, 'the destination of a route');
    const { via, dev, ...metrics } = route;
    const gateway = via === undefined ? null : parseAddress(via, 'the gateway of a route');
    const device =
      dev === undefined ? null : (this.ip.routes.devices.find(({ name }) => name === dev) ?? null);
    if (device === null && dev !== undefined) throw new RangeError(`there is no interface ${dev}`);
    if (gateway === null && device === null)
      throw new TypeError(`the route to ${to} needs a gateway (\`via\`) or an interface (\`dev\`)`);
    if (metrics.congctl !== undefined && this.tcp.congestionControl(metrics.congctl) === null)
      throw new RangeError(
        `the route to ${to} names ${metrics.congctl}, which is no congestion control here`,
      );
    const { routes } = this.ip;
    const error = routes.edit(how, address, prefix, gateway, device, new RouteMetrics(metrics));
    if (error === -ENETUNREACH) {
      throw new RangeError(
        `no interface reaches the gateway ${via}: it must be on the subnet of an interface`,
      );
    }
    if (error === -ENOENT) throw new RangeError(`there is no route to ${to} to be changed`);
    if (error < 0) throw new RangeError(`cannot route ${to} via ${via ?? dev}: ${strerror(error)}`);
  }

  /**
   * Adds a congestion control, which TCP_CONGESTION, `net.ipv4.tcp_congestion_control` and routes then know by its name.
   * docs/congestion-control.md shows how one is written. @throws TypeError for what is none, RangeError for a name that is taken or
   * cannot be one
   */
  registerCongestionControl(control: CongestionControl): void {
    this.tcp.controls.register(control);
  }

  /** Reads a tunable by Linux's name, or sets it. Throws for a name there is not, and for a value out of bounds. */
  sysctl(name: string, value?: string | number | readonly number[]): string | number | number[] {
    const { sysctl } = this.host;
    const current = typeof name === 'string' ? sysctl.get(name) : -ENOENT;
    if (current === -ENOENT) throw new RangeError(`sysctl ${name}: there is no such tunable here`);
    if (value === undefined) return current;
    const error = sysctl.set(name, value);
    if (error === -EACCES) throw new RangeError(`sysctl ${name} can only be read`);
    if (error === -ENOENT)
      throw new RangeError(
        `sysctl ${name} cannot be ${JSON.stringify(value)}: there are ${sysctl.tcpAvailableCongestionControl}; ` +
          'registerCongestionControl() adds another',
      );
    if (error < 0)
      throw new RangeError(`sysctl ${name} cannot be ${JSON.stringify(value)}: ${strerror(error)}`);
    return sysctl.get(name);
  }

  /** Counters by the names of /proc/net/snmp and netstat: `{ Tcp: { InSegs: 12, … }, TcpExt: { … }, … }`. */
  snmp(): Record<string, Record<string, number>> {
    const counters = this.host.mib.snapshot();
    let established = 0;
    for (const sk of this.tcp.established) {
      if (sk.state === TCP_ESTABLISHED || sk.state === TCP_CLOSE_WAIT) established++;
    }
    counters.Tcp.CurrEstab = established;
    counters.TcpExt.BusyPollRxPackets = this.ip.routes.devices.reduce(
      (sum, { link }) => sum + (link.stats?.()?.rxBusyPolled ?? 0),
      0,
    );
    return counters;
  }

  /** Every socket, as ss(8) lists them; listeners with both of their queues. */
  sockets(): SocketRow[] {
    return socketRows(this.tcp, this.udp);
  }

  /**
   * Ends everything: calls asleep (-EINTR), processes, connections (without a word to their peers), links. What is called afterwards
   * knows no descriptor (-EBADF) and gets none (-ENETDOWN). Sockets and servers of `tapstack/net` are closed (docs/net.md). Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.kernel.interruptAll();
    // Those who were asleep see -EINTR first, and then that their descriptors are gone.
    await null;
    this.tcp.destroyAll();
    this.kernel.close();
    this.ip.close();
    await Promise.all(this.#links.map((link) => link.close()));
  }

  #interfaces(options: StackOptions): InterfaceOptions[] {
    const { link, address, gateway, neighbours, interfaces = [] } = options;
    if (link === undefined) {
      const orphan = (['address', 'gateway', 'neighbours'] as const).find(
        (name) => options[name] !== undefined,
      );
      if (orphan !== undefined)
        throw new TypeError(`\`${orphan}\` was given without a \`link\` for it to belong to`);
      return [...interfaces];
    }
    if (typeof (link as { then?: unknown }).then === 'function') {
      throw new TypeError(
        'the `link` is still a promise: await it first, or make the stack by `await Stack.create`',
      );
    }
    if (address === undefined) {
      throw new TypeError("a link needs an `address` with its prefix length, such as '192.0.2.2/24'");
    }
    return [{ link, address, gateway, neighbours }, ...interfaces];
  }

  #addInterface(options: InterfaceOptions): void {
    const { address, prefix } = parseCidr(options.address, `the address of ${options.link.name}`);
    const device = this.ip.addInterface(options.link, address, prefix);
    this.#links.push(options.link);
    for (const [ip, mac] of Object.entries(options.neighbours ?? {})) {
      const error = this.ip.addNeighbour(device, parseAddress(ip, 'a neighbour'), parseMac(mac));
      if (error < 0) throw new RangeError(`cannot add the neighbour ${ip}: ${strerror(error)}`);
    }
    if (options.gateway !== undefined) this.addRoute('0.0.0.0/0', options.gateway);
  }
}

function doctorOf(option: StackOptions['doctor']): Doctor | null {
  if (option === undefined || option === false) return null;
  return new Doctor(typeof option === 'function' ? option : emitWarning);
}

/** What is done about a link that is gone where nobody asked to be told. */
export function warnOfLink(_name: string, { message }: Error): void {
  process.emitWarning(`${message}.`, { type: 'TapstackWarning' });
}

function emitWarning({ code, message, registeredAt }: DoctorWarning): void {
  process.emitWarning(message, { type: 'EpollDoctor', code, detail: `registered at ${registeredAt}` });
}

// The world of one script: a stack of its own under a virtual clock, on a link whose other end is the script. Nothing is shared
// with other scripts, so that many can run at once.

import { IpAddress } from '../../packet/address.js';
import { Stack } from '../../stack.js';
import { VirtualClock } from '../../time/clock.js';
import { drain } from '../drain.js';
import type { ScriptConfig } from './config.js';
import { Unmet } from './outcome.js';
import { ScriptLink } from './script-link.js';

/** Virtual time at which scripts begin: not 0, so that "never" and "at the start" stay apart in the stack's stamps. */
const START_US = 100_000_000;
const PEER_MAC = '02:00:00:00:00:01';
const PREFIX = 16;
const MEMORY = 32 << 20;
/** Alarms that may fire without time moving: beyond it something goes round in circles. */
const MOST_AT_ONCE = 100_000;

export class World {
  readonly clock = new VirtualClock();
  readonly link: ScriptLink;
  readonly stack: Stack;
  /** Calls asleep: as long as there are any, every step lets programs run. */
  sleepers = 0;
  #stepsAtOnce = 0;

  constructor(config: ScriptConfig) {
    this.clock.moveTo(START_US);
    this.link = new ScriptLink(this.clock, config.mtu);
    const gateway = gatewayOf(config.localIp);
    this.stack = new Stack({
      clock: this.clock,
      seed: 1,
      memory: MEMORY,
      link: this.link,
      address: `${config.localIp}/${PREFIX}`,
      gateway,
      // As in packetdrill the peer has a line of its own in the table, which `ip route change` finds.
      routes: inSubnet(config) ? [] : [{ to: `${config.remoteIp}/32`, via: gateway }],
      neighbours: { [gateway]: PEER_MAC, ...neighbour(config) },
    });
  }

  /** Microseconds since the script began. */
  get now(): number {
    return this.clock.now() - START_US;
  }

  /** Script time of a moment of the clock. */
  scriptTime(at: number): number {
    return at - START_US;
  }

  /** Lets programs run, and what the stack has put off go out, until nobody has anything to do at this moment. */
  async settle(): Promise<void> {
    do await drain();
    while (this.link.settled());
  }

  /** The next alarm at or before script time `limit`; false if there is none. */
  async step(limit: number): Promise<boolean> {
    const before = this.clock.now();
    if (!this.clock.step(limit + START_US)) return false;
    this.#stepsAtOnce = this.clock.now() === before ? this.#stepsAtOnce + 1 : 0;
    if (this.#stepsAtOnce > MOST_AT_ONCE)
      throw new Unmet('the stack sets alarm after alarm and time stands still');
    if (this.sleepers > 0) await this.settle();
    else while (this.link.settled());
    return true;
  }

  /** Lets time pass until script time `at`. */
  async advanceTo(at: number): Promise<void> {
    while (await this.step(at));
    this.clock.moveTo(at + START_US);
  }

  async close(): Promise<void> {
    await this.stack.close();
  }
}

/** Another address of our subnet. */
function gatewayOf(local: string): string {
  const parts = local.split('.');
  return [...parts.slice(0, 3), parts[3] === '2' ? '1' : '2'].join('.');
}

/** A remote address in our own subnet is a neighbour itself. */
function neighbour(config: ScriptConfig): Record<string, string> {
  return inSubnet(config) ? { [config.remoteIp]: PEER_MAC } : {};
}

function inSubnet({ localIp, remoteIp }: ScriptConfig): boolean {
  const network = (ip: string): number => (IpAddress.parse(ip)?.a ?? 0) >>> (32 - PREFIX);
  return network(localIp) === network(remoteIp);
}

// The congestion controls of one stack by name (tcp_cong_list): what TCP_CONGESTION, a route's congctl and the sysctl choose from.

import type { Sysctl } from '../../core/sysctl.js';
import { Bbr } from './bbr.js';
import { CongestionControl } from './congestion.js';
import { Cubic } from './cubic.js';
import { Reno } from './reno.js';

/** TCP_CA_NAME_MAX, less its terminator. */
const NAME_MAX = 15;

export class CongestionControls {
  readonly #sysctl: Sysctl;
  readonly #byName = new Map<string, CongestionControl>();

  constructor(sysctl: Sysctl) {
    this.#sysctl = sysctl;
    for (const control of [new Reno(), new Cubic(), new Bbr()]) this.register(control);
  }

  /**
   * Adds one; its name must be new. @throws TypeError for what is no CongestionControl, RangeError for a name that is taken or
   * cannot be one
   */
  register(control: CongestionControl): void {
    if (!(control instanceof CongestionControl))
      throw new TypeError('A congestion control is an object of a class that extends CongestionControl.');
    const { name } = control;
    if (!/^[!-~]+$/.test(name) || name.length > NAME_MAX)
      throw new RangeError(
        `A congestion control's name is 1 to ${NAME_MAX} printable characters, not '${name}'.`,
      );
    if (this.#byName.has(name))
      throw new RangeError(`There is a congestion control named '${name}' already.`);
    this.#byName.set(name, control);
    this.#sysctl.tcpAvailableCongestionControl = [...this.#byName.keys()].join(' ');
  }

  get(name: string): CongestionControl | null {
    return this.#byName.get(name) ?? null;
  }

  /** Whoever is not root may choose it (net.ipv4.tcp_allowed_congestion_control). */
  allowed(name: string): boolean {
    return this.#sysctl.tcpAllowedCongestionControl.split(' ').includes(name);
  }

  /** That of net.ipv4.tcp_congestion_control, for new sockets. */
  get default(): CongestionControl {
    return this.#byName.get(this.#sysctl.tcpCongestionControl) as CongestionControl;
  }
}

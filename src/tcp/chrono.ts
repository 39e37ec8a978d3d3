// How long a connection has been busy sending, and what held it up meanwhile: the peer's window or its own send buffer
// (tcp_chrono_start, tcp_chrono_stop). One stopwatch runs at a time, the weightier reason's; TCP_INFO shows the sums.

import type { TcpSock } from './sock.js';

export const CHRONO_BUSY = 1;
export const CHRONO_RWND_LIMITED = 2;
export const CHRONO_SNDBUF_LIMITED = 3;

/** Made with the first data; microseconds, indexed by CHRONO_*. Of the clock's own: `nowUs` would come round in half an hour of one reason. */
export class Chrono {
  running = 0;
  readonly #sums = [0, 0, 0, 0];
  #sinceUs = 0;

  switchTo(reason: number, nowUs: number): void {
    this.#sums[this.running] += nowUs - this.#sinceUs;
    this.running = reason;
    this.#sinceUs = nowUs;
  }

  /** Nothing but busy time, and that is over. */
  get plain(): boolean {
    return (
      this.running === 0 && this.#sums[CHRONO_RWND_LIMITED] === 0 && this.#sums[CHRONO_SNDBUF_LIMITED] === 0
    );
  }

  /** Takes the busy time of a plain one out. */
  takeBusy(): number {
    const busy = this.#sums[CHRONO_BUSY];
    this.#sums[CHRONO_BUSY] = 0;
    return busy;
  }

  /** What `reason` has taken in all; busy time includes the others. */
  total(reason: number, nowUs: number): number {
    let sum = 0;
    for (let i = reason; i <= (reason === CHRONO_BUSY ? CHRONO_SNDBUF_LIMITED : reason); i++) {
      sum += this.#sums[i] + (this.running === i ? nowUs - this.#sinceUs : 0);
    }
    return sum;
  }
}

export function chronoStart(sk: TcpSock, reason: number): void {
  if (sk.tx.chrono === null) {
    sk.tx.chrono = new Chrono();
    sk.tx.chrono.switchTo(0, sk.host.clock.recent);
  }
  if (reason > sk.tx.chrono.running) sk.tx.chrono.switchTo(reason, sk.host.clock.recent);
}

/** The reason is gone: as long as anything is unacknowledged the connection is busy still. */
export function chronoStop(sk: TcpSock, reason: number): void {
  const { chrono } = sk.tx;
  if (chrono === null || chrono.running === 0) return;
  if (sk.writeQueue.count === 0) chrono.switchTo(0, sk.host.clock.recent);
  else if (chrono.running === reason && reason !== CHRONO_BUSY)
    chrono.switchTo(CHRONO_BUSY, sk.host.clock.recent);
}

/** For TCP_INFO. */
export function chronoTotal(sk: TcpSock, reason: number): number {
  const before = reason === CHRONO_BUSY ? sk.busyUs : 0;
  return before + (sk.tx.chrono === null ? 0 : sk.tx.chrono.total(reason, sk.host.clock.recent));
}

// The yes and no of a sock, and its small numbers, in one word: as fields they would take eight bytes apiece of every idle
// connection. The low bits are for every kind of sock, those from FLAG_BITS on for its protocol.

const NO_SPACE = 1 << 0;
const ORPHAN = 1 << 1;
const OWNED = 1 << 2;
const SHUTDOWN_SHIFT = 3;
const SHUTDOWN_BITS = 3 << SHUTDOWN_SHIFT;
const USERLOCKS_SHIFT = 5;
const USERLOCKS_BITS = 15 << USERLOCKS_SHIFT;

/** How many bits are taken here. */
export const FLAG_BITS = 9;

export abstract class FlagWord {
  /** All of it; the accessors say what is where. */
  protected bits = 0;

  /** SOCK_NOSPACE: somebody looked and found no room to send, so tell when there is. */
  get noSpace(): boolean {
    return (this.bits & NO_SPACE) !== 0;
  }

  set noSpace(on: boolean) {
    this.bits = on ? this.bits | NO_SPACE : this.bits & ~NO_SPACE;
  }

  /** SOCK_DEAD: no socket above any more. */
  get orphan(): boolean {
    return (this.bits & ORPHAN) !== 0;
  }

  set orphan(on: boolean) {
    this.bits = on ? this.bits | ORPHAN : this.bits & ~ORPHAN;
  }

  /** A syscall is inside this sock: loopback segments for it wait in the backlog (sk_lock.owned). */
  get owned(): boolean {
    return (this.bits & OWNED) !== 0;
  }

  set owned(on: boolean) {
    this.bits = on ? this.bits | OWNED : this.bits & ~OWNED;
  }

  /** RCV_SHUTDOWN, SEND_SHUTDOWN */
  get shutdown(): number {
    return (this.bits & SHUTDOWN_BITS) >> SHUTDOWN_SHIFT;
  }

  set shutdown(mask: number) {
    this.bits = (this.bits & ~SHUTDOWN_BITS) | (mask << SHUTDOWN_SHIFT);
  }

  /** SOCK_*_LOCK: sizes and addresses that the user fixed (sk_userlocks). */
  get userlocks(): number {
    return (this.bits & USERLOCKS_BITS) >> USERLOCKS_SHIFT;
  }

  set userlocks(mask: number) {
    this.bits = (this.bits & ~USERLOCKS_BITS) | (mask << USERLOCKS_SHIFT);
  }
}

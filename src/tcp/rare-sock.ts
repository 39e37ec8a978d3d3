// What few socks have, as if each had it: it stands in a record that all others share (rare-state.ts), so that an idle connection
// does not pay for it.

import type { Timer } from '../time/timer-wheel.js';
import type { Backlog } from './backlog.js';
import { FastOpenState } from './fastopen/fastopen.js';
import { FlaggedSock } from './flagged-sock.js';
import type { ListenState } from './listen/listen-state.js';
import type { MtuProbing } from './path/mtu-probe.js';
import { NOTHING_RARE, RareState } from './rare-state.js';

/** A sock with what few have; its own record of that is made when the first of it is set. */
export abstract class RareSock extends FlaggedSock {
  /** What few have: a listener's queues, Fast Open, a backlog …; NOTHING_RARE, which must not be written to, until `ownRare`. */
  rare: RareState = NOTHING_RARE;

  /** Its own record of what few have, made now if it had none. */
  ownRare(): RareState {
    if (this.rare === NOTHING_RARE) this.rare = new RareState();
    return this.rare;
  }

  /** sk_backlog: segments that came while a call was inside. */
  get backlog(): Backlog | null {
    return this.rare.backlog;
  }

  /** A listener's queues (icsk_accept_queue); else null. */
  get listener(): ListenState | null {
    return this.rare.listener;
  }

  set listener(listener: ListenState | null) {
    if (listener !== this.rare.listener) this.ownRare().listener = listener;
  }

  /** Its part in Fast Open (RFC 7413), if it has any. */
  get fastopen(): FastOpenState | null {
    return this.rare.fastopen;
  }

  /** What it has to do with Fast Open, made now if there was nothing yet. */
  ownFastOpen(): FastOpenState {
    const rare = this.ownRare();
    rare.fastopen ??= new FastOpenState();
    return rare.fastopen;
  }

  /** icsk_mtup: the search for larger packets (RFC 4821), while there is one. */
  get mtup(): MtuProbing | null {
    return this.rare.mtup;
  }

  set mtup(mtup: MtuProbing | null) {
    if (mtup !== this.rare.mtup) this.ownRare().mtup = mtup;
  }

  /** snd_cwnd_clamp: bound of `sndCwnd`, segments. */
  get sndCwndClamp(): number {
    return this.rare.sndCwndClamp;
  }

  set sndCwndClamp(clamp: number) {
    if (clamp !== this.rare.sndCwndClamp) this.ownRare().sndCwndClamp = clamp;
  }

  /** sk_timer, once it was needed. */
  get keepaliveTimer(): Timer | null {
    return this.rare.keepaliveTimer;
  }
}

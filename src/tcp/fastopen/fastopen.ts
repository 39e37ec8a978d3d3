// What Fast Open (RFC 7413) keeps: per sock, null for those that have nothing to do with it; per listener, the queue that bounds
// how many unfinished handshakes may have children; and per stack, the keys and what tells of a black hole.

import type { Host } from '../../core/host.js';
import { TcpExt } from '../../core/mib.js';
import type { RequestSock } from '../listen/request-sock.js';
import { FastOpenContext, TCP_FASTOPEN_KEY_LENGTH } from './fastopen-cookie.js';

/** Bits of net.ipv4.tcp_fastopen. */
export const TFO_CLIENT_ENABLE = 1;
export const TFO_SERVER_ENABLE = 2;
/** The client sends data in the SYN without having a cookie. */
export const TFO_CLIENT_NO_COOKIE = 4;
/** The server takes data of SYNs without a cookie. */
export const TFO_SERVER_COOKIE_NOT_REQD = 0x200;
/** Listeners need no TCP_FASTOPEN. */
export const TFO_SERVER_WO_SOCKOPT1 = 0x400;

/** tcpi_fastopen_client_fail: why the data of the SYN did not get through. */
export const TFO_STATUS_UNSPEC = 0;
export const TFO_COOKIE_UNAVAILABLE = 1;
export const TFO_DATA_NOT_ACKED = 2;
export const TFO_SYN_RETRANSMITTED = 3;

const NO_COOKIE = new Uint8Array(0);
/** Reset requests count against the queue for a minute, so that spoofed SYNs close it (reqsk_fastopen_remove). */
const RESET_HOLD_MS = 60_000;
/** Each black hole doubles the pause, up to 64 times the first. */
const MAX_DOUBLINGS = 6;

/** An active open with Fast Open under way (struct tcp_fastopen_request). */
export class FastOpenRequest {
  /** Null: the SYN bears no option. Empty: it asks for a cookie. */
  cookie: Uint8Array | null = NO_COOKIE;
  exp = false;
  readonly data: Uint8Array;
  readonly size: number;
  /** Bytes that were taken for the SYN. */
  copied = 0;

  constructor(data: Uint8Array, size: number) {
    this.data = data;
    this.size = size;
  }
}

/** One sock's part in Fast Open. */
export class FastOpenState {
  /** TCP_FASTOPEN_CONNECT and TCP_FASTOPEN_NO_COOKIE. */
  connect = false;
  noCookie = false;
  /** TCP_FASTOPEN of a listener, and its key; null: never asked for. */
  queue: FastOpenQueue | null = null;
  /** Passive: the handshake that the child was born before the end of (fastopen_rsk). */
  rsk: RequestSock | null = null;

  /** Active: connect() has been put off until there is data for the SYN (DEFER_CONNECT). */
  deferred = false;
  request: FastOpenRequest | null = null;
  /** A write goes on waiting with more than the SYN took (sk_write_pending). */
  writePending = false;
  /** The SYN bore the option; the experimental one; and its fate shall prove that a black hole is gone. */
  synFastopen = false;
  synFastopenExp = false;
  synFastopenCh = false;
  /** The SYN bore data; and it was acknowledged by the SYN-ACK (passive: data came with the SYN). */
  synData = false;
  synDataAcked = false;
  clientFail = TFO_STATUS_UNSPEC;

  /** tcp_disconnect: what was set by options stays. */
  forget(): void {
    this.rsk = null;
    this.deferred = false;
    this.request = null;
    this.writePending = false;
    this.synFastopen = false;
    this.synFastopenExp = false;
    this.synFastopenCh = false;
    this.synData = false;
    this.synDataAcked = false;
    this.clientFail = TFO_STATUS_UNSPEC;
  }
}

/** struct fastopen_queue */
export class FastOpenQueue {
  /** Children born of a SYN whose handshake is not over; with it those that were reset of late. */
  length = 0;
  maxLength = 0;
  /** TCP_FASTOPEN_KEY; null: the stack's key. */
  context: FastOpenContext | null = null;
  /** When those that were reset will be forgotten, oldest first. */
  readonly #resets: number[] = [];

  /** reqsk_queue_alloc: a listener begins anew. */
  clear(): void {
    this.length = 0;
    this.#resets.length = 0;
  }

  /** tcp_fastopen_queue_check: whether another child may be born, for which the oldest reset may be forgotten. */
  hasRoom(host: Host): boolean {
    if (this.maxLength === 0) return false;
    if (this.length < this.maxLength) return true;
    if (this.#resets.length === 0 || ((this.#resets[0] - host.nowMs) | 0) > 0) {
      host.mib.count(TcpExt.TCPFastOpenListenOverflow);
      return false;
    }
    this.#resets.shift();
    this.length--;
    return true;
  }

  /** reqsk_fastopen_remove: a handshake is over. `hold`: by a reset after accept(), which goes on counting for a while. */
  remove(host: Host, hold: boolean): void {
    if (hold) this.#resets.push((host.nowMs + RESET_HOLD_MS) | 0);
    else this.length--;
  }
}

/** What all socks of a stack share: the key, and the pause after a black hole (struct netns_ipv4). */
export class FastOpenShared {
  readonly #host: Host;
  #text = '';
  #context: FastOpenContext | null = null;
  #disableStamp = 0;
  #disableTimes = 0;

  constructor(host: Host) {
    this.#host = host;
    host.sysctl.watch('tcpFastopenBlackholeTimeoutSec', () => {
      this.#disableTimes = 0;
    });
  }

  /** The key of net.ipv4.tcp_fastopen_key; null: none was set or drawn. */
  get context(): FastOpenContext | null {
    const { tcpFastopenKey } = this.#host.sysctl;
    if (tcpFastopenKey === '') return null;
    if (tcpFastopenKey !== this.#text) {
      this.#text = tcpFastopenKey;
      this.#context = FastOpenContext.parse(tcpFastopenKey);
    }
    return this.#context;
  }

  /** tcp_fastopen_init_key_once: somebody will need a key, so draw one if there is none. */
  initKey(): void {
    const { sysctl, random } = this.#host;
    if (sysctl.tcpFastopenKey !== '') return;
    const key = new Uint8Array(TCP_FASTOPEN_KEY_LENGTH);
    const view = new DataView(key.buffer);
    for (let at = 0; at < key.length; at += 4) view.setInt32(at, random.int32());
    sysctl.tcpFastopenKey = new FastOpenContext(key, null).toString();
  }

  /** tcp_fastopen_active_disable: something on the way swallows such connections; none for a while. */
  disableActive(): void {
    if (this.#host.sysctl.tcpFastopenBlackholeTimeoutSec === 0) return;
    this.#disableStamp = this.#host.nowMs;
    this.#disableTimes++;
    this.#host.mib.count(TcpExt.TCPFastOpenBlackhole);
  }

  /** tcp_fastopen_active_should_disable: after the pause the next connection is to find out whether it works again. */
  shouldDisable(state: FastOpenState): boolean {
    const seconds = this.#host.sysctl.tcpFastopenBlackholeTimeoutSec;
    if (seconds === 0 || this.#disableTimes === 0) return false;
    const pause = 2 ** Math.min(this.#disableTimes - 1, MAX_DOUBLINGS) * seconds * 1000;
    if ((this.#host.nowMs - this.#disableStamp) >>> 0 < pause) return true;
    state.synFastopenCh = true;
    return false;
  }

  /** Data came on a connection opened so after the pause: there is no black hole. */
  proveActive(): void {
    this.#disableTimes = 0;
  }
}

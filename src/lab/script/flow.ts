// One connection as the script and the stack know it: whose addresses and ports, and how the script's small numbers map to the
// live ones. In SYN segments sequence numbers are absolute, in all others relative to the initial ones; timestamps map by what
// was seen leaving.

/** How far the script has come with a connection. */
export type FlowState =
  | 'new'
  | 'listening'
  | 'connecting'
  | 'syn-sent'
  | 'syn-acked'
  | 'packet-received'
  | 'synack-sent'
  | 'synack-acked';

export interface End {
  ip: string;
  /** 0: not known yet. */
  port: number;
}

export class Flow {
  readonly protocol: 'tcp' | 'udp';
  state: FlowState = 'new';
  readonly local: End;
  readonly remote: End;
  /** The peer's initial sequence number: the script's is the live one. */
  remoteIsn = 0;
  /** Ours, as the script writes it in the SYN, and as the stack chose it. */
  scriptIsn = 0;
  liveIsn = 0;
  /** Script fd, once it has one. */
  fd: number | null = null;

  /** Script timestamp to live timestamp, of segments that left. */
  readonly #timestamps = new Map<number, number>();
  #firstScriptTs: number | null = null;
  #firstLiveTs = 0;

  constructor(protocol: 'tcp' | 'udp', local: End, remote: End) {
    this.protocol = protocol;
    this.local = local;
    this.remote = remote;
  }

  /** Added to one of our script's sequence numbers gives the live one (for what acknowledges us too). */
  localOffset(syn: boolean): number {
    return syn ? (this.liveIsn - this.scriptIsn) | 0 : this.liveIsn | 0;
  }

  /** The same for the peer's. */
  remoteOffset(syn: boolean): number {
    return syn ? 0 : this.remoteIsn | 0;
  }

  /** A segment left with timestamp `live` where the script says `script`. */
  sawTimestamp(script: number, live: number): void {
    this.#timestamps.set(script, live);
    if (this.#firstScriptTs !== null) return;
    this.#firstScriptTs = script;
    this.#firstLiveTs = live;
  }

  /** What an inbound `ecr` means: null if no segment with that timestamp has left. `scaled`: then count from the first. */
  echoed(script: number, scaled: boolean): number | null {
    const live = this.#timestamps.get(script);
    if (live !== undefined) return live;
    if (!scaled || this.#firstScriptTs === null) return null;
    return (script - this.#firstScriptTs + this.#firstLiveTs) >>> 0;
  }

  /** A live timestamp of ours on the script's scale. */
  scriptTimestamp(live: number): number {
    return this.#firstScriptTs === null ? live : (live - this.#firstLiveTs + this.#firstScriptTs) >>> 0;
  }
}

/** Numbers as a program sees them: unsigned 32 bits. */
export function shift(value: number, offset: number): number {
  return (value + offset) >>> 0;
}

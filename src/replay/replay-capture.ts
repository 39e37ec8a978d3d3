// A capture of a replay, frame by frame with what the stack made of each: why it was dropped, where its bytes went, which state it led to,
// and of what is sent, what sent it. Wireshark shows it as a packet comment.

import { LinkMib } from '../core/mib.js';
import { onTrace, type TraceEvents, type TraceMessage, type TraceName } from '../core/trace.js';
import { type FrameSink, recordReceived, recordSent } from '../link/frame-recorder.js';
import { RX_WORDS } from '../link/link.js';
import { PcapngWriter } from '../link/pcapng.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { TCP_STATE_NAMES } from '../uapi/tcp.js';
import type { ReplayLink } from './replay-link.js';
import type { Onlooker, Replayer } from './replayer.js';

interface Kept {
  readonly frame: Uint8Array;
  readonly time: number;
  readonly direction: number;
  readonly interface_: number;
  readonly comments: string[];
}

/** Keeps frames as they come, until it is known what became of them. */
class Keeper implements FrameSink {
  readonly bytes = new Uint8Array(1 << 17);
  readonly view = new DataView(this.bytes.buffer);
  readonly frames: Kept[] = [];
  comments: readonly string[] = [];
  #length = 0;
  #next: Omit<Kept, 'frame' | 'comments'> = { time: 0, direction: 0, interface_: 0 };

  reserve(length: number, time: number, direction: number, interface_: number): number {
    this.#length = length;
    this.#next = { time, direction, interface_ };
    return 0;
  }

  commit(): void {
    const frame = this.bytes.slice(0, this.#length);
    this.frames.push({ ...this.#next, frame, comments: [...this.comments] });
  }
}

const POINTS: readonly TraceName[] = ['kfree_skb', 'tcp_data_queue', 'tcp_set_state'];

export class ReplayCapture implements Onlooker {
  readonly #replayer: Replayer;
  readonly #writer: PcapngWriter;
  readonly #keeper = new Keeper();
  readonly #stopTrace: () => void;
  #text: () => string = () => '';
  #depth = 0;
  /** The frames of the batch that is being received, and the counter of frames when it came. */
  #batch: Kept[] = [];
  #before = 0;

  /** @throws if the file cannot be made */
  constructor(replayer: Replayer, path: string) {
    this.#replayer = replayer;
    this.#writer = new PcapngWriter(
      path,
      replayer.links.map(({ name }) => name),
    );
    this.#stopTrace = onTrace((name, message) => this.#traced(name, message), POINTS);
  }

  begins(number: number, text: () => string): void {
    this.#depth++;
    this.#text = () => `event ${number}: ${text()}`;
  }

  ends(): void {
    if (--this.#depth > 0) return;
    this.#batch = [];
    for (const { frame, time, direction, interface_, comments } of this.#keeper.frames.splice(0))
      this.#writer.write(frame, time, direction, interface_, comments.join('; '));
  }

  received(link: ReplayLink, memory: PacketMemory, descriptors: Int32Array): void {
    const { links, stack } = this.#replayer;
    const first = this.#keeper.frames.length;
    this.#keeper.comments = [this.#event()];
    for (let at = 0; at < descriptors.length; at += RX_WORDS)
      recordReceived(this.#keeper, memory, descriptors, at, this.#now(), links.indexOf(link));
    this.#batch = this.#keeper.frames.slice(first);
    this.#before = stack?.host.mib.values[LinkMib.RxFrames] ?? 0;
  }

  sent(link: ReplayLink, memory: PacketMemory, at: number): void {
    this.#keeper.comments = [this.#text()];
    recordSent(this.#keeper, memory, at, this.#now(), this.#replayer.links.indexOf(link));
  }

  /** The whole of it; rejects nothing, and says what could not be written. */
  close(): Error | null {
    this.#stopTrace();
    this.#depth = 1;
    this.ends();
    this.#writer.close();
    return this.#writer.error;
  }

  #event(): string {
    return `event ${this.#replayer.event}`;
  }

  #now(): number {
    const { clock } = this.#replayer;
    return clock.epoch + clock.recent;
  }

  /** Belongs to the frame that the stack has come to. */
  #traced(name: TraceName, message: TraceMessage): void {
    const { stack } = this.#replayer;
    if (stack === null || message.host !== stack.host) return;
    const at = stack.host.mib.values[LinkMib.RxFrames] - this.#before - 1;
    this.#batch[at]?.comments.push(words(name, message));
  }
}

function words(name: TraceName, message: TraceMessage): string {
  if (name === 'kfree_skb') return `dropped: ${(message as TraceEvents['kfree_skb']).reason}`;
  if (name === 'tcp_data_queue') {
    const { length, verdict } = message as TraceEvents['tcp_data_queue'];
    return `${length} bytes ${verdict}`;
  }
  const { from, to } = message as TraceEvents['tcp_set_state'];
  return `${TCP_STATE_NAMES[from]} -> ${TCP_STATE_NAMES[to]}`;
}

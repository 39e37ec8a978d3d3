// A Linux TAP device as a link: its other end is an ordinary network interface of the host (or of a network namespace),
// so the host's programs can talk to the stack. Frames are moved by the addon, in batches, through packet memory.

import { type Known, refuseUnknown } from '../core/known-options.js';
import { SystemRandom } from '../core/random.js';
import type { PacketMemory } from '../memory/packet-memory.js';
import { CHUNK_LARGE } from '../memory/packet-memory.js';
import { CTRL_FLUSH } from '../memory/ring-control.js';
import { LINK_F_CSUM, LINK_F_ECN, LINK_F_TSO4, type Link, type LinkReceiver, RX_WORDS } from './link.js';
import { type Nic, type NicInfo, type NicStats, nativeNic, type SystemError } from './native-nic.js';
import { type BusyPoll, beginChoices, type NapiMode, type TapChoices, tapWish } from './tap-choices.js';
import { TX_SLOT, TxRing } from './tx-ring.js';

/** How a TAP device is opened, and made where it is not there. */
export interface TapOptions {
  /** Device name, at most 15 characters; an existing TAP is attached to, else one is made. Default 'tap0'. */
  name?: string;
  /** Largest IP packet in bytes, 68 to 65521. Default 1500. */
  mtu?: number;
  /** Address and prefix length of the host's side, such as '10.0.0.1/24'. Default: the host's addresses are left alone. */
  hostAddress?: string;
  /** Ethernet address of the host's side, such as '02:00:00:00:00:01'. Default: the kernel's choice. */
  hostMac?: string;
  /** Ethernet address of the stack's side. Default: random, locally administered. */
  mac?: string;
  /** Hand checksums and segmentation to the kernel where it can take them. Default true. */
  offload?: boolean;
  /** Join consecutive segments of a connection while they are received, so that they cost one header. Default true. */
  gro?: boolean;
  /** Network namespace for the host's side, as `ip netns` names it; made if absent, and then removed at close. */
  netns?: string;
  /**
   * Microseconds, 0 to 10,000, for which the event loop looks for frames again and again before it sleeps, as SO_BUSY_POLL does:
   * shorter round trips for a busy processor. Adaptive: it spins only where frames follow each other that closely. `'auto'`: 100 while
   * clearly more gets through that way, for about as much processor time as sleeping and being woken takes, else 0; always 0 with
   * one processor, or where others want them all. Default 'auto'.
   */
  busyPoll?: BusyPoll;
  /**
   * Who does the host's share of what is sent. `'softirq'`: we do, within our writes, as on any TAP. `'threaded'`: a thread of the
   * kernel's, on another processor if there is one (threaded NAPI); ERR_NO_THREADED_NAPI where that cannot be had. `'auto'`: the thread while the event loop is busy and
   * more gets through with it; never with a fixed `busyPoll` above 0, `persist`, a device that was there before, or one processor. Default 'auto'.
   */
  napi?: NapiMode;
  /** Leave the device (and a namespace made for it) behind at close. Default false. */
  persist?: boolean;
}

const TAP_OPTIONS: Known<TapOptions> = {
  name: true,
  hostAddress: true,
  mtu: true,
  hostMac: true,
  mac: true,
  offload: true,
  gro: true,
  netns: true,
  busyPoll: true,
  napi: true,
  persist: true,
};

const TX_SLOTS = 1024;
const RX_SLOTS = 512;
/** Blocks posted for receiving: a batch of at most two mebibytes of large frames. */
const RX_BLOCKS = 32;
/** The part of a small packet memory that may be posted; the rest is for the queues. */
const RX_SHARE = 8;

function parseMac(text: string): Uint8Array {
  const wellFormed = typeof text === 'string' && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text);
  const bytes = Uint8Array.from(String(text).split(':'), (part) => parseInt(part, 16));
  if (!wellFormed || bytes[0] & 1 || bytes.every((byte) => byte === 0)) {
    throw Object.assign(
      new TypeError(`'${text}' is not the MAC address of one station; write it like 02:00:00:00:00:02`),
      { code: 'EINVAL' },
    );
  }
  return bytes;
}

/** eth_random_addr: unicast, locally administered. */
function randomMac(): Uint8Array {
  const random = new SystemRandom();
  const mac = new Uint8Array(6);
  new DataView(mac.buffer).setInt32(0, random.int32());
  new DataView(mac.buffer).setInt16(4, random.int32());
  mac[0] = (mac[0] & 0xfe) | 0x02;
  return mac;
}

/** The host's end of a cable: a Linux TAP device, and our Ethernet address on it. `TapLink.open` makes one. */
export class TapLink implements Link {
  /** The device's name, as `ip link` on the host shows it. */
  readonly name: string;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly features: number;
  readonly runsPrograms = true;
  /** What the kernel granted, and whether the device and its namespace were made by us. */
  readonly info: NicInfo;

  readonly #nic: Nic;
  #tx: TxRing | null = null;
  #flushWord = 0;
  #rxList = 0;
  #rxBlocks = 0;
  #words: Int32Array = new Int32Array(0);
  #memory: PacketMemory | null = null;
  #closed = false;
  readonly #choices: TapChoices | null;

  private constructor(nic: Nic, mac: Uint8Array, choices: TapChoices | null) {
    this.#nic = nic;
    this.#choices = choices;
    this.info = nic.info;
    this.name = nic.info.name;
    this.mtu = nic.info.mtu;
    this.mac = mac;
    // A device without a virtio header has its TSO frames cut by the NIC: the features are the same either way.
    this.features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_ECN;
  }

  /**
   * Opens the device, configures the host's side and brings it up. Rejects with a `code`: EPERM or EACCES (not
   * permitted), ERR_TUN_CLOSED (not permitted to open /dev/net/tun at all), ENOENT (there is none), ENOTTY (something else of that name),
   * EBUSY (in use), EEXIST (the name belongs to something else), EINVAL, ERR_ROUTE_SHADOW (the host has such a route or address
   * already), ERR_NO_THREADED_NAPI (`napi: 'threaded'` cannot be had), ENOTSUP (not Linux), ERR_ADDON_MISSING. Nothing is left behind then.
   */
  static async open(options: TapOptions = {}): Promise<TapLink> {
    return TapLink.openSync(options);
  }

  /** `open` at once; throws what `open` rejects with. */
  static openSync(options: TapOptions = {}): TapLink {
    refuseUnknown('a TAP device', options, TAP_OPTIONS);
    const mac = options.mac === undefined ? randomMac() : parseMac(options.mac);
    const wish = tapWish(options);
    const { Nic } = nativeNic();
    const nic = new Nic({
      name: options.name ?? 'tap0',
      netns: options.netns,
      hostAddress: options.hostAddress,
      hostMac: options.hostMac,
      mtu: options.mtu ?? 1500,
      offload: options.offload ?? true,
      noGro: options.gro === false,
      persist: wish.persist,
      napi: wish.napi !== 'softirq',
    });
    return new TapLink(nic, mac, beginChoices(nic, wish));
  }

  get tx(): TxRing {
    if (this.#tx === null)
      throw new Error(`${this.name} has no transmit ring before it is attached to a stack`);
    return this.#tx;
  }

  attach(receiver: LinkReceiver, memory: PacketMemory): void {
    if (this.#tx !== null) throw new Error(`${this.name} is attached to a stack already`);
    const tx = new TxRing(memory, TX_SLOTS);
    const rxDescOffset = memory.region(RX_SLOTS * RX_WORDS * 4);
    const rxListOffset = memory.region(RX_BLOCKS * 4);
    const rxBlocks = Math.min(RX_BLOCKS, Math.floor(memory.capacity / CHUNK_LARGE / RX_SHARE));
    if (memory.post(rxListOffset >> 2, rxBlocks) === 0) {
      memory.unwatchRing(tx.ctrl);
      throw new Error(
        'a link must be attached before traffic fills the packet memory: it has nothing to receive into',
      );
    }
    const descriptors = new Int32Array(memory.buffer, rxDescOffset, RX_SLOTS * RX_WORDS);
    const layout = {
      rxListOffset,
      rxBlocks,
      rxBlockSize: CHUNK_LARGE,
      rxDescOffset,
      rxDescCount: RX_SLOTS,
      txHeaderOffset: tx.headers,
      txHeaderSlot: TX_SLOT,
      txSlots: TX_SLOTS,
      txDescOffset: tx.descriptors,
      ctrlOffset: tx.ctrl * 4,
    };
    this.#tx = tx;
    this.#memory = memory;
    this.#rxList = rxListOffset >> 2;
    this.#rxBlocks = rxBlocks;
    this.#words = memory.words;
    this.#flushWord = tx.ctrl + CTRL_FLUSH;
    this.#nic.start(
      memory.buffer,
      layout,
      (count) => {
        receiver.receiveBatch(this, descriptors, count);
        this.#choices?.batch();
      },
      () => receiver.flushDeferred(),
      (code, message) => {
        const error: SystemError = Object.assign(new Error(message), { code });
        this.#release();
        receiver.linkDown(this, error);
      },
    );
  }

  requestFlush(): void {
    this.#words[this.#flushWord] = 1;
  }

  flush(): void {
    this.#nic.flush();
  }

  /**
   * Receives what is waiting and sends, now: what a turn of the event loop does, for whom none will come any more (an 'exit'
   * listener). Not for use inside a callback of the link.
   */
  poll(): void {
    this.#nic.turn();
  }

  takeIn(): boolean {
    return this.#nic.takeIn();
  }

  /** Keeps the event loop alive while the device is open (the default), or does not. */
  ref(): this {
    this.#nic.ref();
    return this;
  }

  /** An open device alone no longer keeps the process alive. */
  unref(): this {
    this.#nic.unref();
    return this;
  }

  /** The NIC's counters; they stay readable after `close`. */
  stats(): NicStats {
    return this.#nic.stats();
  }

  /** Sends what is in the ring and frees the device, and whatever was made for it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#nic.flush();
    this.#nic.close();
    this.#release();
  }

  /** The NIC will not look at the ring again: nobody needs to wait for it. */
  #release(): void {
    if (this.#tx === null || this.#memory === null) return;
    this.#memory.unwatchRing(this.#tx.ctrl);
    this.#memory.unpost(this.#rxList, this.#rxBlocks);
  }
}

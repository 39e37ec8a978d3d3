// A link whose far end is a crowd of TCP clients without memory: each SYN-ACK is answered from what it says itself, so that a
// hundred thousand connections cost the client nothing, and all that grows is the stack. For measuring it, not for testing it.

const ARENA = 1 << 18;
const BATCH = 256;
const SLOTS = 1024;
const RX_L4_OK = 1;
/** Where a frame's fields are: Ethernet, IPv4 without options, TCP. */
const IP = 14;
const TCP = IP + 20;
const SYN = 0x02;
const PSH = 0x08;
const ACK = 0x10;
const OUR_MAC = [0x02, 0x74, 0x61, 0x70, 0x00, 0x01];
/** Ports of one client address, so that few addresses make many clients. */
const FIRST_PORT = 1024;
const PORTS = 60_000;
const CLIENT_SEQ = 0x1000;

/** The clients' side of the wire: the gateway that all of them stand behind. */
export const GATEWAY = '10.0.0.1';
export const GATEWAY_MAC = '02:74:61:70:00:02';
const FIRST_CLIENT = 0x0a010001;

export class CrowdLink {
  name = 'crowd0';
  mtu = 1500;
  mac = Uint8Array.from(OUR_MAC);
  features = 1;
  tx = null;
  /** Handshakes that were completed, and data segments that came back. */
  opened = 0;
  answers = 0;
  /** Where the connection opened last stands, in the server's sequence numbers. */
  lastAck = 0;
  #receiver = null;
  #memory = null;
  #arena = 0;
  #at = 0;
  #count = 0;
  #wantsFlush = false;
  #request = 0;
  #descriptors = new Int32Array(BATCH * 4);
  #ring;

  /** @param TxRing the stack's own class, which the package does not export. */
  constructor(TxRing) {
    this.#ring = TxRing;
  }

  attach(receiver, memory) {
    this.#receiver = receiver;
    this.#memory = memory;
    this.#arena = memory.region(ARENA);
    this.tx = new this.#ring(memory, SLOTS);
  }

  requestFlush() {
    this.#wantsFlush = true;
  }

  flush() {}

  async close() {}

  /**
   * Opens connections `from` up to `to` to the port; `turn` is awaited between batches, for the server to accept. With
   * `request` each also asks for so many bytes once, and acknowledges the answer.
   */
  async open(from, to, port, turn, request = 0) {
    this.#request = request;
    for (let i = from; i < to; ) {
      const until = Math.min(to, i + BATCH / 2);
      for (; i < until; i++) this.#segment(i, port, SYN, CLIENT_SEQ, 0, 0);
      this.#deliver();
      this.#answer();
      this.#deliver();
      await turn();
      this.#finish();
    }
  }

  /** One round trip of `length` bytes on connection `index`, whose answer must come within `turn`. */
  async roundTrip(index, port, state, length, turn) {
    this.#segment(index, port, PSH | ACK, state.seq, state.ack, length);
    state.seq = (state.seq + length) | 0;
    this.#deliver();
    await turn();
    this.#finish(state);
  }

  /** Connection `index` acknowledges the last answer, as its next request would: before a pause, which would send it again. */
  acknowledge(index, port, state) {
    this.#segment(index, port, ACK, state.seq, state.ack, 0);
    this.#deliver();
  }

  /** What was put off is sent, and what was sent is taken from the ring. */
  #finish(state = null) {
    if (this.#wantsFlush) {
      this.#wantsFlush = false;
      this.#receiver.flushDeferred();
    }
    this.#answer(state);
    this.#deliver();
  }

  /** A client's segment; its sequence number tells all that it knows. */
  #segment(index, port, flags, seq, ack, length) {
    const { view } = this.#memory;
    const frame = this.#arena + this.#at;
    const synOptions = (flags & SYN) !== 0;
    const headers = synOptions ? 32 : 20;
    const total = 20 + headers + length;
    view.setUint16(frame, 0x0274);
    view.setUint32(frame + 2, 0x61700001);
    view.setUint16(frame + 6, 0x0274);
    view.setUint32(frame + 8, 0x61700002);
    view.setUint16(frame + 12, 0x0800);
    view.setUint32(frame + IP, 0x45000000 | total);
    view.setUint32(frame + IP + 4, 0x00004000);
    view.setUint32(frame + IP + 8, 0x40060000);
    view.setUint32(frame + IP + 12, FIRST_CLIENT + Math.floor(index / PORTS));
    view.setUint32(frame + IP + 16, 0x0a000002);
    view.setUint16(frame + TCP, FIRST_PORT + (index % PORTS));
    view.setUint16(frame + TCP + 2, port);
    view.setInt32(frame + TCP + 4, seq);
    view.setInt32(frame + TCP + 8, ack);
    view.setUint16(frame + TCP + 12, (headers << 10) | flags);
    view.setUint16(frame + TCP + 14, 0xffff);
    view.setUint32(frame + TCP + 16, 0);
    if (synOptions) {
      // MSS 1460, SACK permitted, window scale 7: a Linux client's, but for timestamps, which need a memory.
      view.setUint32(frame + TCP + 20, 0x020405b4);
      view.setUint32(frame + TCP + 24, 0x01010402);
      view.setUint32(frame + TCP + 28, 0x01030307);
    }
    this.#descriptors.set([frame, IP + total, RX_L4_OK, 0], this.#count * 4);
    this.#count++;
    this.#at = (this.#at + IP + total + 15) & ~15;
  }

  #deliver() {
    const count = this.#count;
    this.#count = 0;
    this.#at = 0;
    if (count > 0) this.#receiver.receiveBatch(this, this.#descriptors, count);
  }

  /** Takes what the stack has sent; SYN-ACKs are acknowledged. */
  #answer(state = null) {
    const { view, words } = this.#memory;
    for (let at = this.tx.front(); at >= 0; at = this.tx.front()) {
      const frame = words[at];
      const flags = view.getUint8(frame + TCP + 13);
      const payload = words[at + 3] + words[at + 5] + words[at + 7];
      const seq = view.getInt32(frame + TCP + 4);
      const address = view.getUint32(frame + IP + 16) - FIRST_CLIENT;
      const index = address * PORTS + view.getUint16(frame + TCP + 2) - FIRST_PORT;
      if ((flags & (SYN | ACK)) === (SYN | ACK)) {
        const acked = (view.getInt32(frame + TCP + 4) + 1) | 0;
        const flags = this.#request > 0 ? PSH | ACK : ACK;
        this.#segment(index, view.getUint16(frame + TCP), flags, CLIENT_SEQ + 1, acked, this.#request);
        this.opened++;
        this.lastAck = acked;
      } else if (payload > 0) {
        this.answers++;
        if (state !== null) state.ack = (seq + payload) | 0;
        else
          this.#segment(
            index,
            view.getUint16(frame + TCP),
            ACK,
            view.getInt32(frame + TCP + 8),
            (seq + payload) | 0,
            0,
          );
      }
      this.tx.shift();
    }
  }

  /** Where a connection that was just opened stands. */
  static start(ack) {
    return { seq: CLIENT_SEQ + 1, ack };
  }
}

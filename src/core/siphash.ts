// SipHash-2-4 with its 64-bit result (Aumasson and Bernstein 2012; the kernel's siphash): where hsiphash's 32 bits are too few,
// because what comes out leaves this host and is presented again. 64-bit words are pairs of int32, low half first.

/** State v0 … v3 as low and high halves; one for all, because no hash is ever interrupted. */
const v = new Int32Array(8);

/** v[to] += v[from] */
function add(to: number, from: number): void {
  const low = (v[to] >>> 0) + (v[from] >>> 0);
  v[to + 1] += v[from + 1] + (low > 0xffffffff ? 1 : 0);
  v[to] = low;
}

/** v[at] = rotl(v[at], n) ^ v[mask], for 0 < n < 32. */
function rotateXor(at: number, n: number, mask: number): void {
  const low = v[at];
  const high = v[at + 1];
  v[at] = ((low << n) | (high >>> (32 - n))) ^ v[mask];
  v[at + 1] = ((high << n) | (low >>> (32 - n))) ^ v[mask + 1];
}

/** rotl by 32: the halves change places. */
function swap(at: number): void {
  const low = v[at];
  v[at] = v[at + 1];
  v[at + 1] = low;
}

function round(): void {
  add(0, 2);
  rotateXor(2, 13, 0);
  swap(0);
  add(4, 6);
  rotateXor(6, 16, 4);
  add(0, 6);
  rotateXor(6, 21, 0);
  add(4, 2);
  rotateXor(2, 17, 4);
  swap(4);
}

function compress(low: number, high: number): void {
  v[6] ^= low;
  v[7] ^= high;
  round();
  round();
  v[0] ^= low;
  v[1] ^= high;
}

/**
 * The hash of `data`, as its eight bytes in little-endian order.
 * @param key 16 bytes
 */
export function siphash(key: Uint8Array, data: Uint8Array): Uint8Array {
  const k = new DataView(key.buffer, key.byteOffset, 16);
  for (let half = 0; half < 2; half++) {
    const k0 = k.getInt32(half * 4, true);
    const k1 = k.getInt32(8 + half * 4, true);
    // "somepseudorandomlygeneratedbytes", half of each word at a time.
    v[half] = k0 ^ (half === 0 ? 0x70736575 : 0x736f6d65);
    v[2 + half] = k1 ^ (half === 0 ? 0x6e646f6d : 0x646f7261);
    v[4 + half] = k0 ^ (half === 0 ? 0x6e657261 : 0x6c796765);
    v[6 + half] = k1 ^ (half === 0 ? 0x79746573 : 0x74656462);
  }
  const words = new DataView(data.buffer, data.byteOffset, data.length);
  const whole = data.length & ~7;
  for (let at = 0; at < whole; at += 8) compress(words.getInt32(at, true), words.getInt32(at + 4, true));
  // The last word: what is left, and the length in its highest byte.
  const last = new Int32Array(2);
  for (let at = whole; at < data.length; at++) last[(at & 7) >> 2] |= data[at] << ((at & 3) * 8);
  compress(last[0], last[1] | (data.length << 24));
  v[4] ^= 0xff;
  for (let i = 0; i < 4; i++) round();
  const out = new Uint8Array(8);
  const result = new DataView(out.buffer);
  result.setInt32(0, v[0] ^ v[2] ^ v[4] ^ v[6], true);
  result.setInt32(4, v[1] ^ v[3] ^ v[5] ^ v[7], true);
  return out;
}

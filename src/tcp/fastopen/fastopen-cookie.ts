// Fast Open's cookies, the server's side (RFC 7413 section 4.1.2): a keyed hash of both addresses, so that nothing need be
// remembered of whoever got one. A second key is still honoured while the first is being changed.

import { siphash } from '../../core/siphash.js';
import type { IpAddress } from '../../packet/address.js';
import { AF_INET } from '../../uapi/socket.js';

/** Bytes of a key, and of the cookies we hand out; a client keeps those of others between the bounds of RFC 7413. */
export const TCP_FASTOPEN_KEY_LENGTH = 16;
export const TCP_FASTOPEN_COOKIE_SIZE = 8;
export const TCP_FASTOPEN_COOKIE_MIN = 4;
export const TCP_FASTOPEN_COOKIE_MAX = 16;

/** struct tcp_fastopen_context: the key in use and perhaps the one before it, 16 bytes each. */
export class FastOpenContext {
  readonly primary: Uint8Array;
  readonly backup: Uint8Array | null;

  constructor(primary: Uint8Array, backup: Uint8Array | null) {
    this.primary = primary;
    this.backup = backup;
  }

  /** From the 16 or 32 bytes that TCP_FASTOPEN_KEY takes. */
  static fromBytes(bytes: Uint8Array): FastOpenContext {
    const backup = bytes.length > TCP_FASTOPEN_KEY_LENGTH ? bytes.slice(TCP_FASTOPEN_KEY_LENGTH) : null;
    return new FastOpenContext(bytes.slice(0, TCP_FASTOPEN_KEY_LENGTH), backup);
  }

  /** From the sysctl's text, two keys at most, each four hexadecimal words (proc_tcp_fastopen_key). */
  static parse(text: string): FastOpenContext {
    const [primary, backup] = text.split(',').map(keyBytes);
    return new FastOpenContext(primary, backup ?? null);
  }

  /** Both keys, one behind the other. */
  get bytes(): Uint8Array {
    return this.backup === null ? this.primary.slice() : Uint8Array.from([...this.primary, ...this.backup]);
  }

  /** Text as the sysctl shows it. */
  toString(): string {
    return this.backup === null ? keyText(this.primary) : `${keyText(this.primary)},${keyText(this.backup)}`;
  }

  /** The cookie that the client at `client` gets from us at `server` (tcp_fastopen_cookie_gen). */
  cookie(client: IpAddress, server: IpAddress): Uint8Array {
    return generate(this.primary, client, server);
  }

  /** tcp_fastopen_cookie_gen_check: 1 if it is the cookie of the key in use, 2 if that of the backup, 0 if of neither. */
  check(client: IpAddress, server: IpAddress, cookie: Uint8Array): number {
    if (same(generate(this.primary, client, server), cookie)) return 1;
    return this.backup !== null && same(generate(this.backup, client, server), cookie) ? 2 : 0;
  }
}

/** Each word of the text stands in the key in little-endian order. */
function keyBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(TCP_FASTOPEN_KEY_LENGTH);
  const view = new DataView(bytes.buffer);
  text.split('-').forEach((word, i) => {
    view.setUint32(i * 4, Number.parseInt(word, 16), true);
  });
  return bytes;
}

function keyText(key: Uint8Array): string {
  const view = new DataView(key.buffer, key.byteOffset);
  return [0, 4, 8, 12].map((at) => view.getUint32(at, true).toString(16).padStart(8, '0')).join('-');
}

/** __tcp_fastopen_cookie_gen_cipher: over the addresses as they stand in the SYN's IP header. */
function generate(key: Uint8Array, client: IpAddress, server: IpAddress): Uint8Array {
  const words = client.family === AF_INET ? 1 : 4;
  const path = new Uint8Array(words * 8);
  const view = new DataView(path.buffer);
  [client, server].forEach(({ a, b, c, d }, i) => {
    [a, b, c, d].slice(0, words).forEach((word, at) => {
      view.setInt32((i * words + at) * 4, word);
    });
  });
  return siphash(key, path);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

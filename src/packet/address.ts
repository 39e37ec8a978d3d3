// An IP address of either family, as everything above ip/ sees it: compare it, hash it, print it, copy it.

import { AF_INET } from '../uapi/socket.js';

/** Four words; IPv4 uses the first. Mutable so that one scratch instance serves every received packet. */
export class IpAddress {
  family: number;
  a: number;
  b: number;
  c: number;
  d: number;

  constructor(family: number, a: number, b = 0, c = 0, d = 0) {
    this.family = family;
    this.a = a | 0;
    this.b = b | 0;
    this.c = c | 0;
    this.d = d | 0;
  }

  /** IPv4 from 32 bits in host order. */
  static v4(word: number): IpAddress {
    return new IpAddress(AF_INET, word);
  }

  /** Parses dotted-quad text; null when it is not an IPv4 address in canonical form (no leading zeros, four parts). */
  static parse(text: string): IpAddress | null {
    const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
    if (match === null) return null;
    let word = 0;
    for (let i = 1; i <= 4; i++) {
      const part = Number(match[i]);
      if (part > 255 || (match[i].length > 1 && match[i].startsWith('0'))) return null;
      word = (word << 8) | part;
    }
    return IpAddress.v4(word);
  }

  set(other: IpAddress): void {
    this.family = other.family;
    this.a = other.a;
    this.b = other.b;
    this.c = other.c;
    this.d = other.d;
  }

  clone(): IpAddress {
    return new IpAddress(this.family, this.a, this.b, this.c, this.d);
  }

  equals(other: IpAddress): boolean {
    return (
      this.a === other.a &&
      this.b === other.b &&
      this.c === other.c &&
      this.d === other.d &&
      this.family === other.family
    );
  }

  /** 0.0.0.0 or :: */
  get isAny(): boolean {
    return (this.a | this.b | this.c | this.d) === 0;
  }

  /** 127.0.0.0/8 */
  get isLoopback(): boolean {
    return this.family === AF_INET && this.a >>> 24 === 127;
  }

  get isMulticast(): boolean {
    return this.family === AF_INET && this.a >>> 28 === 14;
  }

  /** 255.255.255.255; a subnet's broadcast address is the routing table's knowledge. */
  get isLimitedBroadcast(): boolean {
    return this.family === AF_INET && this.a === -1;
  }

  toString(): string {
    const a = this.a;
    return `${a >>> 24}.${(a >>> 16) & 255}.${(a >>> 8) & 255}.${a & 255}`;
  }
}

export const ANY_V4 = IpAddress.v4(0);
export const LOOPBACK_V4 = IpAddress.v4(0x7f000001);

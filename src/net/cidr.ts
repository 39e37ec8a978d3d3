// The two ends of a TAP device as people write them, on the command line or in TAPSTACK_* variables: `10.0.0.2/24`. Says what is
// wrong with one, and finds the other.

export interface Cidr {
  /** Dotted quad. */
  readonly address: string;
  readonly prefix: number;
  /** The address as an unsigned 32-bit number. */
  readonly value: number;
}

/** Parses `text`; a string is the reason why it is no address for one end of a link. */
export function parseCidr(text: string): Cidr | string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return 'write an IPv4 address and a prefix length, like 10.0.0.2/24';
  const [a, b, c, d, prefix] = match.slice(1).map(Number);
  if (Math.max(a, b, c, d) > 255) return 'each of the four numbers is 0 to 255';
  if (prefix < 1 || prefix > 31) return 'the prefix length is 1 to 31, since both ends must fit in';
  if (a === 127) return 'addresses in 127.0.0.0/8 are loopback and never leave a machine';
  if (a === 0 || a >= 224) return 'it is not the address of one machine';
  const value = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  const cidr = { address: `${a}.${b}.${c}.${d}`, prefix, value };
  if (value === networkOf(cidr) && prefix < 31) return 'it is the network itself, not a machine in it';
  if (value === broadcastOf(cidr) && prefix < 31) return 'it is the broadcast address of its network';
  return cidr;
}

/** Whether the two are different machines of one network. */
export function areNeighbours(one: Cidr, other: Cidr): boolean {
  return one.prefix === other.prefix && networkOf(one) === networkOf(other) && one.value !== other.value;
}

/** A neighbour for `cidr`: the network's first address, or the second where it is the first itself. */
export function neighbourOf(cidr: Cidr): Cidr {
  const first = networkOf(cidr) + (cidr.prefix === 31 ? 0 : 1);
  const value = cidr.value === first ? first + 1 : first;
  const address = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
  return { address, prefix: cidr.prefix, value };
}

export function formatCidr(cidr: Cidr): string {
  return `${cidr.address}/${cidr.prefix}`;
}

function hostMask(cidr: Cidr): number {
  return 2 ** (32 - cidr.prefix) - 1;
}

function networkOf(cidr: Cidr): number {
  return cidr.value - (cidr.value & hostMask(cidr));
}

function broadcastOf(cidr: Cidr): number {
  return networkOf(cidr) + hostMask(cidr);
}

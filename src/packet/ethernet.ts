// Ethernet II framing (RFC 894): the outermost 14 bytes of every frame on a link. Offsets count from the frame's start.

export const ETH_HLEN = 14;
export const ETH_ALEN = 6;
export const ETH_DST = 0;
export const ETH_SRC = 6;
export const ETH_TYPE = 12;

export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;

/** An Ethernet address is read as 16 high and 32 low bits, so that comparing one takes two integers. */
export function macHigh(view: DataView, at: number): number {
  return view.getUint16(at);
}

export function macLow(view: DataView, at: number): number {
  return view.getInt32(at + 2);
}

export function writeMac(view: DataView, at: number, high: number, low: number): void {
  view.setUint16(at, high);
  view.setInt32(at + 2, low);
}

export const MAC_BROADCAST_HIGH = 0xffff;
export const MAC_BROADCAST_LOW = -1;

/** The group bit: broadcast and multicast addresses have it. */
export function macIsGroup(high: number): boolean {
  return (high & 0x0100) !== 0;
}

/** `02:00:5e:10:00:01` */
export function formatMac(bytes: Uint8Array, at = 0): string {
  return Array.from(bytes.subarray(at, at + ETH_ALEN), (byte) => byte.toString(16).padStart(2, '0')).join(
    ':',
  );
}

/** Parses `02:00:5e:10:00:01`; null when it is not an Ethernet address. */
export function parseMac(text: string): Uint8Array | null {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return null;
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}

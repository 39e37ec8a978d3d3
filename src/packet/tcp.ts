// The TCP header (RFC 9293 section 3.1). Offsets count from the TCP header.

export const TCP_HLEN = 20;
export const TCP_MAX_HLEN = 60;
export const TCP_SRC_PORT = 0;
export const TCP_DST_PORT = 2;
export const TCP_SEQ = 4;
export const TCP_ACK_SEQ = 8;
export const TCP_DATA_OFFSET = 12;
export const TCP_FLAGS = 13;
export const TCP_WINDOW = 14;
export const TCP_CHECKSUM = 16;
export const TCP_URGENT = 18;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;
export const TCP_ECE = 0x40;
export const TCP_CWR = 0x80;

/** Header length in bytes, options included. */
export function tcpHeaderLength(view: DataView, at: number): number {
  return (view.getUint8(at + TCP_DATA_OFFSET) >>> 4) << 2;
}

/** `SA`, `F.A`-style letters as tcpdump prints flags: `S` `F` `R` `P` `U` `E` `W`, and `.` for ACK. */
export function formatTcpFlags(flags: number): string {
  let text = '';
  if (flags & TCP_SYN) text += 'S';
  if (flags & TCP_FIN) text += 'F';
  if (flags & TCP_RST) text += 'R';
  if (flags & TCP_PSH) text += 'P';
  if (flags & TCP_URG) text += 'U';
  if (flags & TCP_ECE) text += 'E';
  if (flags & TCP_CWR) text += 'W';
  if (flags & TCP_ACK) text += '.';
  return text === '' ? 'none' : text;
}

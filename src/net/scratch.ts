// Where small writes are put together before they are copied into a send queue: one call into the stack, and nothing allocated.

const SIZE = 65536;
const scratch = Buffer.allocUnsafeSlow(SIZE);

export function scratchBuffer(): Buffer {
  return scratch;
}

/** Most bytes that `length` UTF-16 units can become in an encoding. */
function bound(length: number, encoding: BufferEncoding): number {
  switch (encoding) {
    case 'latin1':
    case 'binary':
    case 'ascii':
    case 'hex':
    case 'base64':
    case 'base64url':
      return length;
    case 'ucs2':
    case 'ucs-2':
    case 'utf16le':
    case 'utf-16le':
      return length * 2;
    default:
      return length * 3;
  }
}

/** Puts the text at `offset`: the bytes it took, or -1 if it may not fit. */
export function putString(text: string, encoding: BufferEncoding, offset: number): number {
  if (bound(text.length, encoding) > SIZE - offset) return -1;
  return scratch.write(text, offset, encoding);
}

/** Puts bytes at `offset`, or says -1. */
export function putBytes(bytes: Uint8Array, offset: number): number {
  if (bytes.length > SIZE - offset) return -1;
  scratch.set(bytes, offset);
  return bytes.length;
}

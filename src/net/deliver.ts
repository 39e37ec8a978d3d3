// What a socket of Node's own has received, handed to a handle that stands before it (PipeHandle, KernelHandle) as libuv would: whole, or a
// piece at a time in the program's own memory (`onread`), and no more of it once reading has stopped.

export interface Reader {
  readonly reading: boolean;
  bytesRead: number;
  onread(count: number, data: Buffer | undefined): void;
}

/** @param memory asked before each piece, since the program may give another. Returns what was not read, to be put back. */
export function deliver(reader: Reader, data: Buffer, memory: () => Uint8Array | null): Buffer {
  let rest = data;
  while (rest.length > 0 && reader.reading) {
    const own = memory();
    const count = own === null ? rest.length : Math.min(rest.length, own.length);
    own?.set(rest.subarray(0, count));
    reader.bytesRead += count;
    reader.onread(count, own === null ? rest : undefined);
    rest = rest.subarray(count);
  }
  return rest;
}

// Reads pcapng as a stranger would: block by block, by the specification and nothing of the writer's.

export interface CapturedFrame {
  readonly interfaceId: number;
  /** Unix time in units of the interface's resolution. */
  readonly time: number;
  readonly originalLength: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
}

export interface Capture {
  readonly application: string;
  readonly interfaces: { linkType: number; snapLength: number; name: string; resolution: number }[];
  readonly frames: CapturedFrame[];
  /** Of each interface: frames that came by, and those of them that are missing. */
  readonly statistics: { interfaceId: number; received: number; dropped: number }[];
}

export function readPcapng(content: Uint8Array): Capture {
  const file = new Uint8Array(content);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const capture = {
    application: '',
    interfaces: [] as Capture['interfaces'],
    frames: [] as CapturedFrame[],
    statistics: [] as Capture['statistics'],
  };
  let at = 0;
  while (at < file.length) {
    const type = view.getUint32(at, true);
    const total = view.getUint32(at + 4, true);
    if (total % 4 !== 0 || total < 12 || view.getUint32(at + total - 4, true) !== total) {
      throw new Error(
        `the block at ${at} has the lengths ${total} and ${view.getUint32(at + total - 4, true)}`,
      );
    }
    if (type === 0x0a0d0d0a) {
      if (view.getUint32(at + 8, true) !== 0x1a2b3c4d) throw new Error('not little-endian');
      if (view.getUint16(at + 12, true) !== 1 || view.getUint16(at + 14, true) !== 0)
        throw new Error('not version 1.0');
      capture.application = text(readOptions(view, at + 24, at + total - 4).get(4));
    } else if (type === 1) {
      const options = readOptions(view, at + 16, at + total - 4);
      capture.interfaces.push({
        linkType: view.getUint16(at + 8, true),
        snapLength: view.getUint32(at + 12, true),
        name: text(options.get(2)),
        resolution: options.get(9)?.[0] ?? 6,
      });
    } else if (type === 6) {
      const length = view.getUint32(at + 20, true);
      const end = at + 28 + Math.ceil(length / 4) * 4;
      const flags = readOptions(view, end, at + total - 4).get(2) ?? new Uint8Array(4);
      capture.frames.push({
        interfaceId: view.getUint32(at + 8, true),
        time: view.getUint32(at + 12, true) * 2 ** 32 + view.getUint32(at + 16, true),
        originalLength: view.getUint32(at + 24, true),
        flags: new DataView(flags.buffer, flags.byteOffset, 4).getUint32(0, true),
        bytes: file.slice(at + 28, at + 28 + length),
      });
    } else if (type === 5) {
      const options = readOptions(view, at + 20, at + total - 4);
      const counter = (code: number): number => {
        const bytes = options.get(code) ?? new Uint8Array(8);
        return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
      };
      capture.statistics.push({
        interfaceId: view.getUint32(at + 8, true),
        received: counter(4),
        dropped: counter(5),
      });
    } else {
      throw new Error(`a block of type ${type} at ${at}`);
    }
    at += total;
  }
  return capture;
}

function readOptions(view: DataView, from: number, end: number): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = from; at < end; ) {
    const code = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (code === 0) return options;
    options.set(code, new Uint8Array(view.buffer, view.byteOffset + at + 4, length).slice());
    at += 4 + Math.ceil(length / 4) * 4;
  }
  throw new Error('options without an end');
}

function text(value: Uint8Array | undefined): string {
  return new TextDecoder().decode(value);
}

// The head of an HTTP/1.1 request (RFC 9112), parsed from bytes. Strict where laxness has let requests be smuggled, lenient where
// people type requests by hand: a bare LF ends a line.

export interface HttpRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  /** The connection may serve another request afterwards. */
  readonly keepAlive: boolean;
  /** HTTP/1.0: the answer must say if the connection stays open. */
  readonly old: boolean;
}

/** Why a request cannot be answered; the connection ends after saying so. */
export interface HttpFault {
  readonly status: 400 | 505;
  readonly reason: string;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 section 5.5: any visible character, space, tab and what lies above ASCII. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LF = 10;
const CR = 13;

/** Offset just behind the empty line that ends a head, or -1. `from`: everything before it has been searched already. */
export function headEnd(bytes: Uint8Array, from: number, to: number): number {
  for (
    let at = bytes.indexOf(LF, Math.max(0, from - 2));
    at >= 0 && at < to - 1;
    at = bytes.indexOf(LF, at + 1)
  ) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && at + 2 < to && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** How many bytes of empty lines precede a request; a client may send some after a body (RFC 9112 section 2.2). */
export function emptyLines(bytes: Uint8Array, to: number): number {
  let at = 0;
  while (at < to && (bytes[at] === LF || bytes[at] === CR)) at++;
  return at;
}

/** Parses a whole head, empty line included. */
export function parseHead(head: Uint8Array): HttpRequest | HttpFault {
  const lines = Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1').split(/\r?\n/);
  const line = /^(\S+) (\S+) HTTP\/(\d)\.(\d)$/.exec(lines[0]);
  if (line === null || !TOKEN.test(line[1])) return bad('The request line is malformed.');
  const [, method, target, major, minor] = line;
  if (major !== '1') return { status: 505, reason: `HTTP/${major}.${minor} is not spoken here.` };
  const path = pathOf(target);
  if (path === null) return bad('The request target is malformed.');

  const fields = new Map<string, string[]>();
  for (const text of lines.slice(1, -2)) {
    const colon = text.indexOf(':');
    const name = text.slice(0, Math.max(0, colon)).toLowerCase();
    const value = text.slice(colon + 1).trim();
    if (!TOKEN.test(name) || !VALUE.test(value)) return bad('A header field is malformed.');
    fields.set(name, [...(fields.get(name) ?? []), value]);
  }
  const old = minor === '0';
  const hosts = fields.get('host') ?? [];
  if (hosts.length > 1 || (hosts.length === 0 && !old)) return bad('There must be one Host field.');
  const connection = (fields.get('connection') ?? [])
    .join(',')
    .toLowerCase()
    .split(/[\s,]+/);
  // Bodies are not read here: a request that has one, or claims to, is the connection's last.
  const length = fields.get('content-length') ?? ['0'];
  const bodied = fields.has('transfer-encoding') || length.some((value) => value !== '0');
  const wish = old ? connection.includes('keep-alive') : !connection.includes('close');
  return { method, path, keepAlive: wish && !bodied, old };
}

/** Path of an origin-form or absolute-form target; `*` and authorities have none worth more than themselves. */
function pathOf(target: string): string | null {
  const path = target.replace(/^https?:\/\/[^/?#]+/i, '').replace(/[?#].*$/, '');
  if (target === '*') return target;
  if (path === '') return '/';
  return path.startsWith('/') ? path : null;
}

function bad(reason: string): HttpFault {
  return { status: 400, reason };
}

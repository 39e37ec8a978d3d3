// What iperf3's control connection says: states of one byte, a cookie that names the test, and JSON behind a length of four bytes.
// Numbers and names are those of iperf 3.12; a number that a client does not know is printed as such, so they may not be changed.

import { EPROTONOSUPPORT } from '../index.js';

export const IPERF_PORT = 5201;
/** What we call ourselves towards the other side, which prints it. */
export const IPERF_VERSION = 'iperf 3.12 (tapstack)';
/** 36 letters and a NUL. */
export const COOKIE_SIZE = 37;
export const BLOCK_SIZE = 128 * 1024;

export const TEST_START = 1;
export const TEST_RUNNING = 2;
export const TEST_END = 4;
export const PARAM_EXCHANGE = 9;
export const CREATE_STREAMS = 10;
export const SERVER_TERMINATE = 11;
export const CLIENT_TERMINATE = 12;
export const EXCHANGE_RESULTS = 13;
export const DISPLAY_RESULTS = 14;
export const IPERF_DONE = 16;
export const ACCESS_DENIED = -1;
export const SERVER_ERROR = -2;

/** The parameters are this long at most, the results a little per stream. */
export const MAX_PARAMETERS = 8 * 1024;
export const MAX_RESULTS = 1024 * 1024;

const MAX_STREAMS = 128;
const MAX_SECONDS = 86_400;
const MAX_OMIT = 600;
const MAX_MSS = 32 * 1024 - 1;
const MAX_BUFFER = 512 * 1024 * 1024;
const MAX_BLOCK = 1024 * 1024;

/** Why a test cannot be: `code` is iperf3's i_errno, which the client turns into words of its own. */
export class IperfError extends Error {
  readonly code: number;
  readonly errno: number;

  constructor(code: number, message: string, errno = 0) {
    super(message);
    this.code = code;
    this.errno = errno;
  }
}

const IENUMSTREAMS = 6;
const IEDURATION = 5;
const IEBLOCKSIZE = 7;
const IEBUFSIZE = 8;
const IEMSS = 10;
const IEOMIT = 12;
const IENOSCTP = 18;
const IEBADTOS = 21;
export const IEMESSAGE = 110;
export const IERECVPARAMS = 114;
export const IERECVRESULTS = 117;
const IEPROTOCOL = 131;
export const IESETCONGESTION = 134;
export const IENOMSG = 144;
export const IESTREAMWRITE = 205;
export const IESTREAMREAD = 206;

/** What the client asks for. Seconds, bytes, blocks, bits per second; 0 where there is no such bound. */
export interface TestParameters {
  readonly seconds: number;
  readonly omit: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly parallel: number;
  readonly reverse: boolean;
  readonly bidirectional: boolean;
  readonly blockSize: number;
  readonly mss: number;
  readonly window: number;
  readonly noDelay: boolean;
  readonly tos: number;
  /** Bits per second and stream, held by the sender's own throttle and by SO_MAX_PACING_RATE. */
  readonly rate: number;
  readonly pacingRate: number;
  readonly congestion: string | null;
  readonly title: string | null;
  readonly extraData: string | null;
  readonly serverOutput: boolean;
  readonly repeatingPayload: boolean;
  /** Received bytes are counted and thrown away without a copy (MSG_TRUNC). */
  readonly skipCopy: boolean;
}

/** Reads what the client sent. @throws IperfError for what cannot be. */
export function parseParameters(text: string): TestParameters {
  const given = jsonObject(text, IERECVPARAMS, 'unable to receive parameters from client');
  if (given.udp === true)
    throw new IperfError(
      IEPROTOCOL,
      'the client asked for UDP, and this server knows TCP only',
      EPROTONOSUPPORT,
    );
  if (given.sctp === true)
    throw new IperfError(IENOSCTP, 'the client asked for SCTP, and there is none here');
  return {
    seconds: bounded(given.time, 0, MAX_SECONDS, IEDURATION, 'test duration'),
    omit: bounded(given.omit, 0, MAX_OMIT, IEOMIT, 'time to omit'),
    bytes: bounded(given.num, 0, Number.MAX_SAFE_INTEGER, IERECVPARAMS, 'number of bytes'),
    blocks: bounded(given.blockcount, 0, Number.MAX_SAFE_INTEGER, IERECVPARAMS, 'number of blocks'),
    parallel: bounded(given.parallel ?? 1, 1, MAX_STREAMS, IENUMSTREAMS, 'number of parallel streams'),
    reverse: given.reverse === true,
    bidirectional: given.bidirectional === true,
    blockSize: bounded(given.len, 0, MAX_BLOCK, IEBLOCKSIZE, 'block size') || BLOCK_SIZE,
    mss: bounded(given.MSS, 0, MAX_MSS, IEMSS, 'MSS'),
    window: bounded(given.window, 0, MAX_BUFFER, IEBUFSIZE, 'socket buffer size'),
    noDelay: given.nodelay === true,
    tos: bounded(given.TOS, 0, 255, IEBADTOS, 'TOS value'),
    rate: bounded(given.bandwidth, 0, Number.MAX_SAFE_INTEGER, IERECVPARAMS, 'bitrate'),
    pacingRate: bounded(given.fqrate, 0, Number.MAX_SAFE_INTEGER, IERECVPARAMS, 'pacing rate'),
    congestion: text15(given.congestion),
    title: typeof given.title === 'string' ? given.title : null,
    extraData: typeof given.extra_data === 'string' ? given.extra_data : null,
    serverOutput: Boolean(given.get_server_output),
    repeatingPayload: Boolean(given.repeating_payload),
    skipCopy: Boolean(given.skip_rx_copy),
  };
}

/** What a client says of the test it wants. */
export function formatParameters(wanted: TestParameters): string {
  return JSON.stringify({
    tcp: true,
    omit: wanted.omit,
    time: wanted.seconds,
    num: wanted.bytes,
    blockcount: wanted.blocks,
    MSS: wanted.mss || undefined,
    nodelay: wanted.noDelay || undefined,
    parallel: wanted.parallel,
    reverse: wanted.reverse || undefined,
    bidirectional: wanted.bidirectional || undefined,
    window: wanted.window || undefined,
    len: wanted.blockSize,
    bandwidth: wanted.rate || undefined,
    pacing_timer: 1000,
    TOS: wanted.tos || undefined,
    title: wanted.title ?? undefined,
    congestion: wanted.congestion ?? undefined,
    get_server_output: wanted.serverOutput ? 1 : undefined,
    client_version: IPERF_VERSION,
  });
}

/** One stream's part of the results. Of a receiver, retransmits are unknown (-1). */
export interface StreamResult {
  id: number;
  bytes: number;
  retransmits: number;
  /** Seconds from the start (or from the end of what is omitted) to the end. */
  seconds: number;
}

/** What the two sides tell each other after the test. */
export interface TestResults {
  /** Percent of one processor: all, user, system. */
  cpu: readonly [number, number, number];
  congestion: string | null;
  streams: StreamResult[];
  serverOutput?: { server_output_text?: string; server_output_json?: unknown };
}

export function formatResults(results: TestResults, sending: boolean): string {
  return JSON.stringify({
    cpu_util_total: results.cpu[0],
    cpu_util_user: results.cpu[1],
    cpu_util_system: results.cpu[2],
    sender_has_retransmits: sending ? 1 : -1,
    congestion_used: results.congestion ?? undefined,
    ...results.serverOutput,
    streams: results.streams.map(({ id, bytes, retransmits, seconds }) => ({
      id,
      bytes,
      retransmits,
      jitter: 0,
      errors: 0,
      packets: 0,
      start_time: 0,
      end_time: seconds,
    })),
  });
}

/** @throws IperfError when it is no such thing. */
export function parseResults(text: string): TestResults {
  const why = 'unable to receive results';
  const given = jsonObject(text, IERECVRESULTS, why);
  const number = (value: unknown): number => {
    if (typeof value === 'number') return value;
    throw new IperfError(IERECVRESULTS, why);
  };
  if (!Array.isArray(given.streams)) throw new IperfError(IERECVRESULTS, why);
  return {
    cpu: [number(given.cpu_util_total), number(given.cpu_util_user), number(given.cpu_util_system)],
    congestion: text15(given.congestion_used),
    streams: (given.streams as Record<string, unknown>[]).map((stream) => ({
      id: number(stream?.id),
      bytes: number(stream.bytes),
      retransmits: number(stream.retransmits),
      seconds: number(stream.end_time ?? 0) - number(stream.start_time ?? 0),
    })),
    serverOutput: {
      ...(typeof given.server_output_text === 'string'
        ? { server_output_text: given.server_output_text }
        : {}),
      ...(given.server_output_json === undefined ? {} : { server_output_json: given.server_output_json }),
    },
  };
}

function jsonObject(text: string, code: number, why: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new IperfError(code, why);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new IperfError(code, why);
  return value as Record<string, unknown>;
}

function bounded(value: unknown, least: number, most: number, code: number, what: string): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && value >= least && value <= most) return Math.floor(value);
  throw new IperfError(code, `the client's ${what} is out of bounds (${least} to ${most})`);
}

/** A name as TCP_CONGESTION takes one. */
function text15(value: unknown): string | null {
  return typeof value === 'string' && value.length < 16 ? value : null;
}

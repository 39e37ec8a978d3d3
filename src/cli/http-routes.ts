// What the HTTP server answers: a page that shows the connection's own state, bytes by the number, and refusals.

import type { HttpFault, HttpRequest } from './http-request.js';

/** An answer: its status line and fields are made by whoever sends it. `pattern` bytes of the pattern follow `body`. */
export interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array;
  readonly pattern: number;
  readonly allow: boolean;
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  431: 'Request Header Fields Too Large',
  505: 'HTTP Version Not Supported',
};

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** @param page Makes the page about the connection. */
export function route(request: HttpRequest, page: () => string): HttpAnswer {
  const { method, path } = request;
  const bytes = /^\/bytes\/(\d+)$/.exec(path);
  if (path !== '/' && bytes === null) return text(404, 'There is nothing here. Try / or /bytes/N.');
  if (method !== 'GET' && method !== 'HEAD')
    return { ...text(405, `Only GET and HEAD work here.`), allow: true };
  if (bytes === null) return answer(200, 'text/html; charset=utf-8', encoder.encode(page()), 0);
  const count = Number(bytes[1]);
  if (!Number.isSafeInteger(count))
    return text(400, `The most bytes there are is ${Number.MAX_SAFE_INTEGER}.`);
  return answer(200, 'application/octet-stream', NOTHING, count);
}

export function faultAnswer(fault: HttpFault | { status: 431; reason: string }): HttpAnswer {
  return text(fault.status, fault.reason);
}

let date = '';
let dateOf = 0;

/** Made once a second, as its seconds are all that it tells (RFC 9110 section 5.6.7): it takes longer than all the other fields. */
function dateNow(): string {
  const now = new Date();
  const second = Math.floor(now.getTime() / 1000);
  if (second !== dateOf) date = now.toUTCString();
  dateOf = second;
  return date;
}

/** Status line and fields, with the empty line behind them. */
export function answerHead(answer: HttpAnswer, keepAlive: boolean, old: boolean): Uint8Array {
  const connection = keepAlive ? (old ? 'Connection: keep-alive' : '') : 'Connection: close';
  const lines = [
    `HTTP/1.1 ${answer.status} ${REASONS[answer.status]}`,
    `Date: ${dateNow()}`,
    `Content-Type: ${answer.type}`,
    `Content-Length: ${answer.body.length + answer.pattern}`,
    'Cache-Control: no-store',
    answer.allow ? 'Allow: GET, HEAD' : '',
    connection,
  ];
  return encoder.encode(`${lines.filter((line) => line !== '').join('\r\n')}\r\n\r\n`);
}

function answer(status: number, type: string, body: Uint8Array, pattern: number): HttpAnswer {
  return { status, type, body, pattern, allow: false };
}

function text(status: number, sentence: string): HttpAnswer {
  return answer(status, 'text/plain; charset=utf-8', encoder.encode(`${sentence}\n`), 0);
}

// Heads of HTTP requests: where one ends, what it asks, and what is none.

import { expect, test } from 'vitest';
import { emptyLines, headEnd, parseHead } from '../../src/cli/http-request.js';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const parse = (...lines: string[]) => parseHead(bytes(`${lines.join('\r\n')}\r\n\r\n`));

test('a head ends at its empty line, wherever the search resumes', () => {
  for (const text of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'GET / HTTP/1.0\n\n', 'GET / HTTP/1.0\r\n\n']) {
    const whole = bytes(`${text}rest`);
    for (let from = 0; from < text.length; from++)
      expect(headEnd(whole, from, whole.length)).toBe(text.length);
    for (let to = 0; to < text.length; to++) expect(headEnd(whole, 0, to)).toBe(-1);
  }
  expect(emptyLines(bytes('\r\n\nGET'), 6)).toBe(3);
});

test.each([
  ['GET / HTTP/1.1', [], '/', true],
  ['GET /a?b=c HTTP/1.1', [], '/a', true],
  ['GET http://x/bytes/3 HTTP/1.1', [], '/bytes/3', true],
  ['GET http://x HTTP/1.1', [], '/', true],
  ['GET / HTTP/1.1', ['Connection: Foo, Close'], '/', false],
  ['GET / HTTP/1.1', ['Content-Length: 3'], '/', false],
  ['GET / HTTP/1.1', ['Content-Length: 0'], '/', true],
  ['GET / HTTP/1.1', ['Content-Length: 0', 'Content-Length: 9'], '/', false],
  ['GET / HTTP/1.1', ['Transfer-Encoding: chunked'], '/', false],
  ['GET / HTTP/1.0', [], '/', false],
  ['GET / HTTP/1.0', ['Connection: keep-alive'], '/', true],
])('%s %j', (line, fields, path, keepAlive) => {
  expect(parse(line, 'Host: x', ...fields)).toMatchObject({ method: 'GET', path, keepAlive });
});

test.each([
  ['no version', ['GET /']],
  ['two spaces', ['GET  / HTTP/1.1', 'Host: x']],
  ['a method that is no token', ['G(T / HTTP/1.1', 'Host: x']],
  ['a target without its slash', ['GET index.html HTTP/1.1', 'Host: x']],
  ['no Host', ['GET / HTTP/1.1']],
  ['two Hosts', ['GET / HTTP/1.1', 'Host: x', 'Host: y']],
  ['a field without a colon', ['GET / HTTP/1.1', 'Host: x', 'what']],
  ['space before the colon', ['GET / HTTP/1.1', 'Host : x']],
  ['a folded field', ['GET / HTTP/1.1', 'Host: x', ' folded']],
  ['a NUL', ['GET / HTTP/1.1', 'Host: x\0']],
  ['a bare CR', ['GET / HTTP/1.1', 'Host: x\rY: z']],
])('refuses %s', (_what, lines) => {
  expect(parse(...lines)).toMatchObject({ status: 400 });
});

test('speaks HTTP/1 only', () => {
  expect(parse('GET / HTTP/2.0', 'Host: x')).toMatchObject({ status: 505 });
});

// The head of an answer: its fields, and the date, which is made once a second and must still be right.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { answerHead, route } from '../../src/cli/http-routes.js';

const request = { method: 'GET', path: '/bytes/1024', keepAlive: true, old: false };
const head = (keepAlive = true, old = false): string[] =>
  new TextDecoder()
    .decode(
      answerHead(
        route(request, () => ''),
        keepAlive,
        old,
      ),
    )
    .split('\r\n');

describe('the head of an answer', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('says what follows', () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 10, 28, 12, 0, 0) });
    expect(head()).toEqual([
      'HTTP/1.1 200 OK',
      'Date: Sat, 28 Nov 2026 12:00:00 GMT',
      'Content-Type: application/octet-stream',
      'Content-Length: 1024',
      'Cache-Control: no-store',
      '',
      '',
    ]);
    expect(head(true, true)).toContain('Connection: keep-alive');
    expect(head(false)).toContain('Connection: close');
  });

  it('has the date of its second', () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 10, 28, 12, 0, 0) });
    const dates = [0, 400, 999, 1000, 1001, 2999].map((ms) => {
      vi.setSystemTime(Date.UTC(2026, 10, 28, 12, 0, 0) + ms);
      return head()[1].slice(-6, -4);
    });
    expect(dates).toEqual(['00', '00', '00', '01', '01', '02']);
    vi.setSystemTime(Date.UTC(2025, 0, 1));
    expect(head()[1]).toBe('Date: Wed, 01 Jan 2025 00:00:00 GMT');
  });
});

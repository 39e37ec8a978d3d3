// One HTTP connection: requests one after another, pipelined or not, each answered whole before the next is looked at. What can
// be buffered is bounded in both directions: a request's head, and one helping of an answer.

import { EAGAIN, EPOLLIN, EPOLLOUT, MSG_MORE, SHUT_WR } from '../index.js';
import { Connection } from './connection.js';
import { connectionPage } from './http-page.js';
import { emptyLines, headEnd, parseHead } from './http-request.js';
import { answerHead, faultAnswer, type HttpAnswer, route } from './http-routes.js';

/** As Node's own limit. */
const HEAD_MAX = 16 << 10;
/** What is read and thrown away of a body that nobody asked for, so that closing does not reset the answer away. */
const DISCARD_MAX = 1 << 20;
const HELPINGS = 16;

/** Byte i of /bytes/N is i % 251: a prime, so that no segment or page size is a multiple of it. */
const PERIOD = 251;
const pattern = Uint8Array.from({ length: PERIOD * 262 }, (_, i) => i % PERIOD);
const NOTHING = new Uint8Array(0);
const trash = new Uint8Array(1 << 16);

export class HttpConnection extends Connection {
  #requests = 0;
  readonly #input = new Uint8Array(HEAD_MAX);
  #used = 0;
  #searched = 0;
  /** Of the answer on its way: its head and body, then so much of the pattern. */
  #output = NOTHING;
  #patternSent = 0;
  #patternEnd = 0;
  /** No further request is answered: say so, and wait for the peer to close. */
  #last = false;
  #shut = false;
  #discarded = 0;

  ready(exhaust: boolean): void {
    for (let helping = 0; exhaust || helping < HELPINGS; helping++) {
      // What has been read already must be answered now: no event will come for it.
      do {
        if (!this.#send()) return;
      } while (!this.#last && this.#answerNext());
      if (!(this.#last ? this.#discard() : this.#receive())) return;
    }
  }

  summary(): string {
    return `${this.#requests} ${this.#requests === 1 ? 'request' : 'requests'}, ${this.bytesOut} bytes out`;
  }

  /** Sends what can be sent; false when that was not all, or nobody is there. */
  #send(): boolean {
    this.wants = EPOLLIN;
    while (this.#output.length > 0 || this.#patternSent < this.#patternEnd) {
      const bytes = this.#output.length > 0 ? this.#output : this.#patternPiece();
      // MSG_MORE: the head waits for the pattern behind it, so that a short answer is one segment.
      const more = bytes === this.#output && this.#patternEnd > 0 ? MSG_MORE : 0;
      const written = this.sys.send(this.fd, bytes, bytes.length, more);
      if (written === -EAGAIN) {
        this.wants = EPOLLOUT;
        return false;
      }
      if (written < 0) {
        this.fail('write', written);
        return false;
      }
      this.bytesOut += written;
      if (this.#output.length > 0) this.#output = this.#output.subarray(written);
      else this.#patternSent += written;
    }
    return true;
  }

  #patternPiece(): Uint8Array {
    const from = this.#patternSent % PERIOD;
    return pattern.subarray(
      from,
      from + Math.min(pattern.length - from, this.#patternEnd - this.#patternSent),
    );
  }

  /** Answers the request that is there, if a whole one is; false if more input is needed. */
  #answerNext(): boolean {
    if (this.#searched === 0) this.#consume(emptyLines(this.#input, this.#used));
    const end = headEnd(this.#input, this.#searched, this.#used);
    this.#searched = this.#used;
    if (end < 0 && this.#used < HEAD_MAX) return false;
    this.#requests++;
    if (end < 0) {
      this.#answer(
        faultAnswer({ status: 431, reason: `A request may have ${HEAD_MAX} bytes.` }),
        'GET',
        false,
        false,
      );
      return true;
    }
    const request = parseHead(this.#input.subarray(0, end));
    if ('status' in request) this.#answer(faultAnswer(request), 'GET', false, false);
    else {
      const answer = route(request, () => connectionPage(this.sys, this.fd, this.#requests));
      this.#answer(answer, request.method, request.keepAlive, request.old);
    }
    this.#consume(end);
    return true;
  }

  #answer(answer: HttpAnswer, method: string, keepAlive: boolean, old: boolean): void {
    const head = answerHead(answer, keepAlive, old);
    const bodied = method !== 'HEAD';
    this.#output = new Uint8Array(head.length + (bodied ? answer.body.length : 0));
    this.#output.set(head);
    if (bodied) this.#output.set(answer.body, head.length);
    this.#patternSent = 0;
    this.#patternEnd = bodied ? answer.pattern : 0;
    this.#last = !keepAlive;
  }

  #consume(count: number): void {
    this.#input.copyWithin(0, count, this.#used);
    this.#used -= count;
    this.#searched = 0;
  }

  /** Reads more of a request; false when there is nothing now, or never again. */
  #receive(): boolean {
    const room = this.#input.subarray(this.#used);
    const count = this.sys.read(this.fd, room);
    if (count > 0) {
      this.bytesIn += count;
      this.#used += count;
      return true;
    }
    if (count === 0)
      this.ended = this.#used === 0 ? 'closed by the peer' : 'closed by the peer within a request';
    else if (count !== -EAGAIN) this.fail('read', count);
    return false;
  }

  /** Closing while input is unread would reset the connection, and the answer might be lost (RFC 9112 section 9.6). */
  #discard(): boolean {
    if (!this.#shut) this.sys.shutdown(this.fd, SHUT_WR);
    this.#shut = true;
    const count = this.sys.read(this.fd, trash);
    if (count === -EAGAIN) return false;
    if (count < 0) this.fail('read', count);
    else if (count === 0) this.ended = 'closed';
    else {
      this.bytesIn += count;
      this.#discarded += count;
      if (this.#discarded > DISCARD_MAX) this.ended = 'closed on a request that would not end';
    }
    return this.ended === null;
  }
}

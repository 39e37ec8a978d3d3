// What a handle could not send at once, in order, with the request that is answered when its last piece has gone.

import type { WriteRequest } from './requests.js';

class Piece {
  data: Uint8Array;
  readonly request: WriteRequest;
  readonly last: boolean;

  constructor(data: Uint8Array, request: WriteRequest, last: boolean) {
    this.data = data;
    this.request = request;
    this.last = last;
  }
}

export class WriteQueue {
  #pieces: Piece[] = [];
  #head = 0;
  /** Bytes that wait. */
  size = 0;

  get empty(): boolean {
    return this.#head === this.#pieces.length;
  }

  get first(): Piece {
    return this.#pieces[this.#head];
  }

  push(data: Uint8Array, request: WriteRequest, last: boolean): void {
    this.#pieces.push(new Piece(data, request, last));
    this.size += data.length;
  }

  /** `count` bytes of the first piece are gone. */
  advance(count: number): void {
    this.size -= count;
    const piece = this.first;
    if (count < piece.data.length) {
      piece.data = piece.data.subarray(count);
      return;
    }
    this.#head++;
    if (this.#head === this.#pieces.length) {
      this.#pieces = [];
      this.#head = 0;
    }
  }

  /** Takes the first request out, with all its pieces. */
  drop(): WriteRequest {
    const { request } = this.first;
    while (!this.empty && this.first.request === request) this.advance(this.first.data.length);
    return request;
  }
}

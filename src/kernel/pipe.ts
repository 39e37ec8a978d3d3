// Pipes (fs/pipe.c): 16 pages between a read end and a write end. Programs on epoll use them to wake themselves; tests use
// them because nothing is simpler to make readable.

import { File, type FileOperations, type PollTable } from '../core/file.js';
import { WaitQueue } from '../core/wait-queue.js';
import { EAGAIN, EBADF, ENOTTY, EPIPE } from '../uapi/errno.js';
import { O_RDONLY, O_WRONLY } from '../uapi/fcntl.js';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../uapi/poll.js';
import { FIONREAD } from '../uapi/socket.js';

const PAGE = 4096;
const SLOTS = 16;

/** pipe_inode_info: a ring of pages, each with the part of it that is not read yet. */
class Pipe {
  readonly readWait = new WaitQueue();
  readonly writeWait = new WaitQueue();
  readers = 1;
  writers = 1;
  /** Somebody polls: from then on every write is told, which is what edge-triggered users rely on. */
  polled = false;
  readonly #pages: Uint8Array[] = [];
  readonly #from = new Int32Array(SLOTS);
  readonly #to = new Int32Array(SLOTS);
  #head = 0;
  #tail = 0;

  get empty(): boolean {
    return this.#head === this.#tail;
  }

  get full(): boolean {
    return this.#head - this.#tail === SLOTS;
  }

  get length(): number {
    let sum = 0;
    for (let at = this.#tail; at < this.#head; at++) sum += this.#to[at % SLOTS] - this.#from[at % SLOTS];
    return sum;
  }

  read(buffer: Uint8Array, count: number): number {
    if (count === 0) return 0;
    if (this.empty) return this.writers === 0 ? 0 : -EAGAIN;
    const wasFull = this.full;
    let done = 0;
    while (done < count && !this.empty) {
      const slot = this.#tail % SLOTS;
      const part = Math.min(count - done, this.#to[slot] - this.#from[slot]);
      const from = this.#from[slot];
      buffer.set(this.#pages[slot].subarray(from, from + part), done);
      this.#from[slot] += part;
      done += part;
      if (this.#from[slot] === this.#to[slot]) this.#tail++;
    }
    if (wasFull && !this.full) this.writeWait.wake(POLLOUT | POLLWRNORM, 1);
    return done;
  }

  write(buffer: Uint8Array, count: number): number {
    if (count === 0) return 0;
    if (this.readers === 0) return -EPIPE;
    const wasEmpty = this.empty;
    let done = this.#merge(buffer, count);
    while (done < count && !this.full) {
      const part = Math.min(count - done, PAGE);
      const slot = this.#head % SLOTS;
      this.#pages[slot] ??= new Uint8Array(PAGE);
      this.#pages[slot].set(buffer.subarray(done, done + part));
      this.#from[slot] = 0;
      this.#to[slot] = part;
      this.#head++;
      done += part;
    }
    if (wasEmpty || this.polled) this.readWait.wake(POLLIN | POLLRDNORM, 1);
    return done > 0 ? done : -EAGAIN;
  }

  /** What is over whole pages goes to the last page, if all of it fits there. */
  #merge(buffer: Uint8Array, count: number): number {
    const odd = count % PAGE;
    if (odd === 0 || this.empty) return 0;
    const slot = (this.#head - 1) % SLOTS;
    if (this.#to[slot] + odd > PAGE) return 0;
    this.#pages[slot].set(buffer.subarray(0, odd), this.#to[slot]);
    this.#to[slot] += odd;
    return odd;
  }

  /** pipe_release: the other end hears of it, everybody there. */
  hangUp(): void {
    if ((this.readers === 0) === (this.writers === 0)) return;
    this.readWait.wake(0, 0);
    this.writeWait.wake(0, 0);
  }
}

const pipeOf = (file: File): Pipe => file.private_ as Pipe;

const ioctl = (file: File, request: number, out: { value: number }): number => {
  if (request !== FIONREAD) return -ENOTTY;
  out.value = pipeOf(file).length;
  return 0;
};

export const pipeReadOperations: FileOperations = {
  kind: 'pipe',
  poll(file: File, table: PollTable | null): number {
    const pipe = pipeOf(file);
    pipe.polled = true;
    if (table !== null) table.queue(file, pipe.readWait);
    return (pipe.empty ? 0 : POLLIN | POLLRDNORM) | (pipe.writers === 0 ? POLLHUP : 0);
  },
  read: (file, buffer, count) => pipeOf(file).read(buffer, count),
  write: () => -EBADF,
  ioctl,
  release(file: File): void {
    const pipe = pipeOf(file);
    pipe.readers--;
    pipe.hangUp();
  },
};

export const pipeWriteOperations: FileOperations = {
  kind: 'pipe',
  poll(file: File, table: PollTable | null): number {
    const pipe = pipeOf(file);
    pipe.polled = true;
    if (table !== null) table.queue(file, pipe.writeWait);
    return (pipe.full ? 0 : POLLOUT | POLLWRNORM) | (pipe.readers === 0 ? POLLERR : 0);
  },
  read: () => -EBADF,
  write: (file, buffer, count) => pipeOf(file).write(buffer, count),
  ioctl,
  release(file: File): void {
    const pipe = pipeOf(file);
    pipe.writers--;
    pipe.hangUp();
  },
};

/** Both ends, the read end first. `flags`: O_NONBLOCK or none. */
export function createPipe(flags: number): [File, File] {
  const pipe = new Pipe();
  return [
    new File(pipeReadOperations, pipe, O_RDONLY | flags),
    new File(pipeWriteOperations, pipe, O_WRONLY | flags),
  ];
}

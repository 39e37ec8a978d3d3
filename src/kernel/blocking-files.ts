// read, write and close that sleep, on any file. A socket's are its recv and send; others wait until they poll ready.

import type { File } from '../core/file.js';
import { InetStreamOps } from '../socket/inet-stream.js';
import type { Socket } from '../socket/socket.js';
import { socketOf } from '../socket/socket-file.js';
import type { TcpSock } from '../tcp/sock.js';
import { EAGAIN, EBADF, EFAULT, EPIPE } from '../uapi/errno.js';
import { O_RDONLY, O_WRONLY } from '../uapi/fcntl.js';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../uapi/poll.js';
import { nonblocking, receiveOn, sendOn } from './blocking-transfer.js';
import { maskOf, type PollWait, pollUntil } from './poll-wait.js';
import type { Process } from './process.js';
import type { SleepOptions } from './sleep.js';
import { Sleep, wokenWakeFunction } from './sleep.js';
import { accessOk, O_ACCMODE, wholeOf, writeSignals } from './sys-file.js';

export class BlockingFiles {
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  readonly read = async (
    fd: number,
    buffer: Uint8Array,
    count: number = wholeOf(buffer),
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd, O_WRONLY, buffer, count);
    if (typeof file === 'number') return file;
    if (socketOf(file) !== null) {
      if (count === 0) return 0;
      return receiveOn(this.#process, file, buffer, count, 0, null, options?.signal);
    }
    for (;;) {
      const result = file.ops.read(file, buffer, count);
      if (result !== -EAGAIN || nonblocking(file, 0)) return result;
      const ready = await this.#process.kernel.resumes(this.#sleepOn(file, POLLIN, options));
      if (ready < 0) return ready;
    }
  };

  /** Waits until all of it is written; interrupted, what was written by then is the result. */
  readonly write = async (
    fd: number,
    buffer: Uint8Array,
    count: number = wholeOf(buffer),
    options?: SleepOptions,
  ): Promise<number> => {
    const file = this.#find(fd, O_RDONLY, buffer, count);
    if (typeof file === 'number') return file;
    if (socketOf(file) !== null) {
      return sendOn(this.#process, file, buffer, count, 0, null, null, options?.signal);
    }
    let done = 0;
    for (;;) {
      const result = file.ops.write(file, done === 0 ? buffer : buffer.subarray(done), count - done);
      if (result === -EPIPE) writeSignals(this.#process, file, result);
      if (result >= 0) done += result;
      if (done === count || nonblocking(file, 0)) return done || result;
      if (result < 0 && result !== -EAGAIN) return done || result;
      const ready = await this.#process.kernel.resumes(this.#sleepOn(file, POLLOUT, options));
      if (ready < 0) return done || ready;
    }
  };

  /** close; the last of a stream with SO_LINGER waits until all is acknowledged or the time is up, and is 0 even then. */
  readonly close = async (fd: number, options?: SleepOptions): Promise<number> => {
    const { kernel, files } = this.#process;
    kernel.host.refresh();
    const file = files.remove(fd);
    if (file === null) return -EBADF;
    const socket = file.count === 1 ? socketOf(file) : null;
    if (socket !== null && socket.ops instanceof InetStreamOps && socket.sk.lingerOn) {
      await this.#closeLingering(file, socket, socket.ops, options);
    } else {
      file.put();
    }
    return 0;
  };

  /** sk_stream_wait_close, in the middle of the socket's release; its registrations are gone by then. */
  async #closeLingering(
    file: File,
    socket: Socket,
    ops: InetStreamOps,
    options: SleepOptions | undefined,
  ): Promise<void> {
    const { kernel } = this.#process;
    const sk = socket.sk as TcpSock;
    // __fput: whoever watches the file has lost it before the protocol is told.
    file.leave();
    if (ops.releaseStart(socket)) {
      const sleep = new Sleep(kernel, sk.lingerMs, options?.signal, wokenWakeFunction);
      while (ops.closing(socket) && !sleep.over) {
        sleep.prepare(socket.wq);
        if (ops.closing(socket)) await sleep.wait();
        kernel.host.refresh();
      }
      sleep.finish();
    }
    ops.releaseFinish(socket);
  }

  /** The file to be read or written: -EBADF if its mode, `forbidden`, is not for that; -EFAULT for a buffer that does not hold `count`. */
  #find(fd: number, forbidden: number, buffer: Uint8Array, count: number): File | number {
    this.#process.kernel.host.refresh();
    const file = this.#process.files.get(fd);
    if (file === null || (file.flags & O_ACCMODE) === forbidden) return -EBADF;
    return accessOk(buffer, count) ? file : -EFAULT;
  }

  async #sleepOn(file: File, events: number, options: SleepOptions | undefined): Promise<number> {
    const { kernel } = this.#process;
    const wanted = events | POLLERR | POLLHUP;
    file.get();
    const scan = (wait: PollWait | null): number =>
      (wait === null ? maskOf(file, null) : wait.poll(file, events)) & wanted;
    const ready = await kernel.resumes(pollUntil(kernel, scan, -1, options?.signal));
    file.put();
    kernel.host.refresh();
    return ready;
  }
}

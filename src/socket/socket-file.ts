// A socket as an open file (socket_file_ops): what read, write, poll, ioctl and the last close do to one.

import { File, type FileOperations, type PollTable } from '../core/file.js';
import { O_NONBLOCK, O_RDWR } from '../uapi/fcntl.js';
import { MSG_DONTWAIT } from '../uapi/socket.js';
import type { Socket } from './socket.js';

export const socketFileOperations: FileOperations = {
  kind: 'socket',
  /** sock_poll */
  poll(file: File, table: PollTable | null): number {
    const socket = file.private_ as Socket;
    if (table !== null) table.queue(file, socket.wq);
    return socket.sk.poll();
  },
  /** sock_read_iter: a read of nothing is nothing, whatever state the socket is in. */
  read(file: File, buffer: Uint8Array, count: number): number {
    if (count === 0) return 0;
    const socket = file.private_ as Socket;
    const flags = (file.flags & O_NONBLOCK) !== 0 ? MSG_DONTWAIT : 0;
    return socket.ops.recv(socket, buffer, count, flags, null);
  },
  write(file: File, buffer: Uint8Array, count: number): number {
    const socket = file.private_ as Socket;
    return socket.ops.send(socket, buffer, count, 0, null);
  },
  ioctl(file: File, request: number, out: { value: number }): number {
    const socket = file.private_ as Socket;
    return socket.ops.ioctl(socket, request, out);
  },
  release(file: File): void {
    const socket = file.private_ as Socket;
    socket.ops.release(socket);
  },
};

/** sock_alloc_file. `flags`: O_NONBLOCK or none. */
export function createSocketFile(socket: Socket, flags: number): File {
  return new File(socketFileOperations, socket, O_RDWR | flags);
}

/** sock_from_file: the socket, or null (ENOTSOCK). */
export function socketOf(file: File): Socket | null {
  return file.ops === socketFileOperations ? (file.private_ as Socket) : null;
}

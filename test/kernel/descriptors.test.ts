// Descriptors: lowest free first, dups, flags, limits, and passing open files between processes.
import {
  AF_INET,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  FD_CLOEXEC,
  FIONBIO,
  O_CLOEXEC,
  O_NONBLOCK,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from 'tapstack';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine, result } from './machine.js';

let m: Machine;
beforeEach(() => {
  m = new Machine();
});

describe('numbers', () => {
  it('start at 3 and are always the lowest free', () => {
    const fds = [m.sys.eventfd(0), m.sys.eventfd(0), m.sys.eventfd(0)];
    expect(fds).toEqual([3, 4, 5]);
    m.sys.close(4);
    m.sys.close(3);
    expect([m.sys.eventfd(0), m.sys.eventfd(0), m.sys.eventfd(0)]).toEqual([3, 4, 6]);
  });

  it('stay lowest across words of the bitmap, and end at RLIMIT_NOFILE', () => {
    m.process.nofile = 200;
    for (let fd = 3; fd < 200; fd++) expect(m.sys.eventfd(0)).toBe(fd);
    expect(result(m.sys.eventfd(0))).toBe('-EMFILE');
    expect(result(m.socket())).toBe('-EMFILE');
    for (const fd of [150, 31, 32, 64]) m.sys.close(fd);
    expect([31, 32, 64, 150].map(() => m.sys.eventfd(0))).toEqual([31, 32, 64, 150]);
    m.process.nofile = 201;
    expect(m.sys.eventfd(0)).toBe(200);
  });

  it('of a pipe are given back when there is room for only one end', () => {
    m.process.nofile = 4;
    expect(result(m.sys.pipe2([], 0))).toBe('-EMFILE');
    expect(m.sys.eventfd(0)).toBe(3);
  });
});

describe('dup', () => {
  it('is to a whole number', () => {
    const fd = m.sys.eventfd(0);
    expect(result(m.sys.dup2(fd, 7.5))).toBe('-EBADF');
    expect(result(m.sys.fcntl(fd, F_DUPFD, Number.NaN))).toBe('-EINVAL');
    expect(m.sys.fcntl(fd, F_DUPFD, 900.5)).toBe(900);
  });

  it('shares the open file: its mode, and its life', () => {
    const [r, w] = m.pipe();
    const copy = m.sys.dup(r);
    m.sys.fcntl(copy, F_SETFL, O_NONBLOCK);
    expect(m.sys.fcntl(r, F_GETFL) & O_NONBLOCK).toBe(O_NONBLOCK);
    m.sys.close(r);
    expect(m.write(w, 'y')).toBe(1);
    expect(m.read(copy)).toBe('y');
  });

  it('dup2 takes over a number, closing what it was; onto itself it only checks', () => {
    const [r, w] = m.pipe();
    const event = m.sys.eventfd(0);
    expect(m.sys.dup2(w, event)).toBe(event);
    m.sys.close(w);
    expect(m.write(event, 'z')).toBe(1);
    expect(m.sys.dup2(event, event)).toBe(event);
    expect(result(m.sys.dup2(99, 99))).toBe('-EBADF');
    expect(result(m.sys.dup2(r, 1024))).toBe('-EBADF');
    expect(result(m.sys.dup2(r, -1))).toBe('-EBADF');
    expect(m.sys.dup2(r, 500)).toBe(500);
    expect(m.read(500)).toBe('z');
  });

  it('dup3 refuses two equal numbers and unknown flags, and can set close-on-exec', () => {
    const event = m.sys.eventfd(0);
    expect(result(m.sys.dup3(event, event, 0))).toBe('-EINVAL');
    expect(result(m.sys.dup3(event, 9, 1))).toBe('-EINVAL');
    expect(m.sys.dup3(event, 9, O_CLOEXEC)).toBe(9);
    expect([m.sys.fcntl(event, F_GETFD), m.sys.fcntl(9, F_GETFD)]).toEqual([0, FD_CLOEXEC]);
  });

  it('F_DUPFD starts its search where it is told', () => {
    const event = m.sys.eventfd(0);
    expect(m.sys.fcntl(event, F_DUPFD, 100)).toBe(100);
    expect(m.sys.fcntl(event, F_DUPFD_CLOEXEC, 100)).toBe(101);
    expect(m.sys.fcntl(101, F_GETFD)).toBe(FD_CLOEXEC);
    expect(m.sys.eventfd(0)).toBe(4);
    expect(result(m.sys.fcntl(event, F_DUPFD, 1024))).toBe('-EINVAL');
  });
});

describe('flags', () => {
  it('close-on-exec belongs to the number, O_NONBLOCK to the file', () => {
    const fd = m.sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    const copy = m.sys.dup(fd);
    m.sys.fcntl(fd, F_SETFD, FD_CLOEXEC);
    expect(m.sys.fcntl(copy, F_GETFD)).toBe(0);
    m.sys.ioctl(copy, FIONBIO, { value: 0 });
    expect(m.sys.fcntl(fd, F_GETFL) & O_NONBLOCK).toBe(0);
    m.process.exec();
    expect(result(m.sys.fcntl(fd, F_GETFD))).toBe('-EBADF');
    expect(m.sys.fcntl(copy, F_GETFD)).toBe(0);
  });

  it('unknown commands and closed numbers are refused', () => {
    expect(result(m.sys.fcntl(0, 999))).toBe('-EINVAL');
    expect(result(m.sys.fcntl(77, F_GETFL))).toBe('-EBADF');
    for (const call of [m.sys.close(77), m.sys.dup(77), m.sys.ioctl(77, FIONBIO), m.sys.dup2(77, 5)]) {
      expect(result(call)).toBe('-EBADF');
    }
  });
});

describe('processes', () => {
  it('hand open files to one another', () => {
    const worker = m.stack.createProcess();
    const [r, w] = m.pipe();
    const theirs = m.process.pass(r, worker);
    expect(theirs).toBe(3);
    m.sys.close(r);
    expect(m.write(w, 'hello')).toBe(5);
    const buffer = new Uint8Array(8);
    expect(worker.sys.read(theirs, buffer)).toBe(5);
    expect(result(m.process.pass(77, worker))).toBe('-EBADF');
    worker.nofile = 4;
    expect(result(m.process.pass(w, worker))).toBe('-EMFILE');
  });

  it('accept from one listener, each for itself', () => {
    const { fd, at } = m.listener();
    const workers = [m.process.fork(), m.process.fork()];
    m.sys.close(fd);
    m.client(at);
    m.client(at);
    expect(workers.map((worker) => result(worker.sys.accept4(fd, null, 0)))).toEqual(
      [fd, fd].map(() => fd + 1),
    );
    expect(workers.map((worker) => result(worker.sys.accept4(fd, null, 0)))).toEqual(['-EAGAIN', '-EAGAIN']);
    for (const worker of workers) worker.exit();
    expect(m.stack.sockets().filter((row) => row.state === 'LISTEN')).toEqual([]);
  });

  it('of users other than root may not bind low ports', () => {
    const user = m.stack.createProcess({ uid: 1000 });
    const fd = user.sys.socket(AF_INET, SOCK_STREAM);
    const at = { family: AF_INET, address: '127.0.0.1', port: 80 };
    expect(result(user.sys.bind(fd, at))).toBe('-EACCES');
    m.stack.sysctl('net.ipv4.ip_unprivileged_port_start', 80);
    expect(user.sys.bind(fd, at)).toBe(0);
  });
});

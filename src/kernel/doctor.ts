// The edge-trigger doctor: watches, from between a program and its syscalls, how the program uses epoll, and says when it
// holds it wrong, with the place where the descriptor was registered. Nothing of it is in the way of a stack without one.

import type { File } from '../core/file.js';
import type { EpItem } from '../eventpoll/epitem.js';
import type { EventPoll, ReportObserver } from '../eventpoll/eventpoll.js';
import { EP_PRIVATE_BITS } from '../eventpoll/private-bits.js';
import { socketOf } from '../socket/socket-file.js';
import { TcpSock } from '../tcp/sock.js';
import type { TcpZerocopyReceive } from '../tcp/zerocopy-receive.js';
import { Timer } from '../time/timer-wheel.js';
import { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT } from '../uapi/poll.js';
import { IPPROTO_TCP } from '../uapi/socket.js';
import { TCP_LISTEN, TCP_ZEROCOPY_RECEIVE } from '../uapi/tcp.js';
import type { Blocking } from './blocking.js';
import type { Interposer } from './interposer.js';
import type { Process } from './process.js';
import { wholeOf } from './sys-file.js';
import type { Syscalls } from './syscalls.js';

/**
 * What the doctor finds: an edge-triggered descriptor not read until EAGAIN; an edge-triggered listener accepted from once; a
 * level-triggered event that nobody acts upon; ONESHOT not armed again; a registration that outlived its number.
 */
export type DoctorCode =
  | 'ET_NOT_DRAINED'
  | 'ET_ONE_ACCEPT'
  | 'LT_SPIN'
  | 'ONESHOT_NOT_REARMED'
  | 'STALE_REGISTRATION';

/** One finding. */
export interface DoctorWarning {
  /** What is wrong. */
  readonly code: DoctorCode;
  /** With which descriptor. */
  readonly fd: number;
  /** The same in a sentence, and what to do. */
  readonly message: string;
  /** Where the program gave it to epoll_ctl: `file:line:column`. */
  readonly registeredAt: string;
}

/** Reports in a row of an event that nothing was done about. */
const SPIN = 100;
/** How long a fired ONESHOT may wait to be armed again while something is there. */
const REARM_MS = 1000;

/** What is known of one registration. */
class Chart extends Timer {
  readonly #doctor: Doctor;
  readonly item: EpItem;
  readonly place: string;
  /** Reports since the program last touched the descriptor. */
  idleReports = 0;
  readonly said = new Set<DoctorCode>();

  constructor(doctor: Doctor, item: EpItem, place: string) {
    super();
    this.#doctor = doctor;
    this.item = item;
    this.place = place;
  }

  override expire(): void {
    this.#doctor.checkOneshot(this);
  }
}

export class Doctor implements ReportObserver, Interposer {
  readonly #report: (warning: DoctorWarning) => void;
  readonly #charts = new WeakMap<EpItem, Chart>();
  /** Edge-triggered ones that were reported, and nothing has said since that they are empty. */
  readonly #undrained = new Set<Chart>();
  readonly #processes: Process[] = [];

  constructor(report: (warning: DoctorWarning) => void) {
    this.#report = report;
  }

  /** The syscalls of a process with the doctor in between. */
  examine(process: Process, sys: Syscalls): Syscalls {
    const { files } = process;
    this.#processes.push(process);
    const touch = (fd: number, drained: boolean): void => this.#touched(files.get(fd), drained);
    // Fewer than asked for: the stream is empty, and the program may know it (epoll(7), questions and answers).
    const reads = (fd: number, wanted: number, result: number): number => {
      touch(fd, result < wanted);
      return result;
    };
    const writing = <A extends unknown[]>(call: (fd: number, ...rest: A) => number) => {
      return (fd: number, ...rest: A): number => {
        touch(fd, false);
        return call(fd, ...rest);
      };
    };
    const accepting = <A extends unknown[]>(call: (fd: number, ...rest: A) => number) => {
      return (fd: number, ...rest: A): number => {
        const result = call(fd, ...rest);
        touch(fd, result < 0);
        return result;
      };
    };
    const waiting = <A extends unknown[]>(call: (epfd: number, ...rest: A) => Promise<number>) => {
      return (epfd: number, ...rest: A): Promise<number> => {
        this.#beforeWait(files.get(epfd));
        return call(epfd, ...rest);
      };
    };
    return {
      ...sys,
      read: (fd, buffer, count = wholeOf(buffer)) => reads(fd, count, sys.read(fd, buffer, count)),
      recv: (fd, buffer, count = wholeOf(buffer), flags = 0) =>
        reads(fd, count, sys.recv(fd, buffer, count, flags)),
      recvfrom: (fd, buffer, count, flags, from) =>
        reads(fd, count, sys.recvfrom(fd, buffer, count, flags, from)),
      recvmsg: (fd, message, ...rest) => {
        const result = sys.recvmsg(fd, message, ...rest);
        const wanted = result < 0 ? 0 : message.msg_iov.reduce((sum, part) => sum + part.length, 0);
        return reads(fd, wanted, result);
      },
      getsockopt: (fd, level, name, out, length) => {
        const result = sys.getsockopt(fd, level, name, out, length);
        const lends = level === IPPROTO_TCP && name === TCP_ZEROCOPY_RECEIVE;
        if (lends) touch(fd, result < 0 || (out.value as TcpZerocopyReceive).inq === 0);
        return result;
      },
      write: writing(sys.write),
      send: writing(sys.send),
      sendto: writing(sys.sendto),
      sendmsg: writing(sys.sendmsg),
      accept: accepting(sys.accept),
      accept4: accepting(sys.accept4),
      epoll_ctl: (epfd, op, fd, event) => {
        const result = sys.epoll_ctl(epfd, op, fd, event);
        if (result === 0 && (op === EPOLL_CTL_ADD || op === EPOLL_CTL_MOD)) {
          this.#registered(files.get(epfd) as File, fd, files.get(fd) as File, callSite());
        }
        return result;
      },
      epoll_wait: waiting(sys.epoll_wait),
      epoll_pwait: waiting(sys.epoll_pwait),
      epoll_pwait2: waiting(sys.epoll_pwait2),
    };
  }

  /** The blocking calls touch descriptors, too. */
  examineBlocking(process: Process, blocking: Blocking): Blocking {
    const touching = <A extends unknown[], R>(call: (fd: number, ...rest: A) => Promise<R>) => {
      return async (fd: number, ...rest: A): Promise<R> => {
        const result = await call(fd, ...rest);
        this.#touched(process.files.get(fd), false);
        return result;
      };
    };
    return {
      ...blocking,
      accept: touching(blocking.accept),
      accept4: touching(blocking.accept4),
      recv: touching(blocking.recv),
      recvfrom: touching(blocking.recvfrom),
      recvmsg: touching(blocking.recvmsg),
      read: touching(blocking.read),
      send: touching(blocking.send),
      sendto: touching(blocking.sendto),
      sendmsg: touching(blocking.sendmsg),
      write: touching(blocking.write),
    };
  }

  #registered(epFile: File, fd: number, file: File, place: string): void {
    const item = (epFile.private_ as EventPoll).find(file, fd);
    if (item === null) return;
    const chart = this.#charts.get(item);
    if (chart === undefined) {
      this.#charts.set(item, new Chart(this, item, place));
      return;
    }
    chart.idleReports = 0;
    this.#undrained.delete(chart);
    item.ep.shared.host.wheel.cancel(chart);
  }

  #touched(file: File | null, drained: boolean): void {
    for (let watch = file?.watches ?? null; watch !== null; watch = watch.nextWatch) {
      const chart = this.#charts.get(watch as EpItem);
      if (chart === undefined) continue;
      chart.idleReports = 0;
      if (drained) this.#undrained.delete(chart);
    }
  }

  /** The program is about to sleep: does it leave an edge behind that will not come again? */
  #beforeWait(epFile: File | null): void {
    for (const chart of this.#undrained) {
      const { item } = chart;
      if (!isRegistered(item)) {
        this.#undrained.delete(chart);
        continue;
      }
      if (item.ep.file !== epFile || item.linked) continue;
      const mask = maskWithoutTrace(item.file);
      // Waiting for room to answer before it reads on: the edge of OUT will come, and tell of the data as well.
      if ((item.events & ~mask & EPOLLOUT) !== 0) continue;
      this.#undrained.delete(chart);
      if ((item.events & mask & EPOLLIN) === 0) continue;
      const waiting = acceptQueueLength(item.file);
      if (waiting > 0) {
        this.#say(
          chart,
          'ET_ONE_ACCEPT',
          `the listener fd ${item.fd} is edge-triggered and ${waiting} more connections stand in its accept queue, but the program goes to sleep: no event tells of them until another one arrives. Accept until EAGAIN.`,
        );
      } else {
        this.#say(
          chart,
          'ET_NOT_DRAINED',
          `fd ${item.fd} is edge-triggered and has unread data, but the program goes to sleep: no event tells of it until more arrives. Read until EAGAIN, or until a read returns less than it asked for.`,
        );
      }
    }
  }

  reported(item: EpItem): void {
    const chart = this.#charts.get(item);
    if (chart === undefined) return;
    const { host } = item.ep.shared;
    if ((item.events & EPOLLONESHOT) !== 0) host.wheel.arm(chart, REARM_MS);
    if ((item.events & EPOLLET) !== 0) this.#undrained.add(chart);
    else if (++chart.idleReports === SPIN) {
      this.#say(
        chart,
        'LT_SPIN',
        `fd ${item.fd} is level-triggered and was reported ${SPIN} times in a row without a read, write, accept or epoll_ctl on it: the loop is spinning. Consume the event, or take what is not wanted out of the mask.`,
      );
    }
    if (!this.#processes.some((process) => process.files.get(item.fd) === item.file)) {
      this.#say(
        chart,
        'STALE_REGISTRATION',
        `an event was reported for fd ${item.fd}, which is closed or another file by now: a duplicate keeps the old file, and its registration, alive. Remove it with EPOLL_CTL_DEL before closing.`,
      );
    }
  }

  /** A while after a ONESHOT fired: still disabled, and something is there? */
  checkOneshot(chart: Chart): void {
    const { item } = chart;
    if (!isRegistered(item) || (item.events & ~EP_PRIVATE_BITS) !== 0) return;
    if ((maskWithoutTrace(item.file) & EPOLLIN) === 0) return;
    this.#say(
      chart,
      'ONESHOT_NOT_REARMED',
      `fd ${item.fd} fired its EPOLLONESHOT over ${REARM_MS} ms ago, is readable, and was not armed again: it stays silent until EPOLL_CTL_MOD.`,
    );
  }

  #say(chart: Chart, code: DoctorCode, message: string): void {
    if (chart.said.has(code)) return;
    chart.said.add(code);
    const warning = { code, fd: chart.item.fd, message, registeredAt: chart.place };
    // Not from inside a harvest or a run of timers, which would not survive what a program does, or throws, there.
    queueMicrotask(() => this.#report(warning));
  }
}

/** It may have been removed, or closed with what it watches: what was left then is nobody's fault. */
function isRegistered(item: EpItem): boolean {
  return item.ep.find(item.file, item.fd) === item;
}

/** The mask, without the request to be told of room that looking makes (SOCK_NOSPACE): the doctor changes nothing. */
function maskWithoutTrace(file: File): number {
  if (file.ops.poll === null) return 0;
  const sk = socketOf(file)?.sk;
  if (sk === undefined) return file.ops.poll(file, null);
  const { noSpace } = sk;
  const mask = file.ops.poll(file, null);
  sk.noSpace = noSpace;
  return mask;
}

function acceptQueueLength(file: File): number {
  const sk = socketOf(file)?.sk;
  return sk instanceof TcpSock && sk.state === TCP_LISTEN ? (sk.listener?.acceptLength ?? 0) : 0;
}

/** Where the program called from: the first frame of the stack trace that is not this file's. */
function callSite(): string {
  const frames = (new Error().stack ?? '').split('\n').slice(1);
  const here = /kernel[\\/]doctor\.[jt]s/;
  const frame = frames.find((line) => !here.test(line)) ?? '';
  return /\(?((?:file:|\/|[A-Za-z]:)[^()]+:\d+:\d+)\)?$/.exec(frame.trim())?.[1] ?? 'an unknown place';
}

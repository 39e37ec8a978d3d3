// Linux's error numbers (asm-generic/errno.h). A syscall's result below zero is one of these, negated.

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const EBADF = 9;
export const EAGAIN = 11;
export const EWOULDBLOCK = EAGAIN;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EISDIR = 21;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOTTY = 25;
export const ENOSPC = 28;
export const ESPIPE = 29;
export const EPIPE = 32;
export const EDOM = 33;
export const ELOOP = 40;
export const ENOMSG = 42;
export const ENODATA = 61;
export const EPROTO = 71;
export const EOVERFLOW = 75;
export const ENOTSOCK = 88;
export const EDESTADDRREQ = 89;
export const EMSGSIZE = 90;
export const EPROTOTYPE = 91;
export const ENOPROTOOPT = 92;
export const EPROTONOSUPPORT = 93;
export const ESOCKTNOSUPPORT = 94;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const EISCONN = 106;
export const ENOTCONN = 107;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EHOSTDOWN = 112;
export const EHOSTUNREACH = 113;
export const EALREADY = 114;
export const EINPROGRESS = 115;
export const ECANCELED = 125;

const names: readonly (readonly [string, number, string])[] = [
  ['EPERM', EPERM, 'operation not permitted'],
  ['ESRCH', ESRCH, 'no such route'],
  ['ENOENT', ENOENT, 'no such file or registration'],
  ['EINTR', EINTR, 'interrupted call'],
  ['EIO', EIO, 'the stream has ended, and all of it was read'],
  ['EBADF', EBADF, 'not an open descriptor'],
  ['EAGAIN', EAGAIN, 'would block; try again'],
  ['ENOMEM', ENOMEM, 'out of memory'],
  ['EACCES', EACCES, 'permission denied'],
  ['EFAULT', EFAULT, 'bad buffer or address'],
  ['EBUSY', EBUSY, 'reserved or in use'],
  ['EEXIST', EEXIST, 'exists already'],
  ['ENODEV', ENODEV, 'no such device'],
  ['EISDIR', EISDIR, 'is a directory'],
  ['EINVAL', EINVAL, 'invalid argument'],
  ['ENFILE', ENFILE, 'too many open files in the stack'],
  ['EMFILE', EMFILE, 'too many open descriptors'],
  ['ENOTTY', ENOTTY, 'request not meant for this kind of file'],
  ['ENOSPC', ENOSPC, 'limit of watches or space reached'],
  ['ESPIPE', ESPIPE, 'not seekable'],
  ['EPIPE', EPIPE, 'the other end is closed'],
  ['EDOM', EDOM, 'argument out of domain'],
  ['ELOOP', ELOOP, 'a loop, or nested too deep'],
  ['ENOMSG', ENOMSG, 'no message'],
  ['ENODATA', ENODATA, 'no data available'],
  ['EPROTO', EPROTO, 'protocol error'],
  ['EOVERFLOW', EOVERFLOW, 'value too large'],
  ['ENOTSOCK', ENOTSOCK, 'not a socket'],
  ['EDESTADDRREQ', EDESTADDRREQ, 'destination address required'],
  ['EMSGSIZE', EMSGSIZE, 'message too long'],
  ['EPROTOTYPE', EPROTOTYPE, 'wrong protocol type for socket'],
  ['ENOPROTOOPT', ENOPROTOOPT, 'no such option'],
  ['EPROTONOSUPPORT', EPROTONOSUPPORT, 'protocol not supported'],
  ['ESOCKTNOSUPPORT', ESOCKTNOSUPPORT, 'socket type not supported'],
  ['EOPNOTSUPP', EOPNOTSUPP, 'operation not supported on this socket'],
  ['EAFNOSUPPORT', EAFNOSUPPORT, 'address family not supported'],
  ['EADDRINUSE', EADDRINUSE, 'address in use'],
  ['EADDRNOTAVAIL', EADDRNOTAVAIL, 'address not available'],
  ['ENETDOWN', ENETDOWN, 'network is down'],
  ['ENETUNREACH', ENETUNREACH, 'network is unreachable'],
  ['ECONNABORTED', ECONNABORTED, 'connection aborted'],
  ['ECONNRESET', ECONNRESET, 'connection reset by peer'],
  ['ENOBUFS', ENOBUFS, 'no buffer space'],
  ['EISCONN', EISCONN, 'already connected'],
  ['ENOTCONN', ENOTCONN, 'not connected'],
  ['ETIMEDOUT', ETIMEDOUT, 'connection timed out'],
  ['ECONNREFUSED', ECONNREFUSED, 'connection refused'],
  ['EHOSTDOWN', EHOSTDOWN, 'host is down'],
  ['EHOSTUNREACH', EHOSTUNREACH, 'no route to host'],
  ['EALREADY', EALREADY, 'already in progress'],
  ['EINPROGRESS', EINPROGRESS, 'now in progress'],
  ['ECANCELED', ECANCELED, 'cancelled'],
];

const byNumber = new Map(names.map(([name, number, text]) => [number, { name, text }]));

/** Name of an errno, given positive or negated as a syscall returned it: `errnoName(-11) === 'EAGAIN'`. */
export function errnoName(errno: number): string {
  return byNumber.get(Math.abs(errno))?.name ?? `errno ${Math.abs(errno)}`;
}

/** What an errno means, in a few words (as strerror(3)). */
export function strerror(errno: number): string {
  return byNumber.get(Math.abs(errno))?.text ?? 'unknown error';
}

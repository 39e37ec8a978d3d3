/* Errors for people: one record with a code, the step that failed and a sentence that says what to do. */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* glibc's strerrorname_np is not everywhere (musl), so the names that TUN, netlink and mount can give. */
static const struct {
  int errnum;
  const char *name;
} names[] = {
    {EPERM, "EPERM"},
    {ENOENT, "ENOENT"},
    {EINTR, "EINTR"},
    {EIO, "EIO"},
    {ENXIO, "ENXIO"},
    {EBADF, "EBADF"},
    {EAGAIN, "EAGAIN"},
    {ENOMEM, "ENOMEM"},
    {EACCES, "EACCES"},
    {EFAULT, "EFAULT"},
    {EBUSY, "EBUSY"},
    {EEXIST, "EEXIST"},
    {ENODEV, "ENODEV"},
    {ENOTDIR, "ENOTDIR"},
    {EINVAL, "EINVAL"},
    {ENOTTY, "ENOTTY"},
    {ENFILE, "ENFILE"},
    {EMFILE, "EMFILE"},
    {ENOSPC, "ENOSPC"},
    {EROFS, "EROFS"},
    {EPIPE, "EPIPE"},
    {ERANGE, "ERANGE"},
    {ENOSYS, "ENOSYS"},
    {EBADFD, "EBADFD"},
    {ENOTSUP, "ENOTSUP"},
    {ECANCELED, "ECANCELED"},
    {EADDRINUSE, "EADDRINUSE"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
    {ENETDOWN, "ENETDOWN"},
    {ECONNRESET, "ECONNRESET"},
    {ENOBUFS, "ENOBUFS"},
    {ETIMEDOUT, "ETIMEDOUT"},
    {ENAMETOOLONG, "ENAMETOOLONG"},
    {EPROTO, "EPROTO"},
    {EUSERS, "EUSERS"},
    {EAFNOSUPPORT, "EAFNOSUPPORT"},
};

const char *nic_errno_name(int errnum) {
  static _Thread_local char other[16];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].errnum == errnum)
      return names[i].name;
  snprintf(other, sizeof other, "E%d", errnum);
  return other;
}

bool nic_fail(struct nic_error *error, int errnum, const char *code, const char *step, const char *format,
              ...) {
  if (error == NULL)
    return false;
  va_list args;
  va_start(args, format);
  error->errnum = errnum;
  snprintf(error->code, sizeof error->code, "%s", code != NULL ? code : nic_errno_name(errnum));
  snprintf(error->step, sizeof error->step, "%s", step);
  vsnprintf(error->message, sizeof error->message, format, args);
  va_end(args);
  return false;
}

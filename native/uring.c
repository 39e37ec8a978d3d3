/*
 * io_uring(7), as little of it as the NIC needs: a batch of reads from or writes to one descriptor in a
 * single system call, each carried out there and then or answered by EAGAIN, as read(2) and write(2) do it on
 * a descriptor that does not block.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif

#if defined(IORING_SETUP_DEFER_TASKRUN) && defined(__NR_io_uring_setup)

struct uring {
  int fd, file;
  unsigned count; /* put since the last run */
  unsigned sq_mask, cq_mask;
  unsigned *sq_tail, *cq_head, *cq_tail;
  struct io_uring_sqe *sqes;
  struct io_uring_cqe *cqes;
  void *rings;
  size_t rings_size, sqes_size;
};

static void *map(int fd, size_t size, uint64_t offset) {
  return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);
}

struct uring *uring_open(int fd) {
  struct uring *ring = calloc(1, sizeof *ring);
  if (ring == NULL)
    return NULL;
  ring->rings = ring->sqes = MAP_FAILED;
  /* Not registered with the ring, which would hold it open for a while after its own end. */
  ring->file = fd;
  /* Linux 6.1 and newer: one thread submits, and nothing of ours runs but inside its own calls. */
  struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
  ring->fd = (int)syscall(__NR_io_uring_setup, URING_MAX, &params);
  if (ring->fd < 0)
    goto refused;
  const size_t submissions = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
  const size_t completions = params.cq_off.cqes + params.cq_entries * sizeof *ring->cqes;
  ring->rings_size = submissions > completions ? submissions : completions;
  ring->sqes_size = params.sq_entries * sizeof *ring->sqes;
  ring->rings = map(ring->fd, ring->rings_size, IORING_OFF_SQ_RING);
  ring->sqes = map(ring->fd, ring->sqes_size, IORING_OFF_SQES);
  if (ring->rings == MAP_FAILED || (void *)ring->sqes == MAP_FAILED)
    goto refused;
  char *rings = ring->rings;
  ring->sq_mask = *(unsigned *)(void *)(rings + params.sq_off.ring_mask);
  ring->cq_mask = *(unsigned *)(void *)(rings + params.cq_off.ring_mask);
  ring->sq_tail = (unsigned *)(void *)(rings + params.sq_off.tail);
  ring->cq_head = (unsigned *)(void *)(rings + params.cq_off.head);
  ring->cq_tail = (unsigned *)(void *)(rings + params.cq_off.tail);
  ring->cqes = (struct io_uring_cqe *)(void *)(rings + params.cq_off.cqes);
  unsigned *array = (unsigned *)(void *)(rings + params.sq_off.array);
  for (unsigned i = 0; i <= ring->sq_mask; i++)
    array[i] = i;
  return ring;

refused:;
  const int reason = errno;
  uring_close(ring);
  errno = reason;
  return NULL;
}

void uring_close(struct uring *ring) {
  if (ring == NULL)
    return;
  if ((void *)ring->sqes != MAP_FAILED)
    munmap(ring->sqes, ring->sqes_size);
  if (ring->rings != MAP_FAILED)
    munmap(ring->rings, ring->rings_size);
  if (ring->fd >= 0)
    close(ring->fd);
  free(ring);
}

void uring_use(struct uring *ring, int fd) { ring->file = fd; }

static void put(struct uring *ring, uint8_t opcode, const void *address, uint32_t length) {
  struct io_uring_sqe *entry = &ring->sqes[(*ring->sq_tail + ring->count) & ring->sq_mask];
  memset(entry, 0, sizeof *entry);
  entry->opcode = opcode;
  entry->fd = ring->file;
  entry->addr = (uint64_t)(uintptr_t)address;
  entry->len = length;
  entry->off = (uint64_t)-1;
  entry->rw_flags = RWF_NOWAIT; /* O_NONBLOCK alone lets the kernel wait for room by itself */
  entry->user_data = ring->count++;
}

void uring_write(struct uring *ring, const struct iovec *iov, unsigned count) {
  if (count == 1)
    put(ring, IORING_OP_WRITE, iov->iov_base, (uint32_t)iov->iov_len);
  else
    put(ring, IORING_OP_WRITEV, iov, count);
}

void uring_read(struct uring *ring, void *to, uint32_t length) { put(ring, IORING_OP_READ, to, length); }

bool uring_run(struct uring *ring, int *results) {
  const unsigned count = ring->count;
  ring->count = 0;
  for (unsigned i = 0; i < count; i++)
    results[i] = -ENOSYS;
  __atomic_store_n(ring->sq_tail, *ring->sq_tail + count, __ATOMIC_RELEASE);
  const long taken = syscall(__NR_io_uring_enter, ring->fd, count, 0, 0, NULL, 0);
  unsigned head = *ring->cq_head;
  const unsigned tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
  bool whole = taken == (long)count && tail - head == count;
  for (; head != tail; head++) {
    const struct io_uring_cqe *entry = &ring->cqes[head & ring->cq_mask];
    results[entry->user_data] = entry->res == -EOPNOTSUPP ? -ENOSYS : entry->res;
    whole = whole && entry->res != -EOPNOTSUPP; /* a file that cannot be asked without waiting */
  }
  __atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
  return whole;
}

#else /* headers older than Linux 6.1 */

struct uring *uring_open(int fd) {
  (void)fd;
  errno = ENOSYS;
  return NULL;
}
void uring_close(struct uring *ring) { (void)ring; }
void uring_write(struct uring *ring, const struct iovec *iov, unsigned count) {
  (void)ring, (void)iov, (void)count;
}
void uring_read(struct uring *ring, void *to, uint32_t length) { (void)ring, (void)to, (void)length; }
void uring_use(struct uring *ring, int fd) { (void)ring, (void)fd; }
bool uring_run(struct uring *ring, int *results) {
  (void)ring, (void)results;
  return false;
}

#endif

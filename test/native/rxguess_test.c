/* How frames are read, by how many there were the last time: one by one, together, or one only. */
#include "check.h"

#include <sys/socket.h>
#include <unistd.h>

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);
bool __real_uring_run(struct uring *ring, int *results);
bool __wrap_uring_run(struct uring *ring, int *results);
static unsigned reads, runs;

ssize_t __wrap_read(int fd, void *to, size_t size) {
  reads++;
  return __real_read(fd, to, size);
}

bool __wrap_uring_run(struct uring *ring, int *results) {
  runs++;
  return __real_uring_run(ring, results);
}

static void send_frames(const struct bench *bench, unsigned frames, uint32_t length) {
  static uint8_t frame[20000];
  for (unsigned i = 0; i < frames; i++)
    CHECK(send(bench->wire, frame, length, 0) == (ssize_t)length);
}

/* So many frames of such a length, and how they come: in a call of nic_receive, by reads and runs of the
 * ring. */
static bool comes(struct bench *bench, unsigned frames, uint32_t length, unsigned by_reads,
                  unsigned by_runs) {
  send_frames(bench, frames, length);
  reads = runs = 0;
  const int count = nic_receive(bench->queue);
  if (count == (int)frames && reads == by_reads && runs == by_runs)
    return true;
  fprintf(stderr, "%u frames of %u: %d by %u reads and %u runs\n", frames, length, count, reads, runs);
  return false;
}

static void together(bool vnet, bool dear, uint32_t length) {
  struct bench bench = bench_open(vnet);
  bench.queue->dear_calls = dear;
  if (bench.queue->ring != NULL) {
    CHECK(comes(&bench, 7, length, 2, 2)); /* nobody knew: 1, 1, 2, and 3 of 4 at a time */
    CHECK(comes(&bench, 7, length, 1, 1)); /* six, and that there are no more */
    CHECK(comes(&bench, 3, length, 1, 1));
    CHECK(comes(&bench, 7, length, 1, 2)); /* three, and as many as there had been by then */
    CHECK(bench.queue->stats.rx_batched == 5 + 6 + 2 + 6);
    reads = runs = 0;
    CHECK(nic_receive(bench.queue) == 0 && reads == 1 && runs == 0); /* a look in vain costs a read */
    CHECK(comes(&bench, 7, length, 1, 1));                           /* and says nothing of what will come */
  }
  bench_close(&bench);
}

static void one_by_one(void) {
  struct bench bench = bench_open(true);
  for (int i = 0; i < 3; i++)
    CHECK(comes(&bench, 7, 100, 8, 0)); /* where calls are cheap */
  CHECK(comes(&bench, 3, 9000, 4, 0));  /* and what is dear to copy */
  CHECK(comes(&bench, 7, 1400, 8, 0));  /* for as long as it may come again */
  bench.queue->dear_calls = true;
  queue_no_ring(bench.queue);
  CHECK(comes(&bench, 7, 100, 8, 0));
  bench_close(&bench);
}

/* Where calls are dear large frames are read together, too, each to the place where it stays. */
static void in_place(bool vnet) {
  struct bench bench = bench_open(vnet); /* of four blocks */
  bench.queue->dear_calls = true;
  if (bench.queue->ring != NULL) {
    CHECK(comes(&bench, 3, 9000, 2, 1)); /* nobody knew */
    CHECK(comes(&bench, 3, 9000, 1, 1));
    CHECK(comes(&bench, 4, 9000, 1, 1)); /* one for each block: there may be more */
    int32_t block, offset;
    for (int d = 0; d < 4; d++) {
      memcpy(&block, bench.memory + bench.at.rx_list_offset + 4 * (size_t)d, sizeof block);
      memcpy(&offset, bench.memory + bench.at.rx_desc_offset + (size_t)d * NIC_RX_DESC_WORDS * 4,
             sizeof offset);
      CHECK(offset > block && offset < block + 32);
    }
    CHECK(comes(&bench, 3, 9000, 1, 1));
    CHECK(bench.queue->stats.rx_batched == 1 + 2 + 3 + 2 && bench.queue->stats.rx_dropped == 0);
    CHECK(nic_waiting(bench.queue) == 0);
  }
  bench_close(&bench);
}

/* Requests that come one by one are answered before anybody looks for the next. */
static void alone(void) {
  struct bench bench = bench_open(true);
  bench.queue->dear_calls = false;
  CHECK(comes(&bench, 1, 100, 2, 0)); /* it has to be seen that it was alone */
  for (int i = 0; i < 3; i++) {
    CHECK(comes(&bench, 1, 100, 1, 0));
    CHECK(comes(&bench, 0, 0, 1, 0));
  }
  send_frames(&bench, 3, 100); /* others now: those behind it come with the next call, whole */
  CHECK(nic_receive(bench.queue) == 1);
  reads = 0;
  CHECK(nic_receive(bench.queue) == 2 && reads == 3);
  CHECK(comes(&bench, 3, 100, 4, 0)); /* and it was not alone */
  CHECK(comes(&bench, 1, 100, 2, 0));
  CHECK(comes(&bench, 1, 2000, 2, 0)); /* bulk is not waited for */
  bench_close(&bench);
}

int main(void) {
  together(true, true, 100);
  together(false, true, 100);
  together(false, false, 1400);
  together(true, false, 1400);
  one_by_one();
  in_place(false);
  in_place(true);
  alone();
  return check_result("rxguess");
}

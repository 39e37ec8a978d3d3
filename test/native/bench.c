/* The stand-in device of the C tests: one end of a socketpair, with rings laid out as the stack does it. */
#include "check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

bool __wrap_calls_are_dear(void);

/* What this machine is like decides nothing here (run.sh): every test runs as on both kinds. */
bool __wrap_calls_are_dear(void) { return getenv("DEAR_CALLS") != NULL; }

struct bench bench_open(bool vnet_hdr) {
  struct bench bench = {.size = 1 << 20};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
    abort();
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  bench.device = ends[0];
  /* Exactly as large as it says, so that AddressSanitizer sees one byte too many. */
  bench.memory = calloc(1, bench.size);
  bench.wire = ends[1];
  bench.nic = nic_adopt(ends[0], vnet_hdr, NULL);
  bench.queue = nic_get_queue(bench.nic, 0);
  CHECK(bench.queue->fills);
  bench.queue->fills = false; /* nobody reads while a batch is written here: it is taken for a TAP */
  bench.at = (struct nic_layout){
      .ctrl_offset = 0,
      .rx_desc_offset = 64,
      .rx_desc_count = 8,
      .tx_desc_offset = 1024,
      .tx_slots = 64,
      .tx_header_offset = 8192,
      .tx_header_slot = 256,
      .rx_list_offset = 512,
      .rx_blocks = 4,
      .rx_block_size = BENCH_BLOCK,
  };
  for (int32_t i = 0; i < 4; i++) {
    int32_t offset = (1 << 16) + i * BENCH_BLOCK;
    memcpy(bench.memory + 512 + 4 * i, &offset, sizeof offset);
  }
  struct nic_error error;
  if (!nic_queue_attach(bench.queue, bench.memory, bench.size, &bench.at, &error)) {
    fprintf(stderr, "%s\n", error.message);
    abort();
  }
  return bench;
}

void bench_close(struct bench *bench) {
  nic_close(bench->nic);
  close(bench->wire);
  free(bench->memory);
}

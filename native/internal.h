/* What the files of the NIC tell each other and nobody else. */
#ifndef TAPSTACK_NIC_INTERNAL_H
#define TAPSTACK_NIC_INTERNAL_H

#include "nic.h"

#include <sys/types.h>
#include <sys/uio.h>

#define ETH_HEADER 14u

/* error.c */
/* Fills `error` and returns false, so that a failing step is one statement. `code` NULL: from errnum. */
bool nic_fail(struct nic_error *error, int errnum, const char *code, const char *step, const char *format,
              ...) __attribute__((format(printf, 5, 6)));

/* csum.c: ones' complement sums over 16-bit words in memory order (RFC 1071 section 2(B)). */
uint16_t csum_fold(uint64_t sum);
uint64_t csum_add(uint64_t sum, const void *data, size_t length);
uint64_t csum_add_at(uint64_t sum, size_t position, const void *data, size_t length);
uint64_t csum_iov(uint64_t sum, const struct iovec *iov, unsigned count, size_t skip);
uint64_t csum_pseudo4(const uint8_t *ip, uint8_t protocol, uint32_t length);
void csum_ipv4_header(uint8_t *ip, size_t length);

/* verdict.c */
uint32_t nic_verdict(const uint8_t *frame, uint32_t length);

/* txdesc.c: a transmit descriptor after every value in it was checked. */
struct tx_frame {
  struct iovec piece[NIC_TX_PIECES];
  unsigned pieces;
  uint32_t length;
  uint32_t csum_start, csum_offset; /* csum_start 0: none wanted */
  uint32_t gso_size;                /* 0: not GSO */
  uint32_t header;                  /* GSO: length of all headers, Ethernet to TCP options */
  uint32_t flags;
};
bool tx_frame_read(const struct nic_queue *queue, uint32_t index, struct tx_frame *frame);
/* A descriptor that stays in the ring, for one before it waits, has been sent. */
void tx_frame_done(struct nic_queue *queue, uint32_t index);
bool tx_frame_is_done(const struct nic_queue *queue, uint32_t index);

/* tx.c */
/* Up to this length it costs the kernel more to gather pieces (230 ns for two of 140 bytes, 500 for two of
 * 1500) than to copy them costs here. */
#define TX_JOIN_MAX 2048
#define TX_PIECES_MAX (2 + NIC_TX_PIECES) /* a virtio header and headers made here, then the descriptor's */
/* Writes one frame and counts it, or adds it to the batch that is open: 0 (sent, or dropped and counted),
 * -EAGAIN (`resume` says from where on), or -errno when the device is gone. */
int tx_write(struct nic_queue *queue, const struct iovec *iov, unsigned count, size_t length);
/* The system call alone: bytes, or -errno. */
int tx_write_now(int fd, const struct iovec *iov, unsigned count);
/* Counts its result; as tx_write. */
int tx_count(struct nic_queue *queue, int sent, size_t length);

/* txbatch.c */
/* Makes batches possible; false for want of memory. */
bool tx_batch_prepare(struct nic_queue *queue);
/* So many frames are coming: opens a batch if that pays. */
void tx_batch_begin(struct nic_queue *queue, uint32_t frames);
bool tx_batch_open(const struct nic_queue *queue);
int tx_batch_add(struct nic_queue *queue, const struct iovec *iov, unsigned count, size_t length);
int tx_batch_send(struct nic_queue *queue);
int tx_batch_end(struct nic_queue *queue);
void tx_batch_close(struct nic_queue *queue);

/* rxplace.c */
struct rx_place {
  uint32_t block;         /* the next one of the list */
  uint32_t position, end; /* in the one at hand; end 0: none */
};
/* Moves on to the next posted block unless the one at hand has room for any frame; false: there is none. */
bool rx_place_find(const struct nic_queue *queue, struct rx_place *at);
bool rx_place_next_block(const struct nic_queue *queue, struct rx_place *at);
/* What was received ends there. */
void rx_place_behind(const struct nic_queue *queue, struct rx_place *at, const uint8_t *end);
uint8_t *rx_place_frame(const struct nic_queue *queue, const struct rx_place *at);
/* Bytes of virtio header before each frame. */
uint32_t rx_ahead(const struct nic_queue *queue);

/* rxbatch.c */
bool rx_batch_prepare(struct nic_queue *queue);
/* nic_receive begins: that the device was dry when it was looked at last says nothing any more. */
void rx_batch_begin(struct nic_queue *queue);
/* The next frame of a batch, with its virtio header: its length, 0 where there is no batch (read it
 * yourself), or -errno. It lies at `frame`, which is its place `at` where it was read in place; of such ones
 * at most so many `more` are read. */
int rx_batch_next(struct nic_queue *queue, struct rx_place *at, unsigned more, const uint8_t **frame);
void rx_batch_close(struct nic_queue *queue);

/* rxguess.c */
/* nic_receive begins, or goes on where it stopped behind a frame that came alone. */
void rx_guess_begin(struct rx_guess *guess);
/* A frame of so many bytes was read. */
void rx_guess_saw(struct rx_guess *guess, size_t length);
/* Are there any among them that should not be copied? */
bool rx_guess_large(const struct rx_guess *guess);
/* How many should be read together now; fewer than two: none. */
unsigned rx_guess_more(const struct rx_guess *guess, bool dear_calls);
/* Should the one frame that was read be handed up before the device is asked for another? */
bool rx_guess_alone(struct rx_guess *guess);

/* callcost.c */
/* Do many system calls cost more than twice what one does that has the kernel do as much? */
bool calls_are_dear(void);

/* queue.c */
/* The descriptor that is written to now. */
static inline int queue_tx_fd(const struct nic_queue *queue) {
  return queue->threaded || queue->direct_fd < 0 ? queue->fd : queue->direct_fd;
}
/* Does this error of a read or write mean that the descriptor is of no further use? */
bool queue_lost(int errnum);
/* Has the kernel take and give several frames at once. 0, or why each will be a call of its own: an errno. */
int queue_batches(struct nic_queue *queue);
/* It has failed: no more batches, but what of the last one has been read. */
void queue_no_ring(struct nic_queue *queue);
void queue_no_batches(struct nic_queue *queue);

/* uring.c: URING_MAX entries. */
#define URING_MAX 64
struct uring;
/* NULL where there is none (errno says why). */
struct uring *uring_open(int fd);
void uring_close(struct uring *ring);
/* A write for the next run; pieces and what they point to stay as they are until then. */
void uring_write(struct uring *ring, const struct iovec *iov, unsigned count);
/* A read of up to so many bytes. */
void uring_read(struct uring *ring, void *to, uint32_t length);
/* What is put from now on is for this descriptor. */
void uring_use(struct uring *ring, int fd);
/* Carries out what was put: bytes or -errno for each, -ENOSYS where the ring has not tried. False when it is
 * of no further use. */
bool uring_run(struct uring *ring, int *results);

/* gro.c: the run that is being received; `frame` NULL: none, `closed`: nothing may join it any more. */
#define GRO_HEADER_MAX (ETH_HEADER + 20 + 60)
struct gro_run {
  uint8_t *frame;
  uint32_t header, length; /* of all headers; of the frame so far */
  uint32_t size;           /* payload of its first segment (gso_size) */
  uint32_t next;           /* sequence number behind it */
  uint32_t segments;
  bool closed;
};
void gro_begin(struct gro_run *run, uint8_t *frame, uint32_t length);
bool gro_append(struct gro_run *run, const uint8_t *headers, const uint8_t *payload, uint32_t size,
                bool verified);
void gro_end(const struct gro_run *run);

/* gso.c */
int gso_cut(struct nic_queue *queue, const struct tx_frame *frame);

/* netlink.c: one rtnetlink socket, bound for good to the network namespace it was made in. */
struct link_state {
  char name[NIC_NAME_MAX + 1];
  int ifindex;
  unsigned flags; /* IFF_UP ... */
  uint32_t mtu, tx_queue;
  uint8_t mac[6];
  char kind[16];       /* rtnl_link_ops.kind: "tun", "veth"; "" for hardware */
  uint8_t tun_type;    /* IFF_TUN or IFF_TAP; 0 when the kernel does not say */
  uint32_t tun_queues; /* of multi_queue: attached ones; else 0 */
};
int netlink_open(void);
int netlink_get_link(int nl, int ifindex, const char *name, struct link_state *state); /* by either */
int netlink_set_up(int nl, int ifindex, bool up);
int netlink_delete_link(int nl, int ifindex);
int netlink_set_mtu(int nl, int ifindex, uint32_t mtu);
int netlink_set_tx_queue(int nl, int ifindex, uint32_t frames);
int netlink_set_root_qdisc(int nl, int ifindex, const char *kind);
int netlink_set_mac(int nl, int ifindex, const uint8_t mac[6]);
int netlink_address(int nl, int ifindex, uint32_t address, uint8_t prefix, bool add);
int netlink_dump(int nl, int type, int (*each)(const void *message, size_t length, void *context),
                 void *context);

/* route.c: would host_address/prefix on `ifindex` (0: not made yet) hide something the host reaches now? */
bool route_check_shadow(int nl, int ifindex, uint32_t address, uint8_t prefix, bool *present,
                        struct nic_error *error);

#define NETNS_DIR "/run/netns"
/* netns.c: opens /dev/net/tun and an rtnetlink socket inside the namespace `name` (NULL: here). */
struct netns_fds {
  int tun;
  int netlink;
  /* -errno where they cannot be had, ECANCELED where `napi` was not asked for: */
  int napi_tun; /* another one of the first kind */
  int sysfs;    /* as napi_sysfs says */
  bool created;
};
bool netns_open_fds(const char *name, bool napi, struct netns_fds *fds, struct nic_error *error);
bool netns_name_valid(const char *name);

/* napi.c */
/* A sysfs that shows the namespace of the calling thread and where NAPI can be switched, or -errno. */
int napi_sysfs(void);
/* What is written to switch the device's NAPI: a descriptor, or -errno. */
int napi_attribute(int sysfs, const char *name);
/* Makes `napi_fd` the queue's descriptor, with IFF_NAPI, and what that was its direct_fd: of a device that is
 * called so, made with such flags (TUNSETIFF). 0, or an errno. */
int napi_queue(struct nic_queue *queue, int napi_fd, const char *name, short flags);

/* guard.c */
struct guard {
  pid_t pid; /* 0: none */
  int socket;
};
void guard_start(struct guard *guard, const char *name);
void guard_end(struct guard *guard);

/* duty.c */
struct exit_duty {
  struct exit_duty *next;
  void (*perform)(void *context);
  void *context;
};
void exit_duty_add(struct exit_duty *duty);
bool exit_duty_drop(struct exit_duty *duty);

/* options.c */
struct parsed_options {
  bool has_address, has_mac;
  uint32_t address; /* network byte order */
  uint8_t prefix;
  uint8_t mac[6];
};
bool options_parse(const struct nic_options *options, struct parsed_options *parsed, struct nic_error *error);

#endif

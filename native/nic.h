/*
 * The network interface card of tapstack: raw Ethernet frames between a Linux TAP device and the memory
 * that TypeScript shares with us. Plain C11, usable and tested without Node; binding.cc gives it to
 * JavaScript.
 *
 * A device (struct nic) has queues (struct nic_queue), one for now; a queue has a descriptor to read and
 * write, perhaps another one to write (napi.c), its rings in the shared memory, and its counters.
 */
#ifndef TAPSTACK_NIC_H
#define TAPSTACK_NIC_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NIC_NAME_MAX 15            /* IFNAMSIZ - 1 */
#define NIC_QUEUES_MAX 1           /* nothing else assumes one */
#define NIC_FRAME_MAX (65535 + 18) /* the longest IPv4 packet, an Ethernet header and a VLAN tag */
#define NIC_FRAME_ROOM 65600       /* what nic_receive wants free in a block before it reads */
#define NIC_RX_BATCH (2 << 20)     /* bytes after which a batch is handed up */
#define NIC_TX_HEADROOM 16         /* bytes before a transmitted frame that are ours (virtio header) */

/* Words of the control block that both sides share. */
enum nic_ctrl { NIC_CTRL_TX_HEAD = 0, NIC_CTRL_TX_TAIL = 1, NIC_CTRL_FLUSH = 2, NIC_CTRL_WORDS = 16 };

/* Receive descriptor: offset, length, flags, gsoSize. */
enum { NIC_RX_DESC_WORDS = 4 };
enum nic_rx_flag {
  NIC_RX_L4_OK = 1,
  NIC_RX_L4_BAD = 2,
  NIC_RX_IP_BAD = 4,
  NIC_RX_L4_NONE = 8,
  NIC_RX_GSO_TCP4 = 16,
  NIC_RX_GSO_OTHER = 32
};

/* Transmit descriptor: four (offset, length) pieces, csumStart, csumOffset, gsoSize, flags. */
enum { NIC_TX_DESC_WORDS = 12, NIC_TX_PIECES = 4 };
/* With GSO: CWR stays with the first segment (ECN), or with all of them (ACCECN). */
enum nic_tx_flag {
  NIC_TX_IPV4_CSUM = 1,
  NIC_TX_GSO_TCP4 = 2,
  NIC_TX_ECN = 4,
  NIC_TX_ACCECN = 8,
  NIC_TX_DONE = 1 << 30 /* the NIC's own: it left before one that waits for room */
};

/* What went wrong, for people (message) and for programs (code, step). Filled by whatever returns failure. */
struct nic_error {
  int errnum;        /* errno, positive */
  char code[24];     /* its name, or ERR_ROUTE_SHADOW */
  char step[32];     /* the call that failed: open, TUNSETIFF, RTM_NEWADDR ... */
  char message[400]; /* what happened, why, what to do */
};

struct nic_options {
  const char *name;  /* of the TAP device; attached to if it exists, else created */
  const char *netns; /* network namespace for the device, by its name under /run/netns; NULL: the caller's */
  const char *host_address; /* "a.b.c.d/n" for the host's side, or NULL to leave addresses alone */
  const char *host_mac;     /* "aa:bb:cc:dd:ee:ff" for the host's side, or NULL to leave it */
  uint32_t mtu;             /* 0: leave it */
  bool offload;             /* ask for the virtio header and checksum/TSO offloads */
  bool no_gro;              /* hand on every frame as it came, none joined to another */
  bool persist;             /* a device that we create outlives us */
  bool napi; /* of a device of our own that does not persist: let its NAPI be threaded (nic_take_napi) */
};

struct nic_info {
  char name[NIC_NAME_MAX + 1];
  int ifindex;
  uint32_t mtu;
  uint8_t host_mac[6];
  uint32_t offloads; /* TUN_F_* that the kernel granted for what it hands to us */
  bool
      vnet_hdr; /* frames carry a virtio header: we may hand partial checksums and TSO frames to the kernel */
  int no_batch; /* why each frame is a system call: an errno of io_uring_setup; 0: several are one */
  bool dear_calls; /* a system call costs more than twice what the kernel does in a short one (callcost.c) */
  int no_napi;     /* why the device's NAPI cannot be threaded: an errno; 0: it can */
  bool created;    /* the device did not exist before */
  bool netns_created; /* nor did its namespace */
};

/* Where a queue's rings lie in the shared memory: byte offsets, multiples of 4. */
struct nic_layout {
  uint32_t rx_list_offset, rx_blocks;                  /* words: where each posted block begins; 0 none */
  uint32_t rx_block_size;                              /* bytes of one: NIC_FRAME_ROOM and more */
  uint32_t rx_desc_offset, rx_desc_count;              /* receive descriptors */
  uint32_t tx_header_offset, tx_header_slot, tx_slots; /* header areas; tx_slots is a power of two */
  uint32_t tx_desc_offset;                             /* tx_slots transmit descriptors */
  uint32_t ctrl_offset;                                /* NIC_CTRL_WORDS words */
};

struct nic_stats {
  uint64_t rx_frames, rx_bytes;
  uint64_t rx_dropped;     /* too short or too long; or read ahead when the device went */
  uint64_t rx_errors;      /* reads that failed, and the device is still there */
  uint64_t rx_busy_polled; /* of rx_frames: found by busy polling, instead of by being woken */
  uint64_t rx_batched;     /* of rx_frames: read together with others */
  uint64_t rx_spun_ns;     /* how long busy polling has looked for them in vain */
  uint64_t tx_frames, tx_bytes, tx_dropped, tx_invalid, tx_eagain;
  uint64_t tx_batched; /* of tx_frames: handed over together with others */
};

struct uring;
struct tx_batch;
struct rx_batch;

/* How far transmission has come: a descriptor, and for one that is cut here what of it has gone. */
struct tx_mark {
  uint32_t tail;
  uint32_t done, segment;
  bool whole; /* the descriptor is one frame */
};

/* What nic_receive found when it found something last, and what it has found now. */
struct rx_guess {
  unsigned last, now;     /* frames */
  bool last_large, large; /* with one among them that is dear to copy */
  bool failed;            /* a batch: a read by itself may do better */
  bool bulk;              /* the last frame was of several, by its length */
  bool stopped, goes_on;  /* behind a frame that came alone: the last call, and this one there */
};

struct nic_queue {
  int fd;        /* to read, and to write unless: */
  int direct_fd; /* what is written here the host receives inside the write; -1: none (napi.c) */
  bool threaded; /* a thread of the kernel's receives what is written to `fd` */
  bool vnet_hdr;
  bool no_gro;
  bool gone;       /* the device was removed under us: transmit drops everything */
  bool stuck;      /* nic_receive got nowhere, though the device may say that it has frames */
  bool dear_calls; /* as info's */
  bool fills;      /* the descriptor may say EAGAIN to a frame and take the next: frames go one by one */
  uint8_t *base;   /* of the shared memory; the owner renews it before each call, see nic_queue_rebase */
  uint32_t size;
  struct nic_layout at;
  struct tx_mark here, resume; /* of what is being written, and of what EAGAIN has stopped */
  struct uring *ring;          /* NULL: the kernel takes and gives frames one by one only */
  struct tx_batch *tx_batch;
  struct rx_batch *rx_batch;
  struct rx_guess rx_guess;
  struct nic_stats stats;
};

struct nic;

/* Opens and configures a TAP device. NULL on failure, with everything undone that was done. */
struct nic *nic_open(const struct nic_options *options, struct nic_error *error);

/* Takes over a descriptor that is open already: a TAP opened by somebody else, a socketpair in tests. */
struct nic *nic_adopt(int fd, bool vnet_hdr, struct nic_error *error);

/* Closes the descriptors and removes what nic_open made, unless `persist` was asked for. */
void nic_close(struct nic *nic);

const struct nic_info *nic_get_info(const struct nic *nic);
struct nic_queue *nic_get_queue(struct nic *nic, unsigned index);

/* The descriptor by which the device's NAPI is switched. The caller's from now on; -1 where info's no_napi
 * says why not. */
int nic_take_napi(struct nic *nic);

/* The kernel's thread that receives for the host what we send; zeros at first. */
struct nic_napi_thread {
  int pid;           /* 0 where it is not to be seen */
  cpu_set_t allowed; /* processors, at its beginning */
  int kept_off;      /* the processor that nic_keep_off has taken from these, plus one; 0: none yet */
};

/* Lets a thread of the kernel's receive for the host what we send, or has that done inside our writes, as at
 * first. `name`: the device's. False, and all as it was, when the device is gone or no thread can be made. It
 * can take 30 ms (napi_stop_kthread sleeps; it would not end if that queue were detached). */
bool nic_switch_napi(int napi, const char *name, bool threaded, struct nic_napi_thread *thread);

/* Keeps the thread off the processor on which the caller runs: while it may run there, it waits for us there,
 * and the program that we send to waits for it. To be called now and then, for we may have moved. */
void nic_keep_off(struct nic_napi_thread *thread, const char *name);

/* Gives a queue its rings. Fails with EINVAL when the layout does not fit the memory. */
bool nic_queue_attach(struct nic_queue *queue, void *memory, size_t size, const struct nic_layout *layout,
                      struct nic_error *error);

/* The memory moved or shrank (an ArrayBuffer can); false when the rings no longer fit, then call nothing. */
bool nic_queue_rebase(struct nic_queue *queue, void *memory, size_t size);

/* One word of the control block. */
int32_t *nic_ctrl(const struct nic_queue *queue, enum nic_ctrl word);

/*
 * Reads frames into the posted blocks, from the first, until the device is dry, the blocks full or the
 * descriptors used up; or only one, where frames come one by one, and the next call goes on there. A frame of
 * more than a few KiB is the last of its block, so that its reader may keep the block and post another.
 * Returns how many, or -errno when the device is gone. An error that the device outlives is counted and
 * passed over; after several in a row, or without any block, the queue is `stuck`: whoever calls again at
 * once, because the device has frames, does so for ever.
 */
int nic_receive(struct nic_queue *queue);

/* How many frames have been read from the device and wait for nic_receive, of which the device says nothing.
 */
unsigned nic_waiting(const struct nic_queue *queue);

/* Nobody will receive any more: what waits is dropped, and counted so (as flush_backlog does for a device
 * that is unregistered). */
void nic_drop_waiting(struct nic_queue *queue);

/*
 * Transmits the descriptors between TX_TAIL and TX_HEAD. 0 when the ring is empty, -EAGAIN when the device
 * is full (the ring is kept; call again once it is writable), another -errno when the device is gone.
 */
int nic_flush(struct nic_queue *queue);

/* Removes a named network namespace, as `ip netns delete` does. */
bool nic_netns_remove(const char *name, struct nic_error *error);

/* "EPERM" for EPERM; "E<number>" for one we do not know. The text is static or in a per-thread buffer. */
const char *nic_errno_name(int errnum);

#ifdef __cplusplus
}
#endif
#endif

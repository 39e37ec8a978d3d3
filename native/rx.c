/*
 * Receive: frames from the device into blocks that the stack has posted, packed one after another, one
 * descriptor each. What arrives here goes to JavaScript in one call. Segments that continue each other share
 * a descriptor (gro.c).
 */
#include "internal.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <unistd.h>

/* Reads that fail one after another: more would hardly do better now. */
#define ERRORS_MAX 8

static uint32_t vnet_flags(const struct virtio_net_hdr *header) {
  switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
  case VIRTIO_NET_HDR_GSO_NONE:
    return 0;
  case VIRTIO_NET_HDR_GSO_TCPV4:
    return NIC_RX_GSO_TCP4;
  default:
    return NIC_RX_GSO_OTHER;
  }
}

/* The kernel's word that the checksum holds, or will once it is filled in. */
static bool vnet_verified(const struct virtio_net_hdr *header) {
  return (header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0;
}

static void describe(const struct nic_queue *queue, uint32_t index,
                     const int32_t descriptor[NIC_RX_DESC_WORDS]) {
  const size_t size = NIC_RX_DESC_WORDS * sizeof *descriptor;
  memcpy(queue->base + queue->at.rx_desc_offset + index * size, descriptor, size);
}

static void describe_run(const struct nic_queue *queue, uint32_t index, const struct gro_run *run) {
  gro_end(run);
  if (run->frame == NULL || run->segments < 2)
    return;
  describe(queue, index,
           (const int32_t[]){(int32_t)(run->frame - queue->base), (int32_t)run->length,
                             NIC_RX_L4_OK | NIC_RX_GSO_TCP4, (int32_t)run->size});
}

/* A frame that was read in a batch: into the run, or to `frame`, where it may be already. As read_frame. */
static ssize_t take_frame(struct nic_queue *queue, struct gro_run *run, uint8_t *frame, const uint8_t *from,
                          size_t got) {
  const uint32_t ahead = rx_ahead(queue);
  const uint32_t split = ahead + run->header;
  struct virtio_net_hdr header = {0};
  memcpy(&header, from, ahead);
  if (run->frame != NULL && !run->closed && got > split && got - split <= run->size &&
      vnet_flags(&header) == 0) {
    const uint32_t size = (uint32_t)got - split;
    if (gro_append(run, from + ahead, from + split, size, vnet_verified(&header))) {
      queue->stats.rx_frames++;
      queue->stats.rx_bytes += got - ahead;
      return 0;
    }
  }
  if (from != frame - ahead)
    memcpy(frame - ahead, from, got);
  return (ssize_t)got;
}

/* Reads the next frame to its place, with the virtio header before it. If it continues the run it is taken
 * into it, and the result is 0; else the result is read's. In a batch at most so many `more` are read. */
static ssize_t read_frame(struct nic_queue *queue, struct gro_run *run, struct rx_place *at, unsigned more) {
  const uint8_t *from;
  const int taken = rx_batch_next(queue, at, more, &from);
  const uint32_t ahead = rx_ahead(queue);
  uint8_t *frame = rx_place_frame(queue, at);
  if (taken > 0) {
    rx_guess_saw(&queue->rx_guess, (size_t)taken);
    return take_frame(queue, run, frame, from, (size_t)taken);
  }
  if (taken < 0) {
    errno = -taken;
    return -1;
  }
  if (run->frame == NULL || run->closed) {
    ssize_t got = read(queue->fd, frame - ahead, ahead + NIC_FRAME_MAX + 1);
    if (got > 0)
      rx_guess_saw(&queue->rx_guess, (size_t)got);
    return got;
  }
  uint8_t headers[sizeof(struct virtio_net_hdr) + GRO_HEADER_MAX];
  uint8_t *behind = run->frame + run->length;
  const uint32_t split = ahead + run->header;
  /* A continuation is at most as long as the run's segments; what is longer ends where it will have to stand.
   */
  const struct iovec iov[3] = {
      {headers, split},
      {behind, run->size},
      {frame + run->header + run->size, NIC_FRAME_MAX + 1 - run->header - run->size}};
  ssize_t got = readv(queue->fd, iov, 3);
  if (got <= 0)
    return got;
  rx_guess_saw(&queue->rx_guess, (size_t)got);
  if ((size_t)got <= split) {
    memcpy(frame - ahead, headers, (size_t)got);
    return got;
  }
  struct virtio_net_hdr header = {0};
  memcpy(&header, headers, ahead);
  const uint32_t size = (uint32_t)got - split;
  if (vnet_flags(&header) == 0 && gro_append(run, headers + ahead, behind, size, vnet_verified(&header))) {
    queue->stats.rx_frames++;
    queue->stats.rx_bytes += (uint32_t)got - ahead;
    return 0;
  }
  memmove(frame + run->header, behind, size < run->size ? size : run->size);
  memcpy(frame - ahead, headers, split);
  return got;
}

/* How many frames there is room for that cannot wait for another call, since they lie in the blocks. */
static unsigned more_frames(const struct nic_queue *queue, uint32_t count, uint64_t bytes) {
  const uint32_t descriptors = queue->at.rx_desc_count - count;
  const uint64_t frames = bytes < NIC_RX_BATCH ? (NIC_RX_BATCH - bytes) / NIC_FRAME_MAX + 1 : 0;
  return frames < descriptors ? (unsigned)frames : descriptors;
}

int nic_receive(struct nic_queue *queue) {
  if (queue->gone)
    return -ENODEV;
  const uint32_t ahead = rx_ahead(queue);
  struct rx_place at = {0};
  uint32_t count = 0;
  uint64_t bytes = queue->stats.rx_bytes;
  struct gro_run run = {0};
  uint32_t run_block = 0; /* at.block when it began */
  unsigned errors = 0;    /* in a row */
  rx_guess_begin(&queue->rx_guess);
  rx_batch_begin(queue);
  queue->stuck = false;

  for (uint64_t taken = 0; count < queue->at.rx_desc_count && taken < NIC_RX_BATCH;
       taken = queue->stats.rx_bytes - bytes) {
    if (!rx_place_find(queue, &at)) {
      queue->stuck = count == 0;
      break;
    }
    const uint32_t segments = run.segments;
    ssize_t got = read_frame(queue, &run, &at, more_frames(queue, count, taken));
    uint8_t *frame = rx_place_frame(queue, &at);
    if (got < 0) {
      const int error = errno;
      if (error == EAGAIN)
        break;
      if (queue_lost(error)) {
        if (count > 0) /* hand up what is here; the next call meets the error again */
          break;
        queue->gone = true;
        return -error;
      }
      queue->stats.rx_errors++;
      if (++errors < ERRORS_MAX)
        continue;
      queue->stuck = true;
      break;
    }
    errors = 0;
    if (got == 0 && run.segments != segments) {
      if (at.block == run_block)
        rx_place_behind(queue, &at, run.frame + run.length);
      continue;
    }
    if (got == 0) { /* a stand-in's end of file; a TAP never says so */
      if (count > 0)
        break;
      queue->gone = true;
      return -ENODEV;
    }
    /* One byte more than the longest frame was asked for: who fills it was cut short by read. */
    if ((size_t)got < ahead + ETH_HEADER || (size_t)got > ahead + NIC_FRAME_MAX) {
      queue->stats.rx_dropped++;
      continue;
    }
    if (count > 0)
      describe_run(queue, count - 1, &run);
    uint32_t length = (uint32_t)got - ahead;
    int32_t descriptor[NIC_RX_DESC_WORDS] = {(int32_t)(frame - queue->base), (int32_t)length, 0, 0};
    struct virtio_net_hdr header = {0};
    memcpy(&header, frame - ahead, ahead);
    descriptor[2] = vnet_verified(&header) ? NIC_RX_L4_OK : (int32_t)nic_verdict(frame, length);
    uint32_t gso = vnet_flags(&header);
    run.frame = NULL;
    if (gso != 0) {
      descriptor[2] |= (int32_t)gso;
      descriptor[3] = header.gso_size;
    } else if (descriptor[2] == NIC_RX_L4_OK && !queue->no_gro) {
      gro_begin(&run, frame, length);
      run_block = at.block;
    }
    describe(queue, count, descriptor);
    queue->stats.rx_frames++;
    queue->stats.rx_bytes += length;
    rx_place_behind(queue, &at, frame + length);
    count++;
    if (rx_guess_alone(&queue->rx_guess))
      break;
  }
  if (count > 0)
    describe_run(queue, count - 1, &run);
  return (int)count;
}

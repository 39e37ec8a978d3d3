/*
 * Opens a TAP device and makes it ready: attach or create, offloads, MTU, addresses, link up. Whatever was
 * changed before a step failed is changed back.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * Frames that wait in the device for us. The driver drops what does not fit and tells no sender; its own 1000
 * are fewer than one connection's window of small frames, and the losses cost half of the throughput.
 */
#define TX_QUEUE_LENGTH 10000

struct nic {
  struct nic_info info;
  struct nic_queue queues[NIC_QUEUES_MAX];
  unsigned queue_count;
  int napi_tun; /* what the second queue is made of; or negative */
  int netlink;  /* in the device's namespace, for taking things back; -1 when adopted */
  int sysfs;    /* as napi_sysfs says; there while the device is opened */
  int napi;     /* what nic_take_napi gives; -1: nothing */
  char *netns;  /* its name, when we made it */
  struct guard guard;
  struct exit_duty duty;
  /* Of a device that was there before us: what we changed. */
  struct link_state before;
  bool changed_mtu, changed_mac, changed_up, added_address;
  uint32_t address;
  uint8_t prefix;
};

static void drop(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static struct nic *nic_new(void) {
  struct nic *nic = calloc(1, sizeof *nic);
  if (nic == NULL)
    return NULL;
  nic->netlink = -1;
  nic->napi = nic->sysfs = nic->napi_tun = -1;
  nic->info.no_napi = ECANCELED;
  nic->queue_count = 1;
  nic->queues[0].fd = nic->queues[0].direct_fd = -1;
  return nic;
}

/* Undoes what outlives the descriptors. Best effort: the device may be gone, and then so is all of this. */
static void take_back(void *context) {
  struct nic *nic = context;
  int nl = nic->netlink, ifindex = nic->info.ifindex;
  if (nic->info.created && ifindex != 0) {
    /* It goes with its descriptor, but a process that was forked and has not called exec yet has that, too.
     */
    netlink_delete_link(nl, ifindex);
  } else if (!nic->info.created) {
    if (nic->added_address)
      netlink_address(nl, ifindex, nic->address, nic->prefix, false);
    if (nic->changed_up)
      netlink_set_up(nl, ifindex, false);
    if (nic->changed_mtu)
      netlink_set_mtu(nl, ifindex, nic->before.mtu);
    if (nic->changed_mac)
      netlink_set_mac(nl, ifindex, nic->before.mac);
  }
  if (nic->netns != NULL)
    nic_netns_remove(nic->netns, NULL);
  guard_end(&nic->guard);
}

/* The link of that name, if there is one, must be a TAP. Sets *exists. */
static bool check_name(struct nic *nic, const char *name, bool *exists, struct nic_error *error) {
  int result = netlink_get_link(nic->netlink, 0, name, &nic->before);
  *exists = result == 0;
  if (result == -ENODEV)
    return true;
  if (result < 0)
    return nic_fail(error, -result, NULL, "RTM_GETLINK", "cannot look for %s: %s", name, strerror(-result));
  if (strcmp(nic->before.kind, "tun") != 0)
    return nic_fail(
        error, EEXIST, NULL, "TUNSETIFF",
        "the name %s is taken by a network interface that is not a TAP device (%s). Choose another name",
        name, nic->before.kind[0] != '\0' ? nic->before.kind : "a physical one or loopback");
  if (nic->before.tun_type == IFF_TUN)
    return nic_fail(error, EEXIST, NULL, "TUNSETIFF",
                    "%s is a TUN device (bare IP packets); a TAP device (Ethernet frames) is needed. "
                    "Choose another name",
                    name);
  return true;
}

/* Why the device cannot have NAPI, an errno; 0: it can. One that was there before us is left as it is. */
static int napi_refused(const struct nic *nic, unsigned features) {
  if (nic->sysfs < 0)
    return -nic->sysfs;
  if (nic->napi_tun < 0)
    return -nic->napi_tun;
  if (nic->before.ifindex != 0)
    return EEXIST;
  return (features & IFF_NAPI) && (features & IFF_MULTI_QUEUE) ? 0 : EOPNOTSUPP;
}

static bool set_iff(struct nic *nic, const char *name, bool offload, struct nic_error *error) {
  int fd = nic->queues[0].fd;
  unsigned features = 0;
  if (ioctl(fd, TUNGETFEATURES, &features) < 0)
    features = 0;
  struct ifreq request;
  memset(&request, 0, sizeof request);
  memcpy(request.ifr_name, name, strlen(name));
  nic->info.no_napi = napi_refused(nic, features);
  const short plain = IFF_TAP | IFF_NO_PI;
  const short vnet = offload && (features & IFF_VNET_HDR) ? IFF_VNET_HDR : 0;
  const short two = nic->info.no_napi == 0 ? IFF_MULTI_QUEUE : 0;
  /* Where there was none there is to be none: a device of several queues lets everybody have one. */
  const unsigned excl = nic->before.ifindex == 0 ? IFF_TUN_EXCL : 0;
  request.ifr_flags = (short)(plain | vnet | two | excl);
  int result = ioctl(fd, TUNSETIFF, &request);
  if (result < 0 && errno == EINVAL && (features & IFF_MULTI_QUEUE)) {
    /* A persistent device made with multi_queue wants to hear the flag, even from its only queue. */
    request.ifr_flags = (short)(plain | vnet | IFF_MULTI_QUEUE);
    result = nic->before.tun_queues == 0 ? ioctl(fd, TUNSETIFF, &request) : (errno = EBUSY, -1);
  }
  if (result == 0) {
    if (two)
      nic->info.no_napi = napi_queue(&nic->queues[0], nic->napi_tun, name, (short)(plain | vnet | two));
    if (two && nic->info.no_napi == 0)
      nic->napi_tun = -1; /* it is the queue's */
    drop(&nic->napi_tun);
    nic->info.vnet_hdr = nic->queues[0].vnet_hdr = vnet != 0;
    return true;
  }
  int reason = errno;
  switch (reason) {
  case EBUSY:
    return nic_fail(error, EBUSY, NULL, "TUNSETIFF",
                    "%s is in use by another program. Stop that one, or choose another name", name);
  case EPERM:
  case EACCES:
    return nic_fail(
        error, reason, NULL, "TUNSETIFF",
        "not permitted to %s the TAP device %s: it takes CAP_NET_ADMIN. Run as root, or in a namespace "
        "lab of your own, or let root prepare one for you: `ip tuntap add dev %s mode tap user $USER`",
        nic->before.ifindex != 0 ? "use" : "make", name, name);
  case ENOTTY:
    return nic_fail(error, ENOTTY, NULL, "TUNSETIFF",
                    "/dev/net/tun is not the tun driver's device but something else of that name");
  default:
    return nic_fail(error, reason, NULL, "TUNSETIFF", "cannot %s the TAP device %s: %s",
                    nic->before.ifindex != 0 ? "attach to" : "make", name, strerror(reason));
  }
}

/* Steps down to what this kernel grants. Without a virtio header it must be told to hand over finished
 * frames. */
static bool negotiate(struct nic *nic, struct nic_error *error) {
  static const unsigned wishes[] = {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
                                    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, TUN_F_CSUM | TUN_F_TSO4, TUN_F_CSUM,
                                    0};
  int fd = nic->queues[0].fd;
  if (nic->info.vnet_hdr) {
    int size = sizeof(struct virtio_net_hdr); /* a persistent device may remember another one's */
    if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
      return nic_fail(error, errno, NULL, "TUNSETVNETHDRSZ", "cannot set the virtio header's length: %s",
                      strerror(errno));
  }
  for (size_t i = nic->info.vnet_hdr ? 0 : sizeof wishes / sizeof wishes[0] - 1;
       i < sizeof wishes / sizeof wishes[0]; i++) {
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)wishes[i]) == 0) {
      nic->info.offloads = wishes[i];
      return true;
    }
  }
  return true; /* a kernel without the ioctl offloads nothing */
}

static bool step(int result, const char *call, const char *name, const char *what, struct nic_error *error) {
  if (result == 0)
    return true;
  if (result != -EPERM)
    return nic_fail(error, -result, NULL, call, "cannot set %s of %s: %s", what, name, strerror(-result));
  return nic_fail(error, EPERM, NULL, call,
                  "cannot set %s of %s: it takes CAP_NET_ADMIN. Run as root, or let root do it before: "
                  "`ip addr add ADDRESS/PREFIX dev %s; ip link set %s up`",
                  what, name, name, name);
}

/* Changes only what differs, so that a device prepared by root needs no privilege. */
static bool configure(struct nic *nic, const struct nic_options *options, const struct parsed_options *parsed,
                      bool address_present, struct nic_error *error) {
  const char *name = options->name;
  struct link_state link;
  int nl = nic->netlink;
  if (!step(netlink_get_link(nl, 0, name, &link), "RTM_GETLINK", name, "up the state", error))
    return false;
  nic->info.ifindex = link.ifindex;
  if (parsed->has_mac && memcmp(link.mac, parsed->mac, 6) != 0) {
    if (!step(netlink_set_mac(nl, link.ifindex, parsed->mac), "RTM_NEWLINK", name, "the MAC address", error))
      return false;
    nic->changed_mac = true;
  }
  if (options->mtu != 0 && options->mtu != link.mtu) {
    if (!step(netlink_set_mtu(nl, link.ifindex, options->mtu), "RTM_NEWLINK", name, "the MTU", error))
      return false;
    nic->changed_mtu = true;
  }
  if (nic->info.created && !step(netlink_set_tx_queue(nl, link.ifindex, TX_QUEUE_LENGTH), "RTM_NEWLINK", name,
                                 "the queue length", error))
    return false;
  /* A device that may have more queues gets mq, which makes one discipline for each of 256. */
  if (nic->queues[0].direct_fd >= 0 && !step(netlink_set_root_qdisc(nl, link.ifindex, "pfifo_fast"),
                                             "RTM_NEWQDISC", name, "the queueing discipline", error))
    return false;
  if (parsed->has_address && !address_present) {
    int result = netlink_address(nl, link.ifindex, parsed->address, parsed->prefix, true);
    if (!step(result, "RTM_NEWADDR", name, "the host's address", error))
      return false;
    nic->added_address = true;
    nic->address = parsed->address;
    nic->prefix = parsed->prefix;
  }
  if (!(link.flags & IFF_UP)) {
    if (!step(netlink_set_up(nl, link.ifindex, true), "RTM_NEWLINK", name, "the link up", error))
      return false;
    nic->changed_up = true;
  }
  if (!step(netlink_get_link(nl, link.ifindex, NULL, &link), "RTM_GETLINK", name, "up the state", error))
    return false;
  nic->info.mtu = link.mtu;
  memcpy(nic->info.host_mac, link.mac, 6);
  memcpy(nic->info.name, link.name, sizeof nic->info.name);
  return true;
}

/* What napi_queue has begun. */
static void prepare_napi(struct nic *nic) {
  const int napi = napi_attribute(nic->sysfs, nic->info.name);
  if (napi < 0)
    nic->info.no_napi = -napi;
  else
    nic->napi = napi;
}

struct nic *nic_open(const struct nic_options *options, struct nic_error *error) {
  struct parsed_options parsed;
  struct netns_fds fds;
  bool exists, address_present = false;
  if (!options_parse(options, &parsed, error))
    return NULL;
  struct nic *nic = nic_new();
  char *netns = options->netns != NULL ? strdup(options->netns) : NULL;
  if (nic == NULL || (options->netns != NULL && netns == NULL)) {
    nic_fail(error, ENOMEM, NULL, "calloc", "out of memory");
    free(netns);
    free(nic);
    return NULL;
  }
  if (!netns_open_fds(netns, options->napi, &fds, error)) {
    free(netns);
    free(nic);
    return NULL;
  }
  nic->queues[0].fd = fds.tun;
  nic->queues[0].no_gro = options->no_gro;
  nic->netlink = fds.netlink;
  nic->sysfs = fds.sysfs;
  nic->napi_tun = fds.napi_tun;
  nic->info.netns_created = fds.created;
  if (fds.created)
    nic->netns = netns;
  else
    free(netns);
  nic->duty = (struct exit_duty){.perform = take_back, .context = nic};
  exit_duty_add(&nic->duty);
  if (fds.created && !options->persist)
    guard_start(&nic->guard, netns);

  bool ok = check_name(nic, options->name, &exists, error) &&
            (!parsed.has_address || route_check_shadow(nic->netlink, nic->before.ifindex, parsed.address,
                                                       parsed.prefix, &address_present, error)) &&
            set_iff(nic, options->name, options->offload, error);
  if (ok) {
    nic->info.created = !exists;
    ok = negotiate(nic, error) && configure(nic, options, &parsed, address_present, error);
  }
  if (ok && options->persist && ioctl(fds.tun, TUNSETPERSIST, 1UL) < 0)
    ok = nic_fail(error, errno, NULL, "TUNSETPERSIST", "cannot make %s persistent: %s", options->name,
                  strerror(errno));
  if (!ok) {
    nic_close(nic);
    return NULL;
  }
  if (options->persist)
    exit_duty_drop(&nic->duty);
  nic->info.no_batch = queue_batches(&nic->queues[0]);
  nic->info.dear_calls = nic->queues[0].dear_calls;
  if (nic->info.no_napi == 0)
    prepare_napi(nic);
  drop(&nic->sysfs);
  return nic;
}

struct nic *nic_adopt(int fd, bool vnet_hdr, struct nic_error *error) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    nic_fail(error, errno, NULL, "fcntl", "descriptor %d cannot be used: %s", fd, strerror(errno));
    return NULL;
  }
  struct nic *nic = nic_new();
  if (nic == NULL) {
    nic_fail(error, ENOMEM, NULL, "calloc", "out of memory");
    return NULL;
  }
  nic->queues[0].fd = fd;
  nic->info.vnet_hdr = nic->queues[0].vnet_hdr = vnet_hdr;
  nic->info.no_batch = queue_batches(&nic->queues[0]);
  nic->info.dear_calls = nic->queues[0].dear_calls;
  return nic;
}

void nic_close(struct nic *nic) {
  if (nic == NULL)
    return;
  if (exit_duty_drop(&nic->duty))
    take_back(nic);
  for (unsigned i = 0; i < nic->queue_count; i++) {
    queue_no_batches(&nic->queues[i]);
    drop(&nic->queues[i].fd);
    drop(&nic->queues[i].direct_fd);
  }
  drop(&nic->netlink);
  drop(&nic->sysfs);
  drop(&nic->napi);
  drop(&nic->napi_tun);
  free(nic->netns);
  free(nic);
}

int nic_take_napi(struct nic *nic) {
  const int napi = nic->napi;
  nic->napi = -1;
  return napi;
}

const struct nic_info *nic_get_info(const struct nic *nic) { return &nic->info; }

struct nic_queue *nic_get_queue(struct nic *nic, unsigned index) {
  return index < nic->queue_count ? &nic->queues[index] : NULL;
}

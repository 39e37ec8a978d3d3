/* rtnetlink in as few words as the NIC needs: ask for a link, change it, give it an address, list things. */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct request {
  struct nlmsghdr head;
  union {
    struct ifinfomsg link;
    struct ifaddrmsg address;
    struct rtgenmsg general;
    struct tcmsg qdisc;
  };
  uint8_t attributes[128];
};

static void request_init(struct request *request, int type, int flags, size_t body) {
  memset(request, 0, sizeof *request);
  request->head.nlmsg_type = (uint16_t)type;
  request->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  request->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
}

static void request_add(struct request *request, int type, const void *data, size_t length) {
  struct rtattr *attribute =
      (struct rtattr *)(void *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));
  attribute->rta_type = (uint16_t)type;
  attribute->rta_len = (uint16_t)RTA_LENGTH(length);
  memcpy(RTA_DATA(attribute), data, length);
  request->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

int netlink_open(void) {
  int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (nl < 0)
    return -errno;
  /* The kernel answers before sendto returns; the limit is for a broken one. */
  struct timeval limit = {.tv_sec = 5, .tv_usec = 0};
  setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return nl;
}

/*
 * Sends a request and hands every message of the answer to `each` until it is complete. 0, or -errno: the
 * kernel's own, the socket's, or what `each` returned.
 */
static int transact(int nl, struct request *request, int (*each)(const void *, size_t, void *),
                    void *context) {
  static _Thread_local uint32_t sequence;
  request->head.nlmsg_seq = ++sequence;
  if (send(nl, request, request->head.nlmsg_len, 0) < 0)
    return -errno;
  const bool dump = (request->head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  const bool acknowledged = (request->head.nlmsg_flags & NLM_F_ACK) != 0;
  _Alignas(struct nlmsghdr) static _Thread_local uint8_t buffer[32768];
  int result = 0;
  for (;;) {
    ssize_t got = recv(nl, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -errno;
    uint32_t left = (uint32_t)got;
    for (struct nlmsghdr *m = (struct nlmsghdr *)(void *)buffer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_seq != sequence) /* an answer to a request we gave up on */
        continue;
      if (m->nlmsg_type == NLMSG_DONE)
        return result;
      if (m->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(m);
        return error->error != 0 ? error->error : result;
      }
      if (each != NULL && result == 0)
        result = each(NLMSG_DATA(m), m->nlmsg_len - NLMSG_HDRLEN, context);
      if (!dump && !acknowledged)
        return result;
    }
  }
}

static void read_kind(const struct rtattr *info, struct link_state *state) {
  uint32_t left = (uint32_t)RTA_PAYLOAD(info);
  for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type == IFLA_INFO_KIND) {
      size_t length = RTA_PAYLOAD(a) < sizeof state->kind - 1 ? RTA_PAYLOAD(a) : sizeof state->kind - 1;
      memcpy(state->kind, RTA_DATA(a), length);
    } else if (a->rta_type == IFLA_INFO_DATA && strcmp(state->kind, "tun") == 0) {
      uint32_t inner = (uint32_t)RTA_PAYLOAD(a);
      for (const struct rtattr *t = RTA_DATA(a); RTA_OK(t, inner); t = RTA_NEXT(t, inner))
        if (t->rta_type == IFLA_TUN_TYPE)
          state->tun_type = *(const uint8_t *)RTA_DATA(t);
        else if (t->rta_type == IFLA_TUN_NUM_QUEUES && RTA_PAYLOAD(t) == sizeof state->tun_queues)
          memcpy(&state->tun_queues, RTA_DATA(t), sizeof state->tun_queues);
    }
  }
}

static int read_link(const void *message, size_t length, void *context) {
  struct link_state *state = context;
  const struct ifinfomsg *link = message;
  uint32_t left = (uint32_t)(length - NLMSG_ALIGN(sizeof *link));
  memset(state, 0, sizeof *state);
  state->ifindex = link->ifi_index;
  state->flags = link->ifi_flags;
  for (const struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type == IFLA_IFNAME && RTA_PAYLOAD(a) <= sizeof state->name)
      memcpy(state->name, RTA_DATA(a), RTA_PAYLOAD(a)); /* the kernel ends it with a zero */
    else if (a->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(a) == sizeof state->mac)
      memcpy(state->mac, RTA_DATA(a), sizeof state->mac);
    else if (a->rta_type == IFLA_MTU && RTA_PAYLOAD(a) == sizeof state->mtu)
      memcpy(&state->mtu, RTA_DATA(a), sizeof state->mtu);
    else if (a->rta_type == IFLA_TXQLEN && RTA_PAYLOAD(a) == sizeof state->tx_queue)
      memcpy(&state->tx_queue, RTA_DATA(a), sizeof state->tx_queue);
    else if (a->rta_type == IFLA_LINKINFO)
      read_kind(a, state);
  }
  return 0;
}

int netlink_get_link(int nl, int ifindex, const char *name, struct link_state *state) {
  struct request request;
  request_init(&request, RTM_GETLINK, 0, sizeof request.link);
  request.link.ifi_index = ifindex;
  if (name != NULL)
    request_add(&request, IFLA_IFNAME, name, strlen(name) + 1);
  return transact(nl, &request, read_link, state);
}

int netlink_set_up(int nl, int ifindex, bool up) {
  struct request request;
  request_init(&request, RTM_NEWLINK, NLM_F_ACK, sizeof request.link);
  request.link.ifi_index = ifindex;
  request.link.ifi_change = IFF_UP;
  request.link.ifi_flags = up ? IFF_UP : 0;
  return transact(nl, &request, NULL, NULL);
}

int netlink_delete_link(int nl, int ifindex) {
  struct request request;
  request_init(&request, RTM_DELLINK, NLM_F_ACK, sizeof request.link);
  request.link.ifi_index = ifindex;
  return transact(nl, &request, NULL, NULL);
}

int netlink_set_mtu(int nl, int ifindex, uint32_t mtu) {
  struct request request;
  request_init(&request, RTM_NEWLINK, NLM_F_ACK, sizeof request.link);
  request.link.ifi_index = ifindex;
  request_add(&request, IFLA_MTU, &mtu, sizeof mtu);
  return transact(nl, &request, NULL, NULL);
}

int netlink_set_tx_queue(int nl, int ifindex, uint32_t frames) {
  struct request request;
  request_init(&request, RTM_NEWLINK, NLM_F_ACK, sizeof request.link);
  request.link.ifi_index = ifindex;
  request_add(&request, IFLA_TXQLEN, &frames, sizeof frames);
  return transact(nl, &request, NULL, NULL);
}

int netlink_set_root_qdisc(int nl, int ifindex, const char *kind) {
  struct request request;
  request_init(&request, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sizeof request.qdisc);
  request.qdisc.tcm_ifindex = ifindex;
  request.qdisc.tcm_parent = TC_H_ROOT;
  request_add(&request, TCA_KIND, kind, strlen(kind) + 1);
  return transact(nl, &request, NULL, NULL);
}

int netlink_set_mac(int nl, int ifindex, const uint8_t mac[6]) {
  struct request request;
  request_init(&request, RTM_NEWLINK, NLM_F_ACK, sizeof request.link);
  request.link.ifi_index = ifindex;
  request_add(&request, IFLA_ADDRESS, mac, 6);
  return transact(nl, &request, NULL, NULL);
}

int netlink_address(int nl, int ifindex, uint32_t address, uint8_t prefix, bool add) {
  struct request request;
  int flags = NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0);
  request_init(&request, add ? RTM_NEWADDR : RTM_DELADDR, flags, sizeof request.address);
  request.address.ifa_family = AF_INET;
  request.address.ifa_prefixlen = prefix;
  request.address.ifa_index = (uint32_t)ifindex;
  request_add(&request, IFA_LOCAL, &address, sizeof address);
  request_add(&request, IFA_ADDRESS, &address, sizeof address);
  if (add && prefix < 31) {
    uint32_t broadcast = address | htonl(0xffffffffu >> prefix);
    request_add(&request, IFA_BROADCAST, &broadcast, sizeof broadcast);
  }
  return transact(nl, &request, NULL, NULL);
}

int netlink_dump(int nl, int type, int (*each)(const void *, size_t, void *), void *context) {
  struct request request;
  request_init(&request, type, NLM_F_DUMP,
               type == RTM_GETROUTE ? sizeof(struct rtmsg) : sizeof request.address);
  request.general.rtgen_family = AF_INET;
  return transact(nl, &request, each, context);
}

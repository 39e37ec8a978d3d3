// A network of the script's own: loopback alone, with everything that would make results depend on time or on
// this machine's settings put to a known value.
#include "oracle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void put(const char *path, const char *value) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, value, strlen(value)) < 0)
    fail("%s cannot be set to '%s': %s", path, value, strerror(errno));
  close(fd);
}

static void unshare_network(void) {
  if (!unshare(CLONE_NEWNET))
    return;
  char map[64];
  int uid = (int)getuid(), gid = (int)getgid();
  if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET))
    fail("this system refuses a network namespace (%s); run as root, or allow user namespaces",
         strerror(errno));
  put("/proc/self/setgroups", "deny");
  snprintf(map, sizeof map, "0 %d 1", uid);
  put("/proc/self/uid_map", map);
  snprintf(map, sizeof map, "0 %d 1", gid);
  put("/proc/self/gid_map", map);
}

static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (ioctl(fd, SIOCSIFFLAGS, &request))
    fail("lo cannot be set up: %s", strerror(errno));
  close(fd);
}

static void attribute(struct nlmsghdr *header, int type, const void *bytes, int length) {
  struct rtattr *at = (struct rtattr *)((char *)header + NLMSG_ALIGN(header->nlmsg_len));
  at->rta_type = type;
  at->rta_len = RTA_LENGTH(length);
  memcpy(RTA_DATA(at), bytes, length);
  header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_ALIGN(at->rta_len);
}

/// The local route to `prefix`, again, with `quickack 1`: every ACK at once, so that no result depends on a
/// delayed one.
static void quickack_route(const char *prefix, int bits) {
  struct {
    struct nlmsghdr header;
    struct rtmsg route;
    char attributes[128];
  } request = {
      .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                 .nlmsg_type = RTM_NEWROUTE,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE},
      .route = {.rtm_family = AF_INET,
                .rtm_dst_len = bits,
                .rtm_table = RT_TABLE_LOCAL,
                .rtm_protocol = RTPROT_KERNEL,
                .rtm_scope = RT_SCOPE_HOST,
                .rtm_type = RTN_LOCAL},
  };
  struct in_addr destination, source;
  inet_pton(AF_INET, prefix, &destination);
  inet_pton(AF_INET, "127.0.0.1", &source);
  int index = (int)if_nametoindex("lo");
  attribute(&request.header, RTA_DST, &destination, sizeof destination);
  attribute(&request.header, RTA_PREFSRC, &source, sizeof source);
  attribute(&request.header, RTA_OIF, &index, sizeof index);
  struct {
    struct rtattr header;
    uint32_t on;
  } quickack = {{RTA_LENGTH(sizeof(uint32_t)), RTAX_QUICKACK}, 1};
  attribute(&request.header, RTA_METRICS, &quickack, sizeof quickack);

  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[512];
  } answer;
  int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0 || send(fd, &request, request.header.nlmsg_len, 0) < 0 ||
      recv(fd, &answer, sizeof answer, 0) < 0 || answer.header.nlmsg_type != NLMSG_ERROR ||
      answer.error.error)
    fail("the route to %s/%d cannot be set: %s", prefix, bits, strerror(errno ? errno : -answer.error.error));
  close(fd);
}

void namespace_enter(void) {
  if (options.stay)
    return;
  unshare_network();
  loopback_up();
  if (!options.delayed_ack) {
    quickack_route("127.0.0.0", 8);
    quickack_route("127.0.0.1", 32);
  }
  put("/proc/sys/net/ipv4/tcp_congestion_control", "reno");
  put("/proc/sys/net/ipv4/tcp_rmem", "4096 131072 6291456");
  put("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 4194304");
  put("/proc/sys/net/ipv4/tcp_fastopen", "0");
  // What an earlier connection learned must not show in a later one.
  put("/proc/sys/net/ipv4/tcp_no_metrics_save", "1");
}

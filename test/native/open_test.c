/*
 * Opening devices for real: made, attached to, refused, and what is left behind (nothing). Run in a lab: it
 * makes interfaces, addresses and namespaces.
 */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct nic_error error;

static struct nic *open_named(const char *name, const char *address) {
  struct nic_options options = {.name = name, .host_address = address, .mtu = 1500, .offload = true};
  memset(&error, 0, sizeof error);
  return nic_open(&options, &error);
}

/* Opening fails, says so in words, and leaves no device. */
static void refuses(struct nic_options options, const char *code, const char *words) {
  unsigned before = options.name != NULL ? if_nametoindex(options.name) : 0;
  memset(&error, 0, sizeof error);
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic == NULL);
  nic_close(nic);
  CHECK(strcmp(error.code, code) == 0);
  CHECK(strstr(error.message, words) != NULL);
  CHECK(error.step[0] != '\0' && error.errnum > 0);
  CHECK(options.name == NULL || if_nametoindex(options.name) == before);
  if (strcmp(error.code, code) != 0 || strstr(error.message, words) == NULL)
    fprintf(stderr, "  expected %s (%s), got %s: %s\n", code, words, error.code, error.message);
}

static bool has_address(const char *device, const char *address) {
  struct ifaddrs *list = NULL;
  bool found = false;
  if (getifaddrs(&list) < 0)
    abort();
  for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
    char text[INET_ADDRSTRLEN];
    if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET || strcmp(i->ifa_name, device) != 0)
      continue;
    inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, text, sizeof text);
    found = found || strcmp(text, address) == 0;
  }
  freeifaddrs(list);
  return found;
}

static struct link_state link_of(const char *name) {
  struct link_state state = {0};
  int nl = netlink_open();
  if (netlink_get_link(nl, 0, name, &state) < 0)
    state.ifindex = 0;
  close(nl);
  return state;
}

static void makes(void) {
  struct nic_options options = {.name = "made0",
                                .host_address = "10.77.1.1/24",
                                .host_mac = "02:11:22:33:44:55",
                                .mtu = 9000,
                                .offload = true};
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic != NULL);
  const struct nic_info *info = nic_get_info(nic);
  CHECK(info->created && !info->netns_created && strcmp(info->name, "made0") == 0);
  CHECK(info->ifindex == (int)if_nametoindex("made0") && info->ifindex > 0);
  CHECK(info->mtu == 9000 && memcmp(info->host_mac, "\x02\x11\x22\x33\x44\x55", 6) == 0);
  CHECK(info->vnet_hdr && (info->offloads & TUN_F_CSUM) && (info->offloads & TUN_F_TSO4));
  struct link_state link = link_of("made0");
  CHECK((link.flags & IFF_UP) && link.mtu == 9000 && strcmp(link.kind, "tun") == 0 &&
        link.tun_type == IFF_TAP && link.tx_queue == 10000);
  CHECK(has_address("made0", "10.77.1.1"));
  int fd = nic_get_queue(nic, 0)->fd;
  CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
  CHECK(nic_get_queue(nic, 1) == NULL);
  nic_close(nic);
  CHECK(if_nametoindex("made0") == 0);

  options.offload = false;
  nic = nic_open(&options, &error);
  CHECK(nic != NULL && !nic_get_info(nic)->vnet_hdr && nic_get_info(nic)->offloads == 0);
  nic_close(nic);
}

static void make_persistent(const char *name, short flags) {
  int fd = open("/dev/net/tun", O_RDWR);
  struct ifreq request = {.ifr_flags = flags};
  strcpy(request.ifr_name, name);
  CHECK(ioctl(fd, TUNSETIFF, &request) == 0 && ioctl(fd, TUNSETPERSIST, 1UL) == 0);
  close(fd);
}

static void remove_persistent(const char *name, short flags) {
  int fd = open("/dev/net/tun", O_RDWR);
  struct ifreq request = {.ifr_flags = flags};
  strcpy(request.ifr_name, name);
  CHECK(ioctl(fd, TUNSETIFF, &request) == 0 && ioctl(fd, TUNSETPERSIST, 0UL) == 0);
  close(fd);
}

static void attaches(short extra) {
  make_persistent("kept0", (short)(IFF_TAP | IFF_NO_PI | extra));
  struct link_state before = link_of("kept0");
  struct nic_options options = {.name = "kept0",
                                .host_address = "10.77.2.1/24",
                                .host_mac = "02:00:00:00:00:99",
                                .mtu = 1400,
                                .offload = true};
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic != NULL && !nic_get_info(nic)->created && nic_get_info(nic)->vnet_hdr);
  struct link_state during = link_of("kept0");
  CHECK(during.ifindex == before.ifindex && during.mtu == 1400 && (during.flags & IFF_UP));
  CHECK(during.tx_queue == before.tx_queue);
  CHECK(has_address("kept0", "10.77.2.1"));
  nic_close(nic);
  struct link_state after = link_of("kept0"); /* as it was found */
  CHECK(after.ifindex == before.ifindex && after.mtu == before.mtu && !(after.flags & IFF_UP));
  CHECK(memcmp(after.mac, before.mac, 6) == 0 && !has_address("kept0", "10.77.2.1"));
  remove_persistent("kept0", (short)(IFF_TAP | IFF_NO_PI | extra));
  CHECK(if_nametoindex("kept0") == 0);
}

static void persists(void) {
  struct nic_options options = {
      .name = "stay0", .host_address = "10.77.3.1/24", .persist = true, .offload = true};
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic != NULL && nic_get_info(nic)->created);
  nic_close(nic);
  CHECK(if_nametoindex("stay0") != 0 && has_address("stay0", "10.77.3.1"));
  nic = nic_open(&options, &error); /* its own address is no conflict */
  CHECK(nic != NULL && !nic_get_info(nic)->created);
  nic_close(nic);
  CHECK(has_address("stay0", "10.77.3.1"));
  remove_persistent("stay0", IFF_TAP | IFF_NO_PI);
}

static void invalid(void) {
  static const char *const names[] = {"",    ".", "..", "a/b", "a:b", "a b", "tap%d", "sixteen-letters-",
                                      "t\nx"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    refuses((struct nic_options){.name = names[i]}, "EINVAL", "not a name for a network device");
  refuses((struct nic_options){.name = NULL}, "EINVAL", "not a name");
  static const char *const addresses[] = {"",
                                          "10.0.0.1",
                                          "10.0.0.1/",
                                          "10.0.0.1/33",
                                          "10.0.0.1/0",
                                          "10.0.0/24",
                                          "10.0.0.1/24x",
                                          "10.0.0.1/-1",
                                          "::1/64",
                                          "10.0.0.256/24",
                                          "10.0.0.0/24",
                                          "10.0.0.255/24",
                                          "224.0.0.1/24",
                                          "127.0.0.5/8",
                                          "0.0.0.1/8",
                                          "1111111111111111111111111.0.0.1/24"};
  for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
    refuses((struct nic_options){.name = "bad0", .host_address = addresses[i]}, "EINVAL", addresses[i]);
  static const char *const macs[] = {"",
                                     "02:00:00:00:00",
                                     "02:00:00:00:00:0g",
                                     "01:00:00:00:00:01",
                                     "00:00:00:00:00:00",
                                     "02:00:00:00:00:01:02",
                                     "2:0:0:0:0:1"};
  for (size_t i = 0; i < sizeof macs / sizeof macs[0]; i++)
    refuses((struct nic_options){.name = "bad0", .host_mac = macs[i]}, "EINVAL", "MAC address");
  refuses((struct nic_options){.name = "bad0", .mtu = 67}, "EINVAL", "MTU");
  refuses((struct nic_options){.name = "bad0", .mtu = 65522}, "EINVAL", "MTU");
  refuses((struct nic_options){.name = "bad0", .netns = "a/b"}, "EINVAL", "namespace");
  refuses((struct nic_options){.name = "bad0", .netns = ".."}, "EINVAL", "namespace");
}

static void taken(void) {
  refuses((struct nic_options){.name = "lo"}, "EEXIST", "taken");
  make_persistent("bare0", IFF_TUN | IFF_NO_PI);
  refuses((struct nic_options){.name = "bare0"}, "EEXIST", "TUN");
  remove_persistent("bare0", IFF_TUN | IFF_NO_PI);
  struct nic *nic = open_named("busy0", NULL);
  CHECK(nic != NULL);
  refuses((struct nic_options){.name = "busy0"}, "EBUSY", "in use");
  nic_close(nic);
}

static void shadows(void) {
  struct nic *nic = open_named("route0", "10.77.8.1/22");
  CHECK(nic != NULL);
  static const char *const clashes[] = {"10.77.8.1/22", "10.77.9.200/24", "10.77.0.1/16", "10.77.11.9/32",
                                        "10.77.8.1/30"};
  for (size_t i = 0; i < sizeof clashes / sizeof clashes[0]; i++) {
    refuses((struct nic_options){.name = "shadow0", .host_address = clashes[i]}, "ERR_ROUTE_SHADOW",
            "10.77.8.");
    CHECK(strstr(error.message, "route0") != NULL);
  }
  struct nic *beside = open_named("beside0", "10.77.12.1/24");
  CHECK(beside != NULL);
  nic_close(beside);
  CHECK(system("ip route add default via 10.77.8.2 && ip route add 10.78.0.0/16 via 10.77.8.2 && "
               "ip route add 10.79.0.0/16 via 10.77.8.2 table 100") == 0);
  refuses((struct nic_options){.name = "shadow0", .host_address = "10.78.5.1/24"}, "ERR_ROUTE_SHADOW",
          "10.78.0.0/16");
  beside = open_named("beside0", "10.79.5.1/24"); /* neither the default route nor another table's counts */
  CHECK(beside != NULL);
  nic_close(beside);
  nic_close(nic);
}

static void inode_of_netns(ino_t *inode) {
  struct stat status;
  CHECK(stat("/proc/thread-self/ns/net", &status) == 0);
  *inode = status.st_ino;
}

/* Who is killed outright takes its namespace along all the same; one that is to stay stays. */
static void killed(bool persist) {
  struct nic_options options = {
      .name = "in0", .netns = "tapstack-killed", .mtu = 1500, .offload = true, .persist = persist};
  pid_t child = fork();
  if (child == 0) {
    if (nic_open(&options, &error) == NULL)
      _exit(1);
    raise(SIGKILL);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  for (int i = 0; i < (persist ? 20 : 500) && access("/run/netns/tapstack-killed", F_OK) == 0; i++)
    usleep(10000);
  CHECK((access("/run/netns/tapstack-killed", F_OK) == 0) == persist);
  if (persist)
    CHECK(nic_netns_remove("tapstack-killed", &error));
}

static void namespaces(void) {
  ino_t before, after;
  inode_of_netns(&before);
  struct nic_options options = {
      .name = "in0", .host_address = "10.77.20.1/24", .netns = "tapstack-test", .mtu = 1500, .offload = true};
  struct nic *nic = nic_open(&options, &error);
  CHECK(nic != NULL);
  if (nic == NULL) {
    fprintf(stderr, "%s\n", error.message);
    return;
  }
  CHECK(nic_get_info(nic)->netns_created && nic_get_info(nic)->created);
  inode_of_netns(&after);
  CHECK(before == after && if_nametoindex("in0") == 0);
  CHECK(system("ip netns list | grep -q tapstack-test && ip -n tapstack-test addr show in0 | grep -q "
               "10.77.20.1/24 && "
               "ip -n tapstack-test link show lo | grep -q UP") == 0);
  /* A second device goes into the same namespace, and does not take it away when it leaves. */
  options.name = "in1";
  options.host_address = "10.77.21.1/24";
  struct nic *second = nic_open(&options, &error);
  CHECK(second != NULL && !nic_get_info(second)->netns_created);
  nic_close(second);
  options.host_address = "10.77.20.9/30"; /* routes are looked up over there, too */
  refuses(options, "ERR_ROUTE_SHADOW", "10.77.20.");
  nic_close(nic);
  CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* nor any process of its own */
  CHECK(system("ip netns list | grep -q tapstack-test") != 0 && access("/run/netns/tapstack-test", F_OK) < 0);

  options.mtu = 70000; /* refused before and after the namespace exists */
  refuses(options, "EINVAL", "MTU");
  options.mtu = 1500;
  options.name = "lo";
  refuses(options, "EEXIST", "taken");
  CHECK(access("/run/netns/tapstack-test", F_OK) < 0);

  close(open("/run/netns/tapstack-stale", O_CREAT | O_RDONLY | O_CLOEXEC, 0600));
  options.name = "in0";
  options.netns = "tapstack-stale";
  refuses(options, "EINVAL", "ip netns delete");
  CHECK(nic_netns_remove("tapstack-stale", &error));
  CHECK(!nic_netns_remove("tapstack-stale", &error) && strcmp(error.code, "ENOENT") == 0);
  CHECK(!nic_netns_remove("../x", &error) && strcmp(error.code, "EINVAL") == 0);

  CHECK(system("ip netns add tapstack-theirs") == 0);
  options.netns = "tapstack-theirs";
  nic = nic_open(&options, &error);
  CHECK(nic != NULL && !nic_get_info(nic)->netns_created);
  nic_close(nic);
  CHECK(system("ip netns delete tapstack-theirs") == 0); /* still there, until now */
}

/* In a child, so that what it gives up it gives up alone. */
static void in_child(void (*test)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    unsigned long failures = check_failures;
    test();
    _exit(check_failures != failures);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}

static void without_privilege(void) {
  CHECK(unshare(CLONE_NEWUSER) == 0); /* a new user namespace has no say over the old network */
  refuses((struct nic_options){.name = "no0", .host_address = "10.77.30.1/24"}, "EPERM", "Run as root");
  struct nic_options options = {.name = "no0", .netns = "tapstack-no"};
  CHECK(nic_open(&options, &error) == NULL);
  CHECK(strcmp(error.code, "EPERM") == 0 || strcmp(error.code, "EACCES") == 0);
  CHECK(strstr(error.message, "root") != NULL);
}

static void without_driver(void) {
  CHECK(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
  CHECK(mount("none", "/dev/net", "tmpfs", 0, NULL) == 0);
  refuses((struct nic_options){.name = "no0"}, "ENOENT", "modprobe tun");
}

static void gone(void) {
  struct bench bench = bench_open(false);
  struct nic *nic = open_named("gone0", "10.77.40.1/24");
  struct nic_queue *queue = nic_get_queue(nic, 0);
  CHECK(nic_queue_attach(queue, bench.memory, bench.size, &bench.at, &error));
  CHECK(system("ip link set gone0 down") == 0);
  int32_t descriptor[NIC_TX_DESC_WORDS] = {(int32_t)bench.at.tx_header_offset + 18, 60};
  memcpy(bench.memory + bench.at.tx_desc_offset, descriptor, sizeof descriptor);
  *nic_ctrl(queue, NIC_CTRL_TX_HEAD) = 1;
  CHECK(nic_flush(queue) == 0 && queue->stats.tx_dropped == 1); /* EIO while down: counted, no more */
  CHECK(!queue->gone && nic_receive(queue) >= 0);
  CHECK(system("ip link delete gone0") == 0);
  *nic_ctrl(queue, NIC_CTRL_TX_HEAD) = 1;
  *nic_ctrl(queue, NIC_CTRL_TX_TAIL) = 0;
  CHECK(nic_flush(queue) < 0 && queue->gone);
  CHECK(nic_receive(queue) < 0);
  nic_close(nic);
  bench_close(&bench);
}

int main(void) {
  makes();
  attaches(0);
  attaches(IFF_MULTI_QUEUE);
  attaches(IFF_VNET_HDR);
  persists();
  invalid();
  taken();
  shadows();
  namespaces();
  killed(false);
  killed(true);
  in_child(without_privilege);
  in_child(without_driver);
  gone();
  return check_result("open");
}

/*
 * Looks before it leaps: an address on our device brings a connected route, and that must not take traffic
 * away from something that the host reaches today.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct search {
  int ifindex; /* our own device: what is there is no conflict */
  uint32_t address;
  uint8_t prefix;
  bool present; /* our device has this very address already */
  bool found;
  bool is_address; /* what was found: an address, else a route */
  uint32_t other;
  uint8_t other_prefix;
  int other_ifindex;
};

static bool overlap(const struct search *search, uint32_t other, uint8_t prefix) {
  uint8_t shorter = prefix < search->prefix ? prefix : search->prefix;
  uint32_t mask = shorter == 0 ? 0 : htonl(0xffffffffu << (32 - shorter));
  return ((search->address ^ other) & mask) == 0;
}

static int note(struct search *search, bool is_address, uint32_t other, uint8_t prefix, int ifindex) {
  search->found = true;
  search->is_address = is_address;
  search->other = other;
  search->other_prefix = prefix;
  search->other_ifindex = ifindex;
  return 0;
}

static int each_address(const void *message, size_t length, void *context) {
  struct search *search = context;
  const struct ifaddrmsg *address = message;
  uint32_t left = (uint32_t)(length - NLMSG_ALIGN(sizeof *address)), local = 0;
  if (address->ifa_family != AF_INET)
    return 0;
  for (const struct rtattr *a = IFA_RTA(address); RTA_OK(a, left); a = RTA_NEXT(a, left))
    if (a->rta_type == IFA_LOCAL && RTA_PAYLOAD(a) == sizeof local)
      memcpy(&local, RTA_DATA(a), sizeof local);
  if ((int)address->ifa_index == search->ifindex) {
    if (local == search->address && address->ifa_prefixlen == search->prefix)
      search->present = true;
    return 0;
  }
  if (!search->found && overlap(search, local, address->ifa_prefixlen))
    return note(search, true, local, address->ifa_prefixlen, (int)address->ifa_index);
  return 0;
}

static int each_route(const void *message, size_t length, void *context) {
  struct search *search = context;
  const struct rtmsg *route = message;
  uint32_t left = (uint32_t)(length - NLMSG_ALIGN(sizeof *route)), table = route->rtm_table;
  uint32_t destination = 0;
  int ifindex = 0;
  if (route->rtm_family != AF_INET || (route->rtm_flags & RTM_F_CLONED))
    return 0;
  for (const struct rtattr *a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (RTA_PAYLOAD(a) != 4)
      continue;
    if (a->rta_type == RTA_DST)
      memcpy(&destination, RTA_DATA(a), 4);
    else if (a->rta_type == RTA_OIF)
      memcpy(&ifindex, RTA_DATA(a), 4);
    else if (a->rta_type == RTA_TABLE)
      memcpy(&table, RTA_DATA(a), 4);
  }
  /* A default route covers everything and is there to be overridden. */
  if (table != RT_TABLE_MAIN || route->rtm_dst_len == 0 || search->found)
    return 0;
  if (search->ifindex != 0 && ifindex == search->ifindex)
    return 0;
  return overlap(search, destination, route->rtm_dst_len)
             ? note(search, false, destination, route->rtm_dst_len, ifindex)
             : 0;
}

bool route_check_shadow(int nl, int ifindex, uint32_t address, uint8_t prefix, bool *present,
                        struct nic_error *error) {
  struct search search = {.ifindex = ifindex, .address = address, .prefix = prefix};
  int result = netlink_dump(nl, RTM_GETADDR, each_address, &search);
  if (result < 0)
    return nic_fail(error, -result, NULL, "RTM_GETADDR", "cannot list the host's addresses: %s",
                    strerror(-result));
  *present = search.present;
  result = search.found ? 0 : netlink_dump(nl, RTM_GETROUTE, each_route, &search);
  if (result < 0)
    return nic_fail(error, -result, NULL, "RTM_GETROUTE", "cannot list the host's routes: %s",
                    strerror(-result));
  if (!search.found)
    return true;
  char ours[INET_ADDRSTRLEN], theirs[INET_ADDRSTRLEN];
  struct link_state device = {0};
  inet_ntop(AF_INET, &address, ours, sizeof ours);
  inet_ntop(AF_INET, &search.other, theirs, sizeof theirs);
  if (search.other_ifindex != 0)
    netlink_get_link(nl, search.other_ifindex, NULL, &device); /* only for the message */
  return nic_fail(
      error, EEXIST, "ERR_ROUTE_SHADOW", search.is_address ? "RTM_GETADDR" : "RTM_GETROUTE",
      "%s/%d would hide what the host reaches now: it has the %s %s/%d%s%s. "
      "Choose addresses from another network, or put the device into a namespace of its own (netns)",
      ours, prefix, search.is_address ? "address" : "route to", theirs, search.other_prefix,
      device.name[0] != '\0' ? " on " : "", device.name);
}

/* What the application asked for, checked and turned into numbers before anything is touched. */
#include "internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* dev_valid_name, and no '%', which the kernel would take for a pattern. */
static bool name_valid(const char *name) {
  size_t length = strlen(name);
  if (length == 0 || length > NIC_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return false;
  for (const char *c = name; *c != '\0'; c++)
    if (*c == '/' || *c == ':' || *c == '%' || !isgraph((unsigned char)*c))
      return false;
  return true;
}

static bool parse_address(const char *text, struct parsed_options *parsed, struct nic_error *error) {
  char address[INET_ADDRSTRLEN] = "";
  const char *slash = strchr(text, '/');
  char *end = NULL;
  unsigned long prefix = slash != NULL && isdigit((unsigned char)slash[1]) ? strtoul(slash + 1, &end, 10) : 0;
  if (slash != NULL && (size_t)(slash - text) < sizeof address)
    memcpy(address, text, (size_t)(slash - text));
  if (end == NULL || *end != '\0' || prefix < 1 || prefix > 32 ||
      inet_pton(AF_INET, address, &parsed->address) != 1)
    return nic_fail(error, EINVAL, NULL, "hostAddress",
                    "'%.40s' is not an IPv4 address with a prefix length; write it like 10.0.0.1/24", text);
  uint32_t host = ntohl(parsed->address), inverse = prefix == 32 ? 0 : 0xffffffffu >> prefix;
  if (host >> 24 == 0 || host >> 24 == 127 || host >> 28 >= 14)
    return nic_fail(error, EINVAL, NULL, "hostAddress",
                    "%s cannot be a host's own address (it is reserved, loopback or multicast)", text);
  if (prefix < 31 && ((host & inverse) == 0 || (host & inverse) == inverse))
    return nic_fail(error, EINVAL, NULL, "hostAddress",
                    "%s is the %s address of its own network; choose one between", text,
                    (host & inverse) == 0 ? "first (network)" : "last (broadcast)");
  parsed->prefix = (uint8_t)prefix;
  parsed->has_address = true;
  return true;
}

static bool parse_mac(const char *text, struct parsed_options *parsed, struct nic_error *error) {
  char rest;
  unsigned byte[6];
  bool well_formed = strlen(text) == 17 && sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1],
                                                  &byte[2], &byte[3], &byte[4], &byte[5], &rest) == 6;
  unsigned any = 0;
  for (int i = 0; well_formed && i < 6; i++) {
    parsed->mac[i] = (uint8_t)byte[i];
    any |= byte[i];
  }
  if (!well_formed || any == 0 || (parsed->mac[0] & 1)) /* is_valid_ether_addr */
    return nic_fail(error, EINVAL, NULL, "hostMac",
                    "'%.40s' is not the MAC address of one station; write it like 02:00:00:00:00:01", text);
  parsed->has_mac = true;
  return true;
}

bool options_parse(const struct nic_options *options, struct parsed_options *parsed,
                   struct nic_error *error) {
  memset(parsed, 0, sizeof *parsed);
  if (options->name == NULL || !name_valid(options->name))
    return nic_fail(
        error, EINVAL, NULL, "name",
        "'%.40s' is not a name for a network device: 1 to %d characters, no blank, '/', ':' or '%%'",
        options->name != NULL ? options->name : "", NIC_NAME_MAX);
  if (options->netns != NULL && !netns_name_valid(options->netns))
    return nic_fail(error, EINVAL, NULL, "netns",
                    "'%.40s' is not a name for a network namespace: a file name, without '/'",
                    options->netns);
  if (options->mtu != 0 &&
      (options->mtu < 68 || options->mtu > 65521)) /* RFC 791; tun's MAX_MTU - ETH_HLEN */
    return nic_fail(error, EINVAL, NULL, "mtu", "an MTU is 68 to 65521 bytes, not %u", options->mtu);
  if (options->host_address != NULL && !parse_address(options->host_address, parsed, error))
    return false;
  return options->host_mac == NULL || parse_mac(options->host_mac, parsed, error);
}

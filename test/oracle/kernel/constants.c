// Names of the kernel's numbers: poll bits, message flags, socket options, TCP states, fields of tcp_info.
#include "oracle.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const struct constant poll_bits[] = {
    {"IN", 0x1},
    {"PRI", 0x2},
    {"OUT", 0x4},
    {"ERR", 0x8},
    {"HUP", 0x10},
    {"NVAL", 0x20},
    {"RDNORM", 0x40},
    {"RDBAND", 0x80},
    {"WRNORM", 0x100},
    {"WRBAND", 0x200},
    {"MSG", 0x400},
    {"RDHUP", 0x2000},
    {"EXCLUSIVE", 1u << 28},
    {"WAKEUP", 1u << 29},
    {"ONESHOT", 1u << 30},
    {"ET", 1u << 31},
    {NULL, 0},
};
static const struct constant message_flags[] = {
    {"oob", MSG_OOB},           {"peek", MSG_PEEK},       {"trunc", MSG_TRUNC},
    {"dontwait", MSG_DONTWAIT}, {"waitall", MSG_WAITALL}, {"more", MSG_MORE},
    {"nosignal", MSG_NOSIGNAL}, {"eor", MSG_EOR},         {NULL, 0},
};
static const struct constant received_flags[] = {
    {"oob", MSG_OOB}, {"trunc", MSG_TRUNC}, {"ctrunc", MSG_CTRUNC}, {"eor", MSG_EOR}, {NULL, 0},
};

static bool parse(const struct constant *table, const char *word, long long *value) {
  char copy[256];
  if (strlen(word) >= sizeof copy)
    return false;
  strcpy(copy, word);
  *value = 0;
  char *rest = copy, *part;
  while ((part = strsep(&rest, "|"))) {
    const struct constant *entry = table;
    while (entry->name && strcmp(entry->name, part))
      entry++;
    char *end = part;
    long long bits = entry->name ? entry->value : strtoll(part, &end, 0);
    if (!entry->name && (end == part || *end))
      return false;
    *value |= bits;
  }
  return true;
}

static void print(struct text *text, const struct constant *table, long long value) {
  const char *separator = "";
  for (const struct constant *entry = table; entry->name; entry++) {
    if (!(value & entry->value))
      continue;
    text_add(text, "%s%s", separator, entry->name);
    separator = "|";
    value &= ~entry->value;
  }
  if (value)
    text_add(text, "%s0x%llx", separator, value);
  else if (!*separator)
    text_add(text, "0");
}

bool poll_mask_parse(const char *word, uint32_t *mask) {
  long long value;
  bool valid = parse(poll_bits, word, &value);
  *mask = valid ? (uint32_t)value : 0;
  return valid;
}
void poll_mask_print(struct text *text, uint32_t mask) { print(text, poll_bits, mask); }
bool message_flags_parse(const char *word, int *flags) {
  long long value;
  bool valid = parse(message_flags, word, &value);
  *flags = valid ? (int)value : 0;
  return valid;
}
void message_flags_print(struct text *text, int flags) { print(text, received_flags, flags); }

#define SOCKET_INT(name)                                                                                     \
  { #name, SOL_SOCKET, name, OPTION_INT }
#define TCP_INT(name)                                                                                        \
  { #name, IPPROTO_TCP, name, OPTION_INT }
static const struct socket_option socket_options[] = {
    SOCKET_INT(SO_DEBUG),
    SOCKET_INT(SO_REUSEADDR),
    SOCKET_INT(SO_REUSEPORT),
    SOCKET_INT(SO_TYPE),
    SOCKET_INT(SO_DOMAIN),
    SOCKET_INT(SO_PROTOCOL),
    SOCKET_INT(SO_DONTROUTE),
    SOCKET_INT(SO_BROADCAST),
    SOCKET_INT(SO_SNDBUF),
    SOCKET_INT(SO_RCVBUF),
    SOCKET_INT(SO_KEEPALIVE),
    SOCKET_INT(SO_OOBINLINE),
    SOCKET_INT(SO_PRIORITY),
    SOCKET_INT(SO_RCVLOWAT),
    SOCKET_INT(SO_PEEK_OFF),
    SOCKET_INT(SO_SNDLOWAT),
    SOCKET_INT(SO_ACCEPTCONN),
    SOCKET_INT(SO_MARK),
    {"SO_ERROR", SOL_SOCKET, SO_ERROR, OPTION_ERROR},
    {"SO_LINGER", SOL_SOCKET, SO_LINGER, OPTION_LINGER},
    {"SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, OPTION_TIMEOUT},
    {"SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, OPTION_TIMEOUT},
    TCP_INT(TCP_NODELAY),
    TCP_INT(TCP_MAXSEG),
    TCP_INT(TCP_CORK),
    TCP_INT(TCP_KEEPIDLE),
    TCP_INT(TCP_KEEPINTVL),
    TCP_INT(TCP_KEEPCNT),
    TCP_INT(TCP_SYNCNT),
    TCP_INT(TCP_LINGER2),
    TCP_INT(TCP_DEFER_ACCEPT),
    TCP_INT(TCP_WINDOW_CLAMP),
    TCP_INT(TCP_QUICKACK),
    TCP_INT(TCP_USER_TIMEOUT),
    TCP_INT(TCP_NOTSENT_LOWAT),
    TCP_INT(TCP_FASTOPEN),
    TCP_INT(TCP_INQ),
    {"TCP_CONGESTION", IPPROTO_TCP, TCP_CONGESTION, OPTION_STRING},
    {NULL, 0, 0, OPTION_INT},
};

const struct socket_option *socket_option_find(const char *name) {
  for (const struct socket_option *option = socket_options; option->name; option++)
    if (!strcmp(option->name, name))
      return option;
  return NULL;
}

const char *tcp_state_name(int state) {
  static const char *const names[] = {"0",          "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                      "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                      "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};
  return state >= 0 && state < (int)(sizeof names / sizeof *names) ? names[state] : "?";
}

#define FIELD(name)                                                                                          \
  { #name, offsetof(struct tcp_info, tcpi_##name), sizeof(((struct tcp_info *)0)->tcpi_##name) }
static const struct {
  const char *name;
  size_t offset, size;
} fields[] = {
    FIELD(state),         FIELD(ca_state),      FIELD(retransmits),
    FIELD(probes),        FIELD(backoff),       FIELD(options),
    FIELD(rto),           FIELD(ato),           FIELD(snd_mss),
    FIELD(rcv_mss),       FIELD(unacked),       FIELD(sacked),
    FIELD(lost),          FIELD(retrans),       FIELD(fackets),
    FIELD(pmtu),          FIELD(rcv_ssthresh),  FIELD(rtt),
    FIELD(rttvar),        FIELD(snd_ssthresh),  FIELD(snd_cwnd),
    FIELD(advmss),        FIELD(reordering),    FIELD(rcv_rtt),
    FIELD(rcv_space),     FIELD(bytes_acked),   FIELD(bytes_received),
    FIELD(segs_out),      FIELD(segs_in),       FIELD(notsent_bytes),
    FIELD(data_segs_in),  FIELD(data_segs_out), FIELD(bytes_sent),
    FIELD(bytes_retrans), FIELD(delivered),
};

bool tcp_info_field(const char *name, const void *info, unsigned length, unsigned long long *value) {
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(fields[i].name, name) || fields[i].offset + fields[i].size > length)
      continue;
    *value = 0;
    memcpy(value, (const char *)info + fields[i].offset, fields[i].size); // little-endian machines only
    return true;
  }
  const struct tcp_info *whole = info;
  if (!strcmp(name, "snd_wscale"))
    *value = whole->tcpi_snd_wscale;
  else if (!strcmp(name, "rcv_wscale"))
    *value = whole->tcpi_rcv_wscale;
  else
    return false;
  return true;
}

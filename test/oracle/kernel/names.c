// Handles: the script's names for fd numbers, what each has sent, and the addresses printed through them.
#include "oracle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 512, TAG_MARK = 0x4f5241 };

static struct handle {
  char name[32];
  int fd;
  bool live;           // its number has not been closed since
  unsigned long bound; // when, for "the oldest"
  unsigned long sent;
} handles[MOST_NAMES];
static int handle_count;
static unsigned long clock_of_binding;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct handle *find(const char *name) {
  for (int i = 0; i < handle_count; i++)
    if (!strcmp(handles[i].name, name))
      return &handles[i];
  return NULL;
}

static struct handle *find_or_make(const char *name) {
  struct handle *handle = find(name);
  if (handle)
    return handle;
  if (handle_count == MOST_NAMES || strlen(name) >= sizeof handle->name)
    fail("'%s' is one name too many, or too long a one", name);
  handle = &handles[handle_count++];
  strcpy(handle->name, name);
  handle->fd = -1;
  return handle;
}

int handle_fd(const char *word) {
  if (word[0] == '#')
    return atoi(word + 1);
  pthread_mutex_lock(&lock);
  struct handle *handle = find(word);
  int fd = handle ? handle->fd : -1;
  pthread_mutex_unlock(&lock);
  return fd;
}

void handle_bind(const char *name, int fd) {
  pthread_mutex_lock(&lock);
  struct handle *handle = find_or_make(name);
  handle->fd = fd;
  handle->live = true;
  handle->bound = ++clock_of_binding;
  handle->sent = 0;
  pthread_mutex_unlock(&lock);
}

void handle_forget(int fd) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < handle_count; i++)
    if (handles[i].fd == fd)
      handles[i].live = false;
  pthread_mutex_unlock(&lock);
}

unsigned long handle_pattern(const char *word) {
  pthread_mutex_lock(&lock);
  unsigned long sent = find_or_make(word)->sent;
  pthread_mutex_unlock(&lock);
  return sent;
}

void handle_sent(const char *word, unsigned long bytes) {
  pthread_mutex_lock(&lock);
  find_or_make(word)->sent += bytes;
  pthread_mutex_unlock(&lock);
}

uint64_t handle_tag(const char *word) {
  pthread_mutex_lock(&lock);
  uint64_t tag = (uint64_t)TAG_MARK << 40 | (uint64_t)(find_or_make(word) - handles);
  pthread_mutex_unlock(&lock);
  return tag;
}

const char *handle_of_tag(uint64_t tag) {
  uint64_t index = tag & 0xffffffffff;
  return tag >> 40 == TAG_MARK && index < (uint64_t)handle_count ? handles[index].name : NULL;
}

static bool name_of(int (*call)(int, struct sockaddr *restrict, socklen_t *restrict), int fd,
                    struct sockaddr_in *address) {
  socklen_t length = sizeof *address;
  return !call(fd, (struct sockaddr *)address, &length) && address->sin_family == AF_INET;
}

/// The oldest live handle bound to the port. Two connections to different places may have one port of their
/// own, if seldom: then the one at the other end of `end` is meant.
static const char *owner(in_port_t port, int child) {
  const struct handle *oldest = NULL, *client = NULL;
  struct sockaddr_in address, peer, own;
  bool connected = child >= 0 && name_of(getsockname, child, &own);
  pthread_mutex_lock(&lock);
  for (int i = 0; i < handle_count && port; i++) {
    const struct handle *handle = &handles[i];
    if (!handle->live || !name_of(getsockname, handle->fd, &address) || address.sin_port != port)
      continue;
    if (!oldest || handle->bound < oldest->bound)
      oldest = handle;
    if (connected && name_of(getpeername, handle->fd, &peer) && peer.sin_port == own.sin_port &&
        peer.sin_addr.s_addr == own.sin_addr.s_addr && (!client || handle->bound < client->bound))
      client = handle;
  }
  pthread_mutex_unlock(&lock);
  return client ? client->name : oldest ? oldest->name : NULL;
}

void address_print(struct text *text, const struct sockaddr_in *address, int child) {
  char ip[INET_ADDRSTRLEN];
  int port = ntohs(address->sin_port);
  const char *name = owner(address->sin_port, child);
  text_add(text, "%s:", inet_ntop(AF_INET, &address->sin_addr, ip, sizeof ip));
  if (name)
    text_add(text, "@%s", name);
  else if (child >= 0 || (port >= 32768 && port <= 60999))
    text_add(text, "~");
  else
    text_add(text, "%d", port);
}

static bool own_address(const char *word, struct sockaddr_in *address) {
  if (!name_of(getsockname, handle_fd(word), address))
    return false;
  if (address->sin_addr.s_addr == htonl(INADDR_ANY))
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return true;
}

bool address_parse(const char *word, struct sockaddr_in *address) {
  memset(address, 0, sizeof *address);
  if (!strcmp(word, "unspec"))
    return true; // AF_UNSPEC is 0
  address->sin_family = AF_INET;
  // A handle without an address, in a script that has been cut down, is an address nobody listens on: both
  // sides agree.
  if (word[0] == '@') {
    if (!own_address(word + 1, address)) {
      address->sin_family = AF_INET;
      address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address->sin_port = htons(1);
    }
    return true;
  }
  const char *colon = strchr(word, ':');
  if (!colon)
    return false;
  char ip[64] = "";
  if ((size_t)(colon - word) >= sizeof ip)
    return false;
  memcpy(ip, word, colon - word);
  const char *dotted = !strcmp(ip, "lo") ? "127.0.0.1" : !strcmp(ip, "any") ? "0.0.0.0" : ip;
  struct sockaddr_in other;
  if (inet_pton(AF_INET, dotted, &address->sin_addr) != 1)
    return false;
  if (colon[1] == '@')
    address->sin_port = own_address(colon + 2, &other) ? other.sin_port : htons(1);
  else
    address->sin_port = htons(number(colon + 1));
  return true;
}

/*
 * The one client that measures every contender: bulk transfers, round trips,
 * whole connections, and idle ones, over epoll. Prints one line of JSON.
 * Whatever it does is done alike for all of them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORT_ECHO = 7001, PORT_SINK, PORT_SOURCE };
enum { BULK = 256 << 10, REQUEST = 64, MAX_SAMPLES = 8 << 20 };

static struct {
  const char *work;
  struct in_addr server;
  int count;         /* connections, or how many are in flight */
  double warm, time; /* seconds: before the measurement, and of it */
  int pid;           /* the server, whose CPU time is counted; 0: nobody's */
  const char *congestion;
  struct in_addr source; /* first address to connect from; 0: the kernel's choice */
  int sources;           /* so many, one after another */
} opt = {.count = 1, .warm = 0.2, .time = 1, .sources = 1};

struct conn {
  int fd;
  int got; /* bytes of the answer */
  bool connecting;
  uint64_t since; /* ns: when the request was sent, or the connection begun */
};

static int epfd;
static struct conn *conns;
static uint32_t *samples; /* ns */
static size_t sample_count;
static char *buffer;

static void die(const char *what) {
  fprintf(stderr, "bench client: %s %s: %s\n", opt.work, what, strerror(errno));
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* CPU seconds that the server has used: fields 14 and 15 of /proc/PID/stat. */
static double server_cpu(void) {
  if (opt.pid == 0)
    return 0;
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", opt.pid);
  FILE *file = fopen(path, "r");
  if (file == NULL || fgets(line, sizeof line, file) == NULL)
    die("reading the server's /proc/PID/stat");
  fclose(file);
  unsigned long user = 0, system = 0;
  const char *rest = strrchr(line, ')');
  if (rest == NULL ||
      sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    die("parsing the server's /proc/PID/stat");
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* Begins a connection; it is established when it becomes writable. */
static void begin(struct conn *conn, int port, int index) {
  conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (conn->fd < 0)
    die("socket");
  const int one = 1;
  setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (opt.congestion != NULL && setsockopt(conn->fd, IPPROTO_TCP, TCP_CONGESTION, opt.congestion,
                                           (socklen_t)strlen(opt.congestion)) < 0)
    die("TCP_CONGESTION");
  if (opt.source.s_addr != 0) {
    setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(ntohl(opt.source.s_addr) + (uint32_t)(index % opt.sources));
    if (bind(conn->fd, (struct sockaddr *)&from, sizeof from) < 0)
      die("bind");
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = opt.server};
  conn->connecting = true;
  conn->got = 0;
  conn->since = now_ns();
  if (connect(conn->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
    die("connect");
}

static void watch(int op, struct conn *conn, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = conn};
  if (epoll_ctl(epfd, op, conn->fd, &event) < 0)
    die("epoll_ctl");
}

static void finish_connect(struct conn *conn) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    errno = error;
    die("connecting");
  }
  conn->connecting = false;
}

/* All connections, established before anything else happens. */
static void connect_all(int port) {
  for (int i = 0; i < opt.count; i++) {
    begin(&conns[i], port, i);
    struct pollfd wait = {.fd = conns[i].fd, .events = POLLOUT};
    if (poll(&wait, 1, 10000) != 1) {
      errno = ETIMEDOUT;
      die("connecting");
    }
    finish_connect(&conns[i]);
  }
}

static void request(struct conn *conn) {
  conn->got = 0;
  ssize_t written = write(conn->fd, buffer, REQUEST);
  if (written != REQUEST)
    die("sending a request");
}

/* Reads; true when the answer is whole. */
static bool answered(struct conn *conn) {
  ssize_t count = read(conn->fd, buffer, REQUEST);
  if (count < 0 && errno == EAGAIN)
    return false;
  if (count <= 0) {
    if (count == 0)
      errno = EPIPE;
    die("waiting for an answer");
  }
  conn->got += (int)count;
  return conn->got >= REQUEST;
}

/* The measured stretch: begins after the warm-up. */
static struct {
  uint64_t start, end;
  bool running;
  double cpu;
} window;

static void window_open(void) {
  window.start = now_ns() + (uint64_t)(opt.warm * 1e9);
  window.end = window.start + (uint64_t)(opt.time * 1e9);
}

/* True once when the measurement begins. */
static bool window_begins(uint64_t now) {
  if (window.running || now < window.start)
    return false;
  window.running = true;
  window.start = now;
  window.end = now + (uint64_t)(opt.time * 1e9);
  window.cpu = server_cpu();
  return true;
}

static int by_value(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static double percentile(double part) {
  if (sample_count == 0)
    return 0;
  size_t at = (size_t)(part * (double)sample_count);
  return samples[at < sample_count ? at : sample_count - 1] / 1000.0;
}

static void report_rate(double seconds, double cpu) {
  qsort(samples, sample_count, sizeof *samples, by_value);
  printf("{\"count\":%zu,\"seconds\":%.6f,\"perSecond\":%.1f,\"cpu\":%.3f,"
         "\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f}\n",
         sample_count, seconds, (double)sample_count / seconds, cpu, percentile(0.5), percentile(0.99),
         percentile(0.999));
}

static void sample(uint64_t ns) {
  if (sample_count < MAX_SAMPLES)
    samples[sample_count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static uint64_t bytes_acked(void) {
  uint64_t sum = 0;
  for (int i = 0; i < opt.count; i++) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(conns[i].fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
      die("TCP_INFO");
    sum += info.tcpi_bytes_acked;
  }
  return sum;
}

/* Bulk: into the sink counts what the server has acknowledged, out of the
 * source what has been read. */
static void bulk(bool in) {
  connect_all(in ? PORT_SINK : PORT_SOURCE);
  for (int i = 0; i < opt.count; i++)
    watch(EPOLL_CTL_ADD, &conns[i], in ? EPOLLOUT : EPOLLIN);
  struct epoll_event events[64];
  uint64_t bytes = 0, before = 0;
  window_open();
  for (;;) {
    uint64_t now = now_ns();
    if (window_begins(now))
      before = in ? bytes_acked() : bytes;
    if (window.running && now >= window.end)
      break;
    int ready = epoll_wait(epfd, events, 64, 100);
    for (int i = 0; i < ready; i++) {
      struct conn *conn = events[i].data.ptr;
      ssize_t count = in ? write(conn->fd, buffer, BULK) : read(conn->fd, buffer, BULK);
      if (count > 0)
        bytes += (uint64_t)count;
      else if (count == 0 || errno != EAGAIN)
        die(in ? "write" : "read");
    }
  }
  double seconds = (double)(now_ns() - window.start) / 1e9;
  uint64_t moved = (in ? bytes_acked() : bytes) - before;
  printf("{\"bytes\":%llu,\"seconds\":%.6f,\"gbps\":%.4f,\"cpu\":%.3f}\n", (unsigned long long)moved, seconds,
         (double)moved * 8 / seconds / 1e9, server_cpu() - window.cpu);
}

static void round_trips(void) {
  connect_all(PORT_ECHO);
  struct epoll_event events[64];
  for (int i = 0; i < opt.count; i++) {
    watch(EPOLL_CTL_ADD, &conns[i], EPOLLIN);
    conns[i].since = now_ns();
    request(&conns[i]);
  }
  window_open();
  for (;;) {
    uint64_t now = now_ns();
    window_begins(now);
    if (window.running && now >= window.end)
      break;
    int ready = epoll_wait(epfd, events, 64, 1000);
    if (ready == 0) {
      errno = ETIMEDOUT;
      die("waiting a second for any answer");
    }
    for (int i = 0; i < ready; i++) {
      struct conn *conn = events[i].data.ptr;
      if (!answered(conn))
        continue;
      now = now_ns();
      if (window.running)
        sample(now - conn->since);
      conn->since = now;
      request(conn);
    }
  }
  report_rate((double)(now_ns() - window.start) / 1e9, server_cpu() - window.cpu);
}

/* Connect, ask, be answered, close in order; then the next. */
static void whole_connections(void) {
  struct epoll_event events[64];
  int next = 0;
  for (int i = 0; i < opt.count; i++) {
    begin(&conns[i], PORT_ECHO, next++);
    watch(EPOLL_CTL_ADD, &conns[i], EPOLLOUT);
  }
  window_open();
  for (;;) {
    uint64_t now = now_ns();
    window_begins(now);
    if (window.running && now >= window.end)
      break;
    int ready = epoll_wait(epfd, events, 64, 3000);
    if (ready == 0) {
      errno = ETIMEDOUT;
      die("waiting three seconds for any connection");
    }
    for (int i = 0; i < ready; i++) {
      struct conn *conn = events[i].data.ptr;
      if (conn->connecting) {
        finish_connect(conn);
        request(conn);
        watch(EPOLL_CTL_MOD, conn, EPOLLIN);
        continue;
      }
      if (!answered(conn))
        continue;
      close(conn->fd);
      if (window.running)
        sample(now_ns() - conn->since);
      begin(conn, PORT_ECHO, next++);
      watch(EPOLL_CTL_ADD, conn, EPOLLOUT);
    }
  }
  report_rate((double)(now_ns() - window.start) / 1e9, server_cpu() - window.cpu);
}

/* Opens connections, has one answer from each (so that the server has accepted
 * and registered it), and keeps them until standard input ends. */
static void idle(void) {
  enum { AT_ONCE = 200 };
  struct epoll_event events[64];
  int begun = 0, settled = 0;
  uint64_t start = now_ns();
  while (settled < opt.count) {
    while (begun < opt.count && begun - settled < AT_ONCE) {
      begin(&conns[begun], PORT_ECHO, begun);
      watch(EPOLL_CTL_ADD, &conns[begun], EPOLLOUT);
      begun++;
    }
    int ready = epoll_wait(epfd, events, 64, 5000);
    if (ready == 0) {
      errno = ETIMEDOUT;
      die("waiting five seconds for any connection");
    }
    for (int i = 0; i < ready; i++) {
      struct conn *conn = events[i].data.ptr;
      if (conn->connecting) {
        finish_connect(conn);
        request(conn);
        watch(EPOLL_CTL_MOD, conn, EPOLLIN);
      } else if (answered(conn)) {
        watch(EPOLL_CTL_DEL, conn, 0);
        settled++;
      }
    }
  }
  printf("{\"open\":%d,\"seconds\":%.3f}\n", settled, (double)(now_ns() - start) / 1e9);
  fflush(stdout);
  while (read(0, buffer, BULK) > 0)
    ;
}

int main(int argc, char **argv) {
  int option;
  while ((option = getopt(argc, argv, "n:w:t:p:c:s:S:")) != -1) {
    switch (option) {
    case 'n':
      opt.count = atoi(optarg);
      break;
    case 'w':
      opt.warm = atof(optarg);
      break;
    case 't':
      opt.time = atof(optarg);
      break;
    case 'p':
      opt.pid = atoi(optarg);
      break;
    case 'c':
      opt.congestion = optarg;
      break;
    case 's':
      inet_aton(optarg, &opt.source);
      break;
    case 'S':
      opt.sources = atoi(optarg);
      break;
    default:
      return 2;
    }
  }
  if (argc - optind != 2 || inet_aton(argv[optind + 1], &opt.server) == 0 || opt.count < 1) {
    fprintf(stderr, "usage: client [-n CONNECTIONS] [-w WARM-UP] [-t SECONDS] "
                    "[-p SERVER-PID] [-c CONGESTION]\n"
                    "              [-s FIRST-SOURCE] [-S SOURCES] "
                    "in|out|rr|crr|idle SERVER\n");
    return 2;
  }
  opt.work = argv[optind];
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epfd = epoll_create1(EPOLL_CLOEXEC);
  conns = calloc((size_t)opt.count, sizeof *conns);
  samples = malloc(MAX_SAMPLES * sizeof *samples);
  buffer = calloc(1, BULK);
  if (epfd < 0 || conns == NULL || samples == NULL || buffer == NULL)
    die("setting up");

  if (strcmp(opt.work, "in") == 0 || strcmp(opt.work, "out") == 0)
    bulk(opt.work[0] == 'i');
  else if (strcmp(opt.work, "rr") == 0)
    round_trips();
  else if (strcmp(opt.work, "crr") == 0)
    whole_connections();
  else if (strcmp(opt.work, "idle") == 0)
    idle();
  else
    return fprintf(stderr, "bench client: no such work: %s\n", opt.work), 2;
  return 0;
}

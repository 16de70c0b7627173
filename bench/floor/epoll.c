// The floor: what a careful engineer writes by hand when one thread, one epoll set and one protocol
// are all there is. Every figure of the project is a ratio to this program, so it must be minimal
// (no call, no copy, no allocation that the work does not need) and correct (nothing left out that
// a real client could notice). One thread runs all of it.
//
//   floor_epoll echo|lines PORT [spin|receive]   PORT 0 takes a free one; SIGTERM ends.
//
// spin:    while it has clients that speak it never sleeps.
// receive: as spin, and while it has one client only it receives again and again and asks epoll
//          hardly ever: one recv and one send a request, the least that a server's socket takes.
//
// echo:  every byte goes back.
// lines: "ID MICROSECONDS\n" is answered "ID\n" after a real sleep of that long (none for 0);
//        anything else is answered "ERR malformed line\n". All replies of one read leave in one
//        send. A line over kLineMax bytes closes the connection.
//
// Level-triggered, one recv a readiness, direct send. What a short send leaves over is kept, and
// then only EPOLLOUT is watched: while a rest waits nothing is read. That is the back-pressure, and
// it is also why half-close needs no state: the end of the stream is read only when every reply is
// with the kernel, and closing without unread input delivers them all.
#include "lines.h"
#include "listener.h"

#include <sys/epoll.h>

enum {
  kReadBytes = 64 * 1024,
  kEventsMax = 512,
  kEmptyTurnsMax = 5000,  // of `spin`, a few milliseconds: then it sleeps until somebody speaks
  kTurnsPerWait = 256,    // of `receive`
};

struct connection {
  int fd;
  uint32_t rest_bytes;     // of replies not yet sent; more than 0 only while EPOLLOUT is watched
  uint32_t rest_sent;      // of rest_bytes
  uint32_t partial_bytes;  // of an unfinished line
  char* rest;
  char* partial;
};

static int epoll_fd;
static bool lines;
static uint32_t connections_open;
static struct connection* newest;  // the only one while connections_open is 1
// The unfinished line of the connection is copied in front of what is read, so that every line is
// contiguous and only connections that really have one hold memory.
static char input[kLineMax + kReadBytes];
static char output[sizeof input * kReplyGrowthMax];

static void watch(struct connection* connection, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll_fd, operation, connection->fd, &event) != 0) die("floor_epoll: epoll_ctl");
}

static void close_connection(struct connection* connection) {
  close(connection->fd);
  free(connection->rest);
  free(connection->partial);
  free(connection);
  --connections_open;
  newest = NULL;
}

// False: the connection is broken and now closed.
static bool send_replies(struct connection* connection, const char* bytes, size_t size) {
  ssize_t sent = send(connection->fd, bytes, size, MSG_NOSIGNAL);
  if (sent == (ssize_t)size) return true;
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      close_connection(connection);
      return false;
    }
    sent = 0;
  }
  connection->rest_bytes = (uint32_t)(size - (size_t)sent);
  connection->rest_sent = 0;
  connection->rest = allocate(connection->rest_bytes);
  memcpy(connection->rest, bytes + sent, connection->rest_bytes);
  watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
  return true;
}

static void send_rest(struct connection* connection) {
  ssize_t sent = send(connection->fd, connection->rest + connection->rest_sent,
                      connection->rest_bytes - connection->rest_sent, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) close_connection(connection);
    return;
  }
  connection->rest_sent += (uint32_t)sent;
  if (connection->rest_sent < connection->rest_bytes) return;
  free(connection->rest);
  connection->rest = NULL;
  connection->rest_bytes = 0;
  watch(connection, EPOLL_CTL_MOD, EPOLLIN);
}

// `size` bytes of input, which begin with the unfinished line of this connection, if it had one.
static void answer_lines(struct connection* connection, size_t size) {
  const char* line = input;
  const char* end = input + size;
  const char* newline = input + connection->partial_bytes;  // no newline before: seen last time
  char* reply = output;
  while ((newline = memchr(newline, '\n', (size_t)(end - newline))) != NULL) {
    if (newline - line > kLineMax) return close_connection(connection);
    reply = answer_line(line, newline, reply);
    line = ++newline;
  }
  size_t left = (size_t)(end - line);
  if (left > kLineMax) return close_connection(connection);
  if (left > 0) {
    if (connection->partial == NULL) connection->partial = allocate(kLineMax);
    memcpy(connection->partial, line, left);
  } else if (connection->partial != NULL) {
    free(connection->partial);
    connection->partial = NULL;
  }
  connection->partial_bytes = (uint32_t)left;
  if (reply > output) send_replies(connection, output, (size_t)(reply - output));
}

// False: nothing had come.
static bool read_requests(struct connection* connection) {
  size_t before = connection->partial_bytes;
  ssize_t size = recv(connection->fd, input + before, kReadBytes, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (size <= 0) {  // 0: the end; all replies were sent before. An unfinished line is dropped.
    close_connection(connection);
  } else if (!lines) {
    send_replies(connection, input, (size_t)size);
  } else {
    if (before > 0) memcpy(input, connection->partial, before);
    answer_lines(connection, before + (size_t)size);
  }
  return true;
}

static void accept_connections(int listen_fd) {
  for (;;) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // Out of descriptors, a figure would be worth nothing: better to end than to spin.
      if (errno == EMFILE || errno == ENFILE) die("floor_epoll: accept4");
      if (errno == EAGAIN) return;
      continue;  // this client left before we came
    }
    set_no_delay(fd);
    struct connection* connection = allocate(sizeof *connection);
    *connection = (struct connection){.fd = fd};
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    ++connections_open;
    newest = connection;
  }
}

static bool has_only_one(void) {
  return connections_open == 1 && newest != NULL && newest->rest_bytes == 0;
}

int main(int argc, char** argv) {
  char* number_end = NULL;
  bool receives = argc == 4 && strcmp(argv[3], "receive") == 0;
  bool spins = receives || (argc == 4 && strcmp(argv[3], "spin") == 0);
  bool good = argc == 3 || spins;
  long port = good ? strtol(argv[2], &number_end, 10) : -1;
  bool echo = good && strcmp(argv[1], "echo") == 0;
  lines = good && strcmp(argv[1], "lines") == 0;
  if ((!echo && !lines) || port < 0 || port > 65535 || *number_end != '\0') {
    fprintf(stderr, "usage: floor_epoll echo|lines PORT [spin|receive]\n");
    return 2;
  }
  prepare_process();
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) die("floor_epoll: epoll_create1");
  uint16_t bound = (uint16_t)port;
  int listen_fd = open_listener(&bound, false);
  say_listening(bound);
  struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};  // NULL: the listener
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening) != 0) die("floor_epoll: epoll_ctl");

  struct epoll_event events[kEventsMax];
  int empty_turns = 0;
  for (unsigned turn = 0;; ++turn) {
    bool sleeps = !spins || empty_turns >= kEmptyTurnsMax;
    if (receives && !sleeps && turn % kTurnsPerWait != 0 && has_only_one()) {
      empty_turns = read_requests(newest) ? 0 : empty_turns + 1;
      continue;
    }
    int count = epoll_wait(epoll_fd, events, kEventsMax, sleeps ? -1 : 0);
    empty_turns = count > 0 ? 0 : empty_turns + 1;
    for (int i = 0; i < count;
         ++i) {  // a batch names a connection once, so freeing it here is safe
      struct connection* connection = events[i].data.ptr;
      if (connection == NULL) {
        accept_connections(listen_fd);
      } else if (connection->rest_bytes > 0) {
        send_rest(connection);
      } else {
        read_requests(connection);
      }
    }
  }
}

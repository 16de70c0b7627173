// The floor of HTTP: finds the end of each head and answers a fixed 200, as epoll.c does lines. It
// reads of a head its end and Content-Length, nothing else: no method, no target, no field. It is
// no server; it is what any server must do at least for `GET / HTTP/1.1`.
//
//   floor_http PORT   PORT 0 takes a free one; SIGTERM ends.
//
// Level-triggered, one recv a readiness, all replies of one read in one send, back-pressure and
// half-close as in epoll.c. A request over kRequestMax bytes closes the connection.
#include "listener.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

enum {
  kReadBytes = 64 * 1024,
  kRequestMax = 64 * 1024,
  kEventsMax = 512,
};

static const char kReply[] =
    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nhello, world\n";
enum { kReplyBytes = sizeof kReply - 1, kShortestRequest = 18 };

struct connection {
  int fd;
  uint32_t rest_bytes;     // of replies not yet sent; more than 0 only while EPOLLOUT is watched
  uint32_t rest_sent;      // of rest_bytes
  uint32_t partial_bytes;  // of an unfinished request
  char* rest;
  char* partial;
};

static int epoll_fd;
static char input[kRequestMax + kReadBytes];
static char output[(sizeof input / kShortestRequest + 1) * kReplyBytes];

static void watch(struct connection* connection, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll_fd, operation, connection->fd, &event) != 0) die("floor_http: epoll_ctl");
}

static void close_connection(struct connection* connection) {
  close(connection->fd);
  free(connection->rest);
  free(connection->partial);
  free(connection);
}

static void send_replies(struct connection* connection, const char* bytes, size_t size) {
  ssize_t sent = send(connection->fd, bytes, size, MSG_NOSIGNAL);
  if (sent == (ssize_t)size) return;
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      close_connection(connection);
      return;
    }
    sent = 0;
  }
  connection->rest_bytes = (uint32_t)(size - (size_t)sent);
  connection->rest_sent = 0;
  connection->rest = allocate(connection->rest_bytes);
  memcpy(connection->rest, bytes + sent, connection->rest_bytes);
  watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
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

// The bytes of the content that a head announces; 0 for GET, whose heads need no look.
static size_t content_bytes(const char* head, size_t size) {
  if (head[0] == 'G') return 0;
  const char* end = head + size;
  for (const char* line = memchr(head, '\n', size); line != NULL && line + 16 < end;
       line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
    if (strncasecmp(line + 1, "content-length:", 15) == 0) return strtoul(line + 16, NULL, 10);
  }
  return 0;
}

// `size` bytes of input, which begin with the unfinished request of this connection, if it had one.
static void answer_requests(struct connection* connection, size_t size) {
  const char* request = input;
  const char* end = input + size;
  char* reply = output;
  while (request < end) {
    const char* head_end = memmem(request, (size_t)(end - request), "\r\n\r\n", 4);
    if (head_end == NULL) break;
    head_end += 4;
    size_t content = content_bytes(request, (size_t)(head_end - request));
    if (content > (size_t)(end - head_end)) break;
    memcpy(reply, kReply, kReplyBytes);
    reply += kReplyBytes;
    request = head_end + content;
  }
  size_t left = (size_t)(end - request);
  if (left > kRequestMax) {
    close_connection(connection);
    return;
  }
  if (left > 0) {
    if (connection->partial == NULL) connection->partial = allocate(kRequestMax);
    memcpy(connection->partial, request, left);
  } else if (connection->partial != NULL) {
    free(connection->partial);
    connection->partial = NULL;
  }
  connection->partial_bytes = (uint32_t)left;
  if (reply > output) send_replies(connection, output, (size_t)(reply - output));
}

static void read_requests(struct connection* connection) {
  size_t before = connection->partial_bytes;
  ssize_t size = recv(connection->fd, input + before, kReadBytes, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {  // 0: the end; all replies were sent before
    close_connection(connection);
    return;
  }
  if (before > 0) memcpy(input, connection->partial, before);
  answer_requests(connection, before + (size_t)size);
}

static void accept_connections(int listen_fd) {
  for (;;) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE) die("floor_http: accept4");
      if (errno == EAGAIN) return;
      continue;
    }
    set_no_delay(fd);
    struct connection* connection = allocate(sizeof *connection);
    *connection = (struct connection){.fd = fd};
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
  }
}

int main(int argc, char** argv) {
  char* number_end = NULL;
  long port = argc == 2 ? strtol(argv[1], &number_end, 10) : -1;
  if (port < 0 || port > 65535 || *number_end != '\0') {
    fprintf(stderr, "usage: floor_http PORT\n");
    return 2;
  }
  prepare_process();
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) die("floor_http: epoll_create1");
  uint16_t bound = (uint16_t)port;
  int listen_fd = open_listener(&bound, false);
  say_listening(bound);
  struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};  // NULL: the listener
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening) != 0) die("floor_http: epoll_ctl");

  struct epoll_event events[kEventsMax];
  for (;;) {
    int count = epoll_wait(epoll_fd, events, kEventsMax, -1);
    for (int i = 0; i < count; ++i) {  // a batch names a connection once
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

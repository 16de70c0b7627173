// What both baselines do for one client, with plain blocking calls: read, work, write, until the
// client sends no more. The buffers are on the stack, touched as far as they are used.
#pragma once

#include <sys/poll.h>

#include "floor/lines.h"
#include "floor/listener.h"
#include "peers/arguments.h"

enum {
  kReadBytes = 16 * 1024,
  kOutputBytes = 4 * 1024,
  kStackBytes = 128 * 1024,
};

static bool delay_service;

static inline void parse_service(int argc, char** argv) {
  delay_service = parse_arguments(argc, argv, false).delay;
}

static inline int open_blocking_listener(void) {
  uint16_t port = 0;
  const int fd = open_listener(&port, false);
  say_listening(port);
  return fd;
}

// Waits for the next one. The listener does not block, its clients do.
static inline int accept_client(int listen_fd) {
  for (;;) {
    const int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
      set_no_delay(fd);
      return fd;
    }
    if (errno == EMFILE || errno == ENFILE) die("accept4");
    struct pollfd readable = {.fd = listen_fd, .events = POLLIN};
    poll(&readable, 1, -1);
  }
}

static inline bool send_whole(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes += sent;
    size -= (size_t)sent;
  }
  return true;
}

// Answers the whole lines in `size` bytes. How many bytes they are, or -1: over.
static inline ssize_t answer_lines(int fd, const char* bytes, size_t size) {
  char output[kOutputBytes];
  char* reply = output;
  const char* line = bytes;
  const char* end = bytes + size;
  const char* newline = NULL;
  while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
    reply = answer_line(line, newline, reply);
    line = newline + 1;
    if (output + sizeof output - reply > kIdMax + kReplyGrowthMax) continue;
    if (!send_whole(fd, output, (size_t)(reply - output))) return -1;
    reply = output;
  }
  return send_whole(fd, output, (size_t)(reply - output)) ? line - bytes : -1;
}

static inline void serve_client(int fd) {
  char input[kReadBytes];
  size_t have = 0;  // of an unfinished line
  for (;;) {
    const ssize_t size = recv(fd, input + have, sizeof input - have, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    if (!delay_service) {
      if (!send_whole(fd, input, (size_t)size)) break;
      continue;
    }
    have += (size_t)size;
    const ssize_t done = answer_lines(fd, input, have);
    if (done < 0 || have - (size_t)done > kLineMax) break;
    have -= (size_t)done;
    memmove(input, input + done, have);
  }
  close(fd);
}

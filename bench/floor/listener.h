// How every C and C++ program here begins: descriptors, signals, and a listener on 127.0.0.1 whose
// address it prints. Called by the main thread before anything else runs. For C and C++.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kBacklog = 4096 };

static inline void die(const char* what) {
  perror(what);
  exit(1);
}

static inline void* allocate(size_t size) {
  void* memory = malloc(size);
  if (memory == NULL) die("malloc");
  return memory;
}

static inline void end_process(int signal_number) {
  (void)signal_number;
  _exit(0);
}

// SIGTERM ends at once: a figure has been taken or is lost. As many descriptors as allowed.
static inline void prepare_process(void) {
  signal(SIGTERM, end_process);
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

static inline void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// `*port` 0 takes a free one and says which. Several listeners share a port with `shared`.
static inline int open_listener(uint16_t* port, bool shared) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  struct sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, (struct sockaddr*)&address, size) != 0) die("bind");
  if (listen(fd, kBacklog) != 0) die("listen");
  if (getsockname(fd, (struct sockaddr*)&address, &size) != 0) die("getsockname");
  *port = ntohs(address.sin_port);
  return fd;
}

static inline void say_listening(uint16_t port) {
  printf("listening on tcp://127.0.0.1:%u\n", port);
  fflush(stdout);
}

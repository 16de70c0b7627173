// idle_holder: many connections that say one thing each, get it answered, and are silent from then
// on. What a server pays for them is what is measured.
//
//   idle_holder echo|delay PORT COUNT      prints `ready COUNT`, holds until SIGTERM or the end of
//                                          standard input
//
// Connections come from 127.0.1.1 to 127.0.1.16: one address has 28,000 ports. One thread.
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "floor/listener.h"

enum { kSources = 16, kBatch = 256, kFirstSource = 0x7f000101, kPatienceSeconds = 20 };

static int open_connection(uint16_t port, unsigned number) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("idle_holder: socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const struct timeval patience = {.tv_sec = kPatienceSeconds};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  struct sockaddr_in source = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(kFirstSource + number % kSources)};
  struct sockaddr_in server = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr*)&source, sizeof source) != 0) die("idle_holder: bind");
  if (connect(fd, (struct sockaddr*)&server, sizeof server) != 0) die("idle_holder: connect");
  return fd;
}

static void say(int fd, bool delay) {
  char text[64];
  memset(text, 'i', sizeof text);
  const size_t size = delay ? (size_t)snprintf(text, sizeof text, "idle 0\n") : sizeof text;
  if (send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) die("idle_holder: send");
}

static void hear(int fd, bool delay) {
  char text[64];
  const size_t size = delay ? strlen("idle\n") : sizeof text;
  if (recv(fd, text, size, MSG_WAITALL) != (ssize_t)size) die("idle_holder: no reply");
  if (memcmp(text, delay ? "idle\n" : "iiiii", 5) != 0) {
    fprintf(stderr, "idle_holder: a wrong reply\n");
    exit(1);
  }
}

int main(int argc, char** argv) {
  const bool delay = argc == 4 && strcmp(argv[1], "delay") == 0;
  char* ends[2] = {NULL, NULL};
  const long port = argc == 4 ? strtol(argv[2], &ends[0], 10) : 0;
  const long count = argc == 4 ? strtol(argv[3], &ends[1], 10) : 0;
  if ((!delay && (argc != 4 || strcmp(argv[1], "echo") != 0)) || port < 1 || port > 65535 ||
      *ends[0] != '\0' || count < 1 || *ends[1] != '\0') {
    fprintf(stderr, "usage: idle_holder echo|delay PORT COUNT\n");
    return 2;
  }
  prepare_process();
  int* connections = allocate((size_t)count * sizeof(int));
  for (long first = 0; first < count; first += kBatch) {
    const long end = first + kBatch < count ? first + kBatch : count;
    for (long i = first; i < end; ++i) {
      connections[i] = open_connection((uint16_t)port, (unsigned)i);
      say(connections[i], delay);
    }
    for (long i = first; i < end; ++i) hear(connections[i], delay);
  }
  printf("ready %ld\n", count);
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0 || errno == EINTR) {
  }
}

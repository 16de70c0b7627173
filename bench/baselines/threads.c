// The baseline "a thread each": every connection has a thread of its own that reads, works and
// writes, and may block. Arguments as the peers have them; --threads is taken and means nothing,
// because there is no loop.
#include "client.h"

#include <pthread.h>

static void* run_client(void* fd) {
  serve_client((int)(intptr_t)fd);
  return NULL;
}

int main(int argc, char** argv) {
  parse_service(argc, argv);
  prepare_process();
  const int listen_fd = open_blocking_listener();
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  for (;;) {
    const int fd = accept_client(listen_fd);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, run_client, (void*)(intptr_t)fd) != 0) {
      close(fd);  // no more threads: this client is turned away
    }
  }
}

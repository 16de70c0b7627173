// The baseline "a process each": every connection has a process of its own, made by fork when it
// comes. Ends its children with itself.
#include "client.h"

#include <sys/prctl.h>

int main(int argc, char** argv) {
  parse_service(argc, argv);
  prepare_process();
  signal(SIGCHLD, SIG_IGN);  // the kernel buries the children
  const int listen_fd = open_blocking_listener();
  for (;;) {
    const int fd = accept_client(listen_fd);
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      close(listen_fd);
      serve_client(fd);
      _exit(0);
    }
    close(fd);  // the child has it; without a child this client is turned away
  }
}

#include "tool/start_up.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace tool {

// The wrong way round, so that who reads or writes there fails as before.
void start_up() {
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(wanted, F_GETFD) >= 0 || errno != EBADF) continue;
    if (::open("/dev/null", wanted == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) {
      ::open("/", O_PATH | O_DIRECTORY);
    }
  }
}

}  // namespace tool

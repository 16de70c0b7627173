#include "congestion.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {
namespace {

bool is_tcp(int fd) {
  int protocol = 0;
  socklen_t size = sizeof protocol;
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

bool set_one(int fd, const std::string& name) {
  return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                    static_cast<socklen_t>(name.size())) == 0;
}

}  // namespace

bool set_congestion(pid_t pid, const std::string& name) {
  const pid_t process = pid == 0 ? getpid() : pid;
  const std::string folder = "/proc/" + std::to_string(process) + "/fd";
  DIR* descriptors = opendir(folder.c_str());
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
  bool good = descriptors != nullptr && pidfd >= 0;
  while (good) {
    const dirent* entry = readdir(descriptors);
    if (entry == nullptr) break;
    if (entry->d_name[0] == '.') continue;
    char target[64] = {};
    const std::string link = folder + "/" + entry->d_name;
    if (readlink(link.c_str(), target, sizeof target - 1) < 0) continue;  // closed meanwhile
    if (std::strncmp(target, "socket:", 7) != 0) continue;
    const int fd = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, std::atoi(entry->d_name), 0));
    if (fd < 0 && errno == EBADF) continue;
    good = fd >= 0 && (!is_tcp(fd) || set_one(fd, name));
    const int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
  }
  if (!good) {
    std::fprintf(stderr, "--congestion %s: process %d: %s\n", name.c_str(), process,
                 std::strerror(errno));
  }
  if (descriptors != nullptr) closedir(descriptors);
  if (pidfd >= 0) close(pidfd);
  return good;
}

}  // namespace bench

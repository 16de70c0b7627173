// What RealKernel does with files, inherited descriptors, names of users and the environment.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "runtime/system/real_kernel.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr size_t kEntryBytesMax = 1 << 20;  // of one user or group, with all its members

// Calls getpwnam_r, or getgrnam_r, with a buffer that is large enough. 0, or -errno.
template <class Entry>
int look_up(int (*call)(const char*, Entry*, char*, size_t, Entry**), const std::string& name,
            Entry& entry, std::vector<char>& memory) {
  for (size_t bytes = 4096; bytes <= kEntryBytesMax; bytes *= 4) {
    memory.resize(bytes);
    Entry* found = nullptr;
    const int error = call(name.c_str(), &entry, memory.data(), memory.size(), &found);
    if (error == ERANGE) continue;
    if (found != nullptr) return 0;
    return error == 0 ? -ENOENT : -error;
  }
  return -ERANGE;
}

}  // namespace

int RealKernel::inherit(int fd, bool non_blocking) {
  const int of_descriptor = ::fcntl(fd, F_GETFD);
  if (of_descriptor < 0 || ::fcntl(fd, F_SETFD, of_descriptor | FD_CLOEXEC) < 0) return -errno;
  if (!non_blocking) return 0;
  const int of_file = ::fcntl(fd, F_GETFL);
  if (of_file < 0 || ::fcntl(fd, F_SETFL, of_file | O_NONBLOCK) < 0) return -errno;
  return 0;
}

int RealKernel::set_mode(int fd, uint32_t mode) { return ::fchmod(fd, mode) == 0 ? 0 : -errno; }

int RealKernel::file_status(const std::string& path, FileStatus& status) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return -errno;
  status = {.device = found.st_dev,
            .inode = found.st_ino,
            .mode = found.st_mode & 07777u,
            .is_socket = S_ISSOCK(found.st_mode)};
  return 0;
}

int RealKernel::remove_file(const std::string& path) {
  return ::unlink(path.c_str()) == 0 ? 0 : -errno;
}

int RealKernel::set_file_mode(const std::string& path, uint32_t mode) {
  return ::fchmodat(AT_FDCWD, path.c_str(), mode, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

int RealKernel::set_file_owner(const std::string& path, uint32_t user, uint32_t group) {
  return ::lchown(path.c_str(), user, group) == 0 ? 0 : -errno;
}

int64_t RealKernel::user_id(const std::string& name) {
  passwd entry{};
  std::vector<char> memory;
  const int result = look_up(::getpwnam_r, name, entry, memory);
  return result == 0 ? int64_t{entry.pw_uid} : result;
}

int64_t RealKernel::group_id(const std::string& name) {
  group entry{};
  std::vector<char> memory;
  const int result = look_up(::getgrnam_r, name, entry, memory);
  return result == 0 ? int64_t{entry.gr_gid} : result;
}

std::string RealKernel::environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

int RealKernel::process_id() { return ::getpid(); }

}}  // namespace trireme

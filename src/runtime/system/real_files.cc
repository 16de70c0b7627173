// What RealKernel does with files, inherited descriptors, names of users and the environment.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
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

int RealKernel::open_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  return fd >= 0 ? fd : -errno;
}

int RealKernel::file_facts(int fd, FileFacts& facts) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return -errno;
  facts = {.bytes = static_cast<uint64_t>(found.st_size),
           .modified_ns = int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec,
           .device = found.st_dev,
           .inode = found.st_ino,
           .is_regular = S_ISREG(found.st_mode),
           .is_folder = S_ISDIR(found.st_mode)};
  return 0;
}

ssize_t RealKernel::read_file(int fd, uint64_t offset, std::span<const iovec> into, bool may_wait) {
  const ssize_t result = ::preadv2(fd, into.data(), static_cast<int>(into.size()),
                                   static_cast<off_t>(offset), may_wait ? 0 : RWF_NOWAIT);
  return result >= 0 ? result : -errno;
}

ssize_t RealKernel::send_file(int socket, int fd, uint64_t offset, size_t bytes) {
  auto from = static_cast<off_t>(offset);
  const ssize_t result = ::sendfile(socket, fd, &from, bytes);
  return result >= 0 ? result : -errno;
}

std::string RealKernel::environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

int RealKernel::process_id() { return ::getpid(); }

}}  // namespace trireme

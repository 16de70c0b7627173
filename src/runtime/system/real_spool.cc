// Temporary files without a name.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "runtime/system/real_kernel.h"

namespace trireme { inline namespace v0 {

// Where the file system knows no such files, one with a name loses it at once.
int RealKernel::open_spool(const char* directory, bool& is_in_memory) {
  int fd = ::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    std::string path = std::string(directory) + "/trireme-XXXXXX";
    fd = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd >= 0) ::unlink(path.c_str());
  }
  if (fd < 0) return -errno;
  struct statfs facts {};
  is_in_memory =
      ::fstatfs(fd, &facts) == 0 && (facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC);
  return fd;
}

ssize_t RealKernel::write_at(int fd, std::string_view bytes, uint64_t offset) {
  const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  return count < 0 ? -errno : count;
}

}}  // namespace trireme

#include "handling/spool_file.h"

#include <cerrno>

namespace trireme { inline namespace v0 {

SpoolFile::~SpoolFile() {
  context_.spool_bytes.fetch_sub(counted_, std::memory_order_relaxed);
  if (fd_ < 0) return;
  context_.platform.kernel.close(fd_);
  context_.spool_closed.add();
}

int SpoolFile::open() {
  bool is_in_memory = false;
  const std::string& directory = context_.options.spool_directory;
  fd_ = context_.platform.kernel.open_spool(directory.empty() ? "/var/tmp" : directory.c_str(),
                                            is_in_memory);
  if (fd_ < 0) return fd_;
  context_.spool_opened.add();
  if (is_in_memory && !context_.spool_warned.exchange(true, std::memory_order_relaxed)) {
    context_.log.warning("the folder for long bodies, '" + directory +
                         "', is in memory (tmpfs): see spool_directory");
  }
  return 0;
}

int SpoolFile::append(std::string_view bytes) {
  if (fd_ < 0) {
    const int error = open();
    if (error != 0) return error;
  }
  counted_ += bytes.size();
  const uint64_t all = context_.spool_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
  if (all + bytes.size() > context_.options.spool_bytes_max) return -EDQUOT;
  while (!bytes.empty()) {
    const ssize_t written = context_.platform.kernel.write_at(fd_, bytes, bytes_);
    if (written == -EINTR) continue;
    if (written <= 0) return written == 0 ? -EIO : static_cast<int>(written);
    bytes_ += static_cast<uint64_t>(written);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

ssize_t SpoolFile::read(std::span<char> into, uint64_t offset) {
  const iovec piece{into.data(), into.size()};
  ssize_t count = -EINTR;
  while (count == -EINTR)
    count = context_.platform.kernel.read_file(fd_, offset, {&piece, 1}, true);
  return count;
}

}}  // namespace trireme

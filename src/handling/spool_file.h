// The file that a long body is gathered in. It has no name, and is gone with its descriptor.
//
// Step 4. Threads: one at a time; the job that writes, then the handler that reads. Bounded:
// spool_bytes_max bytes of all files of a server, which are counted with it (ServerContext).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class SpoolFile {
 public:
  explicit SpoolFile(ServerContext& context) : context_(context) {}
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  // A thread that may block. Writes behind what is there. 0, or -errno: -EDQUOT if all files
  // together would be too large; -ENOSYS if there can be none here.
  int append(std::string_view bytes);
  // Likewise. As pread(2).
  ssize_t read(std::span<char> into, uint64_t offset);
  uint64_t bytes() const { return bytes_; }

 private:
  int open();

  ServerContext& context_;
  int fd_ = -1;
  uint64_t bytes_ = 0;    // that were written
  uint64_t counted_ = 0;  // in the server's sum
};

}}  // namespace trireme

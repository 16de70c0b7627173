// Step 5, reply: files, and parts of them, as what goes out.
//
// Thread: any; values.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace trireme { inline namespace v0 {

class Kernel;
namespace detail {
class OpenFile;
}

// A regular file that is open for reading. A copy of the value is the same file; the last one
// closes it. In a simulated world it is one of World::put_file, and must not outlive the world.
class File {
 public:
  File() = default;  // none

  // Any thread. Blocks as the file system does, so it belongs into handlers; loop code must not
  // call it. What is no regular file is refused with std::errc::invalid_argument, a folder with
  // is_a_directory. `into` is left as it was where the result is an error.
  [[nodiscard]] static std::error_code open(const std::string& path, File& into);
  // Any thread. The same for a descriptor that the caller has opened, which belongs to the file
  // from now on; it is closed where the result is an error. Not in a simulated world.
  [[nodiscard]] static std::error_code adopt(int descriptor, File& into);

  // Any thread. Whether there is one; its size, its time and its place when it was opened.
  explicit operator bool() const { return open_ != nullptr; }
  uint64_t size() const;
  std::chrono::system_clock::time_point modified() const;
  uint64_t device() const;
  uint64_t inode() const;

  // Any thread. For the server. -1: there is none.
  int descriptor() const;

 private:
  static std::error_code take(Kernel& kernel, int descriptor, File& into);

  std::shared_ptr<const detail::OpenFile> open_;  // owners: the copies of this value
};

// A part of a file, to be answered with. Beyond the size that it had when it was opened there is
// nothing. If the file has become shorter by the time when the part is sent, its connection is
// reset with CloseReason::kFileCut: a client that has begun to read must not take it for the whole.
struct FileRange {
  File file{};
  uint64_t offset = 0;
  uint64_t bytes = UINT64_MAX;  // at most

  // Any thread. The same without what is beyond the end.
  FileRange clamped() && {
    const uint64_t size = file.size();
    offset = std::min(offset, size);
    bytes = std::min(bytes, size - offset);
    return std::move(*this);
  }
};

}}  // namespace trireme

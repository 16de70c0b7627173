// A folder that no path leads out of.
//
// Step 4, handling. Thread: the handler's; it may block as the file system does.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace trireme { inline namespace v0 { namespace http {

// Owns a descriptor.
class OpenDescriptor {
 public:
  OpenDescriptor() = default;
  explicit OpenDescriptor(int descriptor) : descriptor_(descriptor) {}
  OpenDescriptor(OpenDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  OpenDescriptor& operator=(OpenDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  OpenDescriptor(const OpenDescriptor&) = delete;
  OpenDescriptor& operator=(const OpenDescriptor&) = delete;
  ~OpenDescriptor();

  explicit operator bool() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
};

class RootFolder {
 public:
  // Throws std::system_error: it is no folder, or may not be read.
  RootFolder(const std::string& path, bool follows_links);

  // What `path` names, for reading, and its facts; `path`: names between slashes, relative, "" for
  // the folder itself. 0, or the error number: of a link too that is not followed, or leads out.
  int open(const std::string& path, OpenDescriptor& into, struct stat& facts) const;

  struct Name {
    std::string text{};
    bool is_folder = false;
  };
  // The names in an open folder, sorted, at most `count_max`; "." and ".." are left out.
  static std::vector<Name> names_of(OpenDescriptor folder, size_t count_max);

 private:
  // The error number, or 0. `walks`: segment by segment, for kernels without openat2.
  int open_below(const std::string& path, OpenDescriptor& into) const;
  int walk(const std::string& path, OpenDescriptor& into) const;

  OpenDescriptor root_;
  bool follows_links_;
};

}}}  // namespace trireme::http

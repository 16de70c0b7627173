// Files that were opened within the last second, by their paths: a file that many want is opened
// and looked up once.
//
// Step 4, handling. Thread: any; nothing is done under the lock but to look. Bounded: kFilesMax
// descriptors, kTimeMax.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "http/files/root_folder.h"
#include "trireme/file.h"

namespace trireme { inline namespace v0 { namespace http {

// What a path names.
struct FoundFile {
  enum class Kind : uint8_t { kFile, kFolder, kMissing, kForbidden };

  Kind kind = Kind::kMissing;
  File file{};  // kFile
  uint64_t bytes = 0;
  int64_t modified = 0;  // seconds since 1970
  std::string tag{};     // of an entity tag, without quotes
};

class OpenFiles {
 public:
  static constexpr size_t kFilesMax = 256;
  static constexpr std::chrono::milliseconds kTimeMax{1000};

  explicit OpenFiles(const RootFolder& root) : root_(root) {}

  // May block as the file system does.
  std::shared_ptr<const FoundFile> find(const std::string& path);

 private:
  using Clock = std::chrono::steady_clock;

  struct Entry {
    std::shared_ptr<const FoundFile> found{};
    Clock::time_point until{};
  };

  std::shared_ptr<const FoundFile> look(const std::string& path) const;
  void make_room(Clock::time_point now);

  const RootFolder& root_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}}}  // namespace trireme::http

#include "http/files/open_files.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace trireme { inline namespace v0 { namespace http {

std::shared_ptr<const FoundFile> OpenFiles::find(const std::string& path) {
  {
    const Clock::time_point now = Clock::now();
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(path);
    if (at != entries_.end() && now < at->second.until) return at->second.found;
  }
  auto found = look(path);
  const Clock::time_point now = Clock::now();
  std::shared_ptr<const FoundFile> before;  // its descriptor is closed outside of the lock
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kFilesMax) make_room(now);
  Entry& entry = entries_[path];
  before = std::exchange(entry.found, found);
  entry.until = now + kTimeMax;
  return found;
}

// What is over goes; if nothing is, everything: descriptors are few, and to open is cheap.
void OpenFiles::make_room(Clock::time_point now) {
  const size_t before = entries_.size();
  std::erase_if(entries_, [now](const auto& each) { return each.second.until <= now; });
  if (entries_.size() == before) entries_.clear();
}

std::shared_ptr<const FoundFile> OpenFiles::look(const std::string& path) const {
  auto found = std::make_shared<FoundFile>();
  struct stat facts {};
  OpenDescriptor opened;
  const int error = root_.open(path, opened, facts);
  if (error != 0) {
    const bool is_forbidden = error == EACCES || error == EPERM || error == ELOOP ||
                              error == EXDEV || error == EMFILE || error == ENFILE;
    found->kind = is_forbidden ? FoundFile::Kind::kForbidden : FoundFile::Kind::kMissing;
    return found;
  }
  if (S_ISDIR(facts.st_mode)) {
    found->kind = FoundFile::Kind::kFolder;
    return found;
  }
  if (!S_ISREG(facts.st_mode)) {
    found->kind = FoundFile::Kind::kForbidden;
    return found;
  }
  if (File::adopt(opened.release(), found->file)) {
    found->kind = FoundFile::Kind::kForbidden;
    return found;
  }
  found->kind = FoundFile::Kind::kFile;
  found->bytes = found->file.size();
  found->modified = facts.st_mtim.tv_sec;
  std::array<char, 64> tag{};
  std::snprintf(tag.data(), tag.size(), "%llx-%lx-%llx",
                static_cast<unsigned long long>(facts.st_mtim.tv_sec),
                static_cast<unsigned long>(facts.st_mtim.tv_nsec),
                static_cast<unsigned long long>(facts.st_size));
  found->tag = tag.data();
  return found;
}

}}}  // namespace trireme::http

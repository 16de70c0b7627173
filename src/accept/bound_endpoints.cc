#include "accept/bound_endpoints.h"

#include <cstring>
#include <utility>

namespace trireme { inline namespace v0 {

void BoundEndpoints::add(uint32_t listener, Bound bound) {
  for (std::string& url : bound.urls) urls_.push_back(std::move(url));
  if (!bound.file) return;
  MutexLock lock(mutex_);
  files_.push_back({listener, std::move(*bound.file)});
}

void BoundEndpoints::remove_files(Kernel& kernel, const Log& log,
                                  std::optional<uint32_t> listener) {
  std::vector<OwnFile> kept, removed;
  {
    MutexLock lock(mutex_);
    for (OwnFile& own : files_) {
      const bool goes = !listener || own.listener == *listener;
      (goes ? removed : kept).push_back(std::move(own));
    }
    files_.swap(kept);
  }
  for (const OwnFile& own : removed) {
    const int error = -remove_file(kernel, own.file);
    if (error != 0) log.warning("cannot remove '" + own.file.path + "': " + std::strerror(error));
  }
}

}}  // namespace trireme

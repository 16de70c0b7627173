// Step 1: what a server has bound: its real URLs, and the files of its unix sockets.
//
// Threads: before start() it is filled; from then on any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "accept/bind.h"
#include "runtime/log.h"
#include "runtime/threads/mutex.h"

namespace trireme { inline namespace v0 {

class BoundEndpoints {
 public:
  // Before start(). Of the listener with this index; in the order of listen().
  void add(uint32_t listener, Bound bound);
  // Any thread, after start().
  const std::vector<std::string>& urls() const { return urls_; }
  // Any thread. The files of one listener or of all, before their sockets close (socket_file.h). A
  // file that cannot be removed is told of.
  void remove_files(Kernel& kernel, const Log& log, std::optional<uint32_t> listener = {});

 private:
  struct OwnFile {
    uint32_t listener;
    SocketFile file;
  };
  std::vector<std::string> urls_;
  Mutex mutex_;
  std::vector<OwnFile> files_ GUARDED_BY(mutex_);
};

}}  // namespace trireme

// A simulated file: bytes that the machine has under a path, and descriptors of them.
//
// Step: none, test support. Thread: any fiber of the world; no call contains a scheduling point.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sim/pollable.h"

namespace trireme { inline namespace v0 { namespace sim {

// Owners: its path, and its descriptors.
struct FileContent {
  std::string bytes;
  uint64_t inode = 0;
};

// An open one. It can always be read, as poll(2) says.
class File final : public Pollable {
 public:
  explicit File(std::shared_ptr<FileContent> content) : content_(std::move(content)) {}

  const FileContent& content() const { return *content_; }
  // What there is from `offset` on, at most so many bytes.
  std::string_view part(uint64_t offset, size_t bytes) const {
    const std::string_view all = content_->bytes;
    return offset < all.size() ? all.substr(offset, bytes) : std::string_view();
  }
  uint32_t poll() override { return EPOLLIN | EPOLLOUT; }
  void close_descriptor() override {}

 private:
  const std::shared_ptr<FileContent> content_;
};

}}}  // namespace trireme::sim

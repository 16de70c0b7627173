#include "handling/gathered_body.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "handling/job.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

bool GatheredBody::put(std::string_view part) {
  if (is_abandoned_ || part.empty()) return true;
  if (!context_.buffers.charge(part.size())) return false;
  charged_ += part.size();
  return with_memory([&] { bytes_.append(part); });
}

bool GatheredBody::written() {
  is_writing_ = false;
  if (result_ == -ENOSYS && with_memory([&] { bytes_.insert(0, chunk_); })) {
    may_spool_ = false;  // there are no files here
    result_ = 0;
  } else {
    charged_ -= chunk_.size();
    context_.buffers.discharge(chunk_.size());
  }
  chunk_.clear();
  return result_ == 0;
}

// What its job has, that has until it is home.
bool GatheredBody::abandon(bool /*was_started*/) {
  is_abandoned_ = true;
  context_.buffers.discharge(bytes_.size());
  charged_ -= bytes_.size();
  std::string().swap(bytes_);
  return false;
}

size_t GatheredBody::read(std::span<char> into) {
  if (into.empty()) return 0;
  const uint64_t in_file = file_.bytes();
  if (read_ < in_file) {
    // A disk may be slow.
    Outbox* const outbox = Outbox::current();
    if (outbox != nullptr) static_cast<Job*>(outbox->owner)->loan.give_away();
    const uint64_t left = in_file - read_;
    const ssize_t count = file_.read(into.first(std::min<uint64_t>(into.size(), left)), read_);
    if (count <= 0) {
      failure_ = BodyFailure::kDisk;
      return 0;
    }
    read_ += static_cast<uint64_t>(count);
    return static_cast<size_t>(count);
  }
  const size_t begin = static_cast<size_t>(read_ - in_file);
  const size_t count = std::min(into.size(), bytes_.size() - begin);
  std::memcpy(into.data(), bytes_.data() + begin, count);
  read_ += count;
  return count;
}

}}  // namespace trireme

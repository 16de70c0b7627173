#include "handling/gathered_body.h"

#include <algorithm>
#include <cstring>

#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

bool GatheredBody::put(std::string_view part) {
  if (is_abandoned_ || part.empty()) return true;
  if (!context_.buffers.charge(part.size())) return false;
  charged_ += part.size();
  return with_memory([&] { bytes_.append(part); });
}

bool GatheredBody::abandon(bool /*was_started*/) {
  is_abandoned_ = true;
  context_.buffers.discharge(charged_);
  charged_ = 0;
  std::string().swap(bytes_);
  return false;
}

size_t GatheredBody::read(std::span<char> into) {
  const size_t count = std::min(into.size(), bytes_.size() - read_);
  std::memcpy(into.data(), bytes_.data() + read_, count);
  read_ += count;
  return count;
}

}}  // namespace trireme

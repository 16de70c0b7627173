#include "connection/write_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/check.h"

namespace trireme::inline v0 {

bool WriteQueue::append(Buffers& budget, std::span<const char> bytes) {
  if (chunks_.size() > first_ && chunks_.back().block) {
    Chunk& last = chunks_.back();
    const size_t room = std::min(bytes.size(), last.block.capacity() - last.end);
    std::memcpy(last.block.data() + last.end, bytes.data(), room);
    last.end += room;
    bytes_ += room;
    bytes = bytes.subspan(room);
  }
  if (bytes.empty()) return true;
  Block block = budget.make(std::max(kBlockBytes, bytes.size()));
  if (!block) return false;
  std::memcpy(block.data(), bytes.data(), bytes.size());
  bytes_ += bytes.size();
  Chunk chunk;
  chunk.block = std::move(block);
  chunk.end = bytes.size();
  chunks_.push_back(std::move(chunk));
  return true;
}

void WriteQueue::append(ChargedBytes bytes, size_t skip, bool latest) {
  const size_t size = bytes.bytes().size();
  CHECK(skip <= size, "more bytes have left than there were");
  if (skip == size) return;
  bytes_ += size - skip;
  Chunk chunk;
  chunk.owned = std::move(bytes);
  chunk.begin = skip;
  chunk.end = size;
  chunk.latest = latest;
  chunks_.push_back(std::move(chunk));
}

bool WriteQueue::prepend(Buffers& budget, std::span<const char> bytes) {
  if (bytes.empty()) return true;
  Chunk chunk;
  chunk.block = budget.make(std::max(kBlockBytes, bytes.size()));
  if (!chunk.block) return false;
  std::memcpy(chunk.block.data(), bytes.data(), bytes.size());
  chunk.end = bytes.size();
  bytes_ += bytes.size();
  chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(first_), std::move(chunk));
  return true;
}

void WriteQueue::drop_latest() {
  std::erase_if(chunks_, [this](const Chunk& chunk) {
    const bool drop = chunk.latest && chunk.begin == 0 && &chunk >= &chunks_[first_];
    if (drop) bytes_ -= chunk.end;
    return drop;
  });
}

void WriteQueue::clear() {
  std::vector<Chunk>().swap(chunks_);  // an idle connection holds no buffer
  first_ = 0;
  bytes_ = 0;
}

size_t WriteQueue::front(std::span<iovec> pieces) const {
  size_t count = 0;
  for (size_t i = first_; i < chunks_.size() && count < pieces.size(); ++i) {
    const Chunk& chunk = chunks_[i];
    pieces[count++] = {const_cast<char*>(chunk.data()) + chunk.begin, chunk.end - chunk.begin};
  }
  return count;
}

void WriteQueue::pop(size_t bytes) {
  CHECK(bytes <= bytes_, "more bytes have left than there were");
  bytes_ -= bytes;
  while (bytes > 0) {
    Chunk& chunk = chunks_[first_];
    const size_t gone = std::min(bytes, chunk.end - chunk.begin);
    chunk.begin += gone;
    bytes -= gone;
    if (chunk.begin < chunk.end) break;
    chunk = Chunk();
    ++first_;
  }
  if (bytes_ == 0) return clear();
  if (first_ >= 32 && first_ * 2 > chunks_.size()) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

}  // namespace trireme

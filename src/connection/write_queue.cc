#include "connection/write_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

WriteQueue::State& WriteQueue::state() {
  if (state_ == nullptr) state_ = std::make_unique<State>();
  return *state_;
}

bool WriteQueue::append(Buffers& budget, std::span<const char> bytes) {
  if (state_ != nullptr && state_->chunks.size() > state_->first && state_->chunks.back().block) {
    Chunk& last = state_->chunks.back();
    const size_t room = std::min(bytes.size(), last.block.capacity() - last.end);
    std::memcpy(last.block.data() + last.end, bytes.data(), room);
    last.end += room;
    state_->bytes += room;
    bytes = bytes.subspan(room);
  }
  if (bytes.empty()) return true;
  Block block = budget.make(std::max(kBlockBytes, bytes.size()));
  if (!block) return false;
  std::memcpy(block.data(), bytes.data(), bytes.size());
  Chunk chunk;
  chunk.block = std::move(block);
  chunk.end = bytes.size();
  if (!with_memory([&] { state().chunks.push_back(std::move(chunk)); })) return false;
  state_->bytes += bytes.size();
  return true;
}

bool WriteQueue::append(ChargedBytes bytes, size_t skip, Drop drop) {
  const size_t size = bytes.text().size();
  CHECK(skip <= size, "more bytes have left than there were");
  if (skip == size) return true;
  Chunk chunk;
  chunk.owned = std::move(bytes);
  chunk.begin = skip;
  chunk.end = size;
  chunk.drop = drop;
  if (!with_memory([&] { state().chunks.push_back(std::move(chunk)); })) return false;
  state_->bytes += size - skip;
  return true;
}

bool WriteQueue::append_push(Buffers& budget, ChargedBytes bytes) {
  const std::string_view text = bytes.text();
  if (text.empty()) return true;
  const auto has_room = [&] {
    if (state_ == nullptr || state_->chunks.size() == state_->first) return false;
    const Chunk& last = state_->chunks.back();
    return last.block && last.block.capacity() - last.end >= text.size();
  };
  if (text.size() <= kSmallPush && !has_room()) {
    Chunk chunk;
    chunk.block = budget.make(kPushBlockBytes);
    const bool is_made = static_cast<bool>(chunk.block);
    if (is_made && !with_memory([&] { state().chunks.push_back(std::move(chunk)); })) return false;
  }
  if (text.size() > kSmallPush || !has_room()) return append(std::move(bytes), 0, Drop::kNever);
  Chunk& last = state_->chunks.back();
  std::memcpy(last.block.data() + last.end, text.data(), text.size());
  last.end += text.size();
  state_->bytes += text.size();
  return true;
}

bool WriteQueue::append(const FileRange& range) {
  if (range.bytes == 0) return true;
  Chunk chunk;
  chunk.file = range.file;
  chunk.begin = range.offset;
  chunk.end = range.offset + range.bytes;
  if (!with_memory([&] { state().chunks.push_back(std::move(chunk)); })) return false;
  state_->bytes += range.bytes;
  return true;
}

FileRange WriteQueue::file_in_front() const {
  CHECK(has_file_in_front(), "no file is in front of the queue");
  const Chunk& chunk = state_->chunks[state_->first];
  return {.file = chunk.file, .offset = chunk.begin, .bytes = chunk.end - chunk.begin};
}

bool WriteQueue::replace_in_front(Block block, size_t bytes) {
  CHECK(has_file_in_front(), "no file is in front of the queue");
  std::vector<Chunk>& chunks = state_->chunks;
  Chunk& file = chunks[state_->first];
  CHECK(bytes <= file.end - file.begin, "more was read than there is");
  Chunk chunk;
  chunk.block = std::move(block);
  chunk.end = bytes;
  file.begin += bytes;
  if (file.begin == file.end) {
    file = std::move(chunk);
    return true;
  }
  const auto place = chunks.begin() + static_cast<std::ptrdiff_t>(state_->first);
  return with_memory([&] { chunks.insert(place, std::move(chunk)); });
}

bool WriteQueue::prepend(Buffers& budget, std::span<const char> bytes) {
  if (bytes.empty()) return true;
  Chunk chunk;
  chunk.block = budget.make(std::max(kBlockBytes, bytes.size()));
  if (!chunk.block) return false;
  std::memcpy(chunk.block.data(), bytes.data(), bytes.size());
  chunk.end = bytes.size();
  const auto insert = [&] {
    std::vector<Chunk>& chunks = state().chunks;
    chunks.insert(chunks.begin() + static_cast<std::ptrdiff_t>(state_->first), std::move(chunk));
  };
  if (!with_memory(insert)) return false;
  state_->bytes += bytes.size();
  return true;
}

void WriteQueue::drop_latest() {
  if (state_ == nullptr) return;
  State& state = *state_;
  bool drops = false;
  std::erase_if(state.chunks, [&state, &drops](const Chunk& chunk) {
    if (&chunk < &state.chunks[state.first]) return false;  // it has left
    drops = chunk.drop == Drop::kAsLatest ? chunk.begin == 0
                                          : drops && chunk.drop == Drop::kWithPrevious;
    if (drops) state.bytes -= chunk.end - chunk.begin;
    return drops;
  });
}

void WriteQueue::clear() { state_.reset(); }

size_t WriteQueue::front(std::span<iovec> pieces) const {
  if (state_ == nullptr) return 0;
  size_t count = 0;
  for (size_t i = state_->first; i < state_->chunks.size() && count < pieces.size(); ++i) {
    const Chunk& chunk = state_->chunks[i];
    if (chunk.file) break;
    pieces[count++] = {const_cast<char*>(chunk.data()) + chunk.begin, chunk.end - chunk.begin};
  }
  return count;
}

void WriteQueue::pop(size_t bytes) {
  CHECK(bytes <= this->bytes(), "more bytes have left than there were");
  if (bytes == 0) return;
  State& state = *state_;
  state.bytes -= bytes;
  while (bytes > 0) {
    Chunk& chunk = state.chunks[state.first];
    const size_t gone = std::min(bytes, chunk.end - chunk.begin);
    chunk.begin += gone;
    bytes -= gone;
    if (chunk.begin < chunk.end) break;
    chunk = Chunk();
    ++state.first;
  }
  if (state.bytes == 0) return clear();
  if (state.first >= 32 && state.first * 2 > state.chunks.size()) {
    state.chunks.erase(state.chunks.begin(),
                       state.chunks.begin() + static_cast<std::ptrdiff_t>(state.first));
    state.first = 0;
  }
}

void WriteQueue::set_retry_at(TimePoint time) {
  if (time == kNever && empty()) return clear();
  state().retry_at = time;
}

}}  // namespace trireme

#include "connection/input_buffer.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace trireme { inline namespace v0 {

bool InputBuffer::append(InputBlocks& blocks, std::string_view more) {
  const size_t have = bytes();
  if (block_ == nullptr || block_->capacity() - end_ < more.size()) {
    const bool may_move = block_ != nullptr && block_.use_count() == 1;
    if (may_move && block_->capacity() >= have + more.size()) {
      std::memmove(block_->data(), block_->data() + begin_, have);
    } else {
      const size_t wanted = std::max(InputBlocks::kBytesMin, std::bit_ceil(have + more.size()));
      std::shared_ptr<Block> larger = blocks.make(wanted);
      if (larger == nullptr) return false;
      if (have > 0) std::memcpy(larger->data(), block_->data() + begin_, have);
      block_ = std::move(larger);
    }
    begin_ = 0;
    end_ = static_cast<uint32_t>(have);
  }
  std::memcpy(block_->data() + end_, more.data(), more.size());
  end_ += static_cast<uint32_t>(more.size());
  return true;
}

bool InputBuffer::unconsume(std::string_view bytes) {
  if (block_ == nullptr || bytes.data() + bytes.size() != block_->data() + begin_) return false;
  begin_ -= static_cast<uint32_t>(bytes.size());
  return true;
}

bool InputBuffer::put_in_front(InputBlocks& blocks, std::string_view front, std::string_view rest) {
  std::shared_ptr<Block> joined = blocks.make(front.size() + rest.size());
  if (joined == nullptr) return false;
  std::memcpy(joined->data(), front.data(), front.size());
  if (!rest.empty()) std::memcpy(joined->data() + front.size(), rest.data(), rest.size());
  begin_ = 0;
  end_ = static_cast<uint32_t>(front.size() + rest.size());
  block_ = std::move(joined);
  return true;
}

void InputBuffer::share(std::shared_ptr<Block> block, std::string_view bytes) {
  CHECK(block_ == nullptr, "input of two connections in one buffer");
  begin_ = static_cast<uint32_t>(bytes.data() - block->data());
  end_ = begin_ + static_cast<uint32_t>(bytes.size());
  block_ = std::move(block);
}

}}  // namespace trireme

// Step 5, reply: bytes that many connections are sent and nobody copies.
//
// Thread: any; values.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace trireme { inline namespace v0 {

class Buffers;

namespace detail {

// Once made, its bytes never change.
struct SharedBlock {
  explicit SharedBlock(std::string given) : bytes(std::move(given)) {}

  const std::string bytes;
  // For the server: the first budget that was charged for them, and how often they wait there to be
  // sent. Relaxed: counts, they publish nothing.
  mutable std::atomic<Buffers*> budget{nullptr};
  mutable std::atomic<uint32_t> uses{0};
};

}  // namespace detail

// One encoding for all subscribers: bytes that are immutable and counted. A copy of the value is
// the same bytes. A connection whose socket is full keeps a reference, so a server charges them to
// its byte budget once, however many clients wait for them.
//
//   const trireme::SharedBytes news(encode(event));
//   for (const trireme::Peer& peer : subscribers) peer.send(news);
//
// As an answer they go out as a string does, in the codec's envelope.
class SharedBytes {
 public:
  SharedBytes() = default;
  // Any thread. Moves `bytes` in: the only copy that there is. Throws std::bad_alloc.
  explicit SharedBytes(std::string bytes)
      : block_(std::make_shared<const detail::SharedBlock>(std::move(bytes))) {}

  // Any thread. Borrowed from all copies of this value.
  std::string_view view() const {
    return block_ == nullptr ? std::string_view() : std::string_view(block_->bytes);
  }
  size_t size() const { return view().size(); }
  bool empty() const { return view().empty(); }

  // Any thread. For the server. Null: there are no bytes.
  const detail::SharedBlock* block() const { return block_.get(); }

 private:
  std::shared_ptr<const detail::SharedBlock> block_;  // owners: the copies of this value
};

}}  // namespace trireme

// Step 5, reply: bytes on their way to clients: those that many connections are sent and nobody
// copies, and whatever a streamed reply is made of.
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

#include "trireme/file.h"

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

// A piece of a streamed reply (reply_stream.h): a string, which is moved in; a view, which is
// copied; shared bytes; or a part of a file. A value that moves and does not copy.
class Bytes {
 public:
  Bytes(std::string bytes) : own_(std::move(bytes)) {}     // NOLINT: conversions are the point
  Bytes(std::string_view bytes) : own_(bytes) {}           // NOLINT
  Bytes(const char* text) : own_(text) {}                  // NOLINT
  Bytes(SharedBytes bytes) : shared_(std::move(bytes)) {}  // NOLINT
  Bytes(FileRange range) : file_(std::move(range).clamped()) {}           // NOLINT
  Bytes(File file) : Bytes(FileRange{std::move(file), 0, UINT64_MAX}) {}  // NOLINT
  Bytes(Bytes&&) noexcept = default;
  Bytes& operator=(Bytes&&) noexcept = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  // Any thread. How many, wherever they are. What was given, for the server: what is not there is
  // empty.
  uint64_t size() const { return file_.file ? file_.bytes : shared_.size() + own_.size(); }
  const FileRange& file() const { return file_; }
  const SharedBytes& shared() const { return shared_; }
  std::string take_own() && { return std::move(own_); }

 private:
  std::string own_{};
  SharedBytes shared_{};
  FileRange file_{};
};

}}  // namespace trireme

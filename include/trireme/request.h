// Step 4, handling: what a handler gets.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "trireme/peer.h"

namespace trireme { inline namespace v0 {

// Why a request is no longer wanted.
enum class CancelReason : uint8_t { kNone = 0, kPeerGone, kDeadline, kDrain };

// Asks whether the answer is still wanted. Borrowed with the request it came from.
class Cancellation {
 public:
  explicit Cancellation(const std::atomic<uint8_t>& reason) : reason_(reason) {}

  // The handler's thread. True once the client is gone, the handler's deadline is over or the
  // server drains.
  bool stop_requested() const { return reason() != CancelReason::kNone; }
  CancelReason reason() const {
    return static_cast<CancelReason>(reason_.load(std::memory_order_relaxed));
  }

 private:
  const std::atomic<uint8_t>& reason_;  // relaxed: a hint, it publishes nothing
};

// One request. The object and its bytes are borrowed until the handler returns; `own()` makes a
// copy that lasts.
class Request {
 public:
  Request(std::string_view bytes, uint32_t kind, ConnectionId id, detail::ServerContext* context,
          const std::atomic<uint8_t>& cancelled)
      : bytes_(bytes), context_(context), id_(id), kind_(kind), cancelled_(cancelled) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  std::string_view text() const { return bytes_; }
  std::span<const char> bytes() const { return bytes_; }
  std::string own() const { return std::string(bytes_); }  // a copy that outlives the call

  Cancellation cancelled() const { return Cancellation(cancelled_); }
  Peer peer() const {
    return Peer(id_, detail::ContextRef(context_));
  }  // costs one atomic increment
  ConnectionId connection() const { return id_; }
  uint32_t kind() const { return kind_; }  // the codec's tag

 private:
  std::string_view bytes_;
  detail::ServerContext* context_;
  ConnectionId id_;
  uint32_t kind_;
  const std::atomic<uint8_t>& cancelled_;
};

}}  // namespace trireme

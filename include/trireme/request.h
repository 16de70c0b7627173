// Step 4, handling: what a handler gets.
//
// Thread: any, as long as the handler has not returned.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>

#include "trireme/borrowed.h"
#include "trireme/peer.h"
#include "trireme/request_view.h"

namespace trireme { inline namespace v0 {

// Why a request is no longer wanted: the connection is gone (not merely ended by the client, which
// still reads), the deadline of its listener is over, or the server drains.
enum class CancelReason : uint8_t { kNone = 0, kPeerGone, kDeadline, kDrain };

namespace detail {

// What stands beside a request while its handler runs, in memory of the server.
struct RequestState {
  std::atomic<uint8_t> cancelled{0};  // CancelReason. Relaxed: a hint, it publishes nothing
  const RequestView* view = nullptr;  // null: its decoder has made none
};

}  // namespace detail

// Whether the answer is still wanted. Borrowed with the request it came from.
class Cancellation {
 public:
  explicit Cancellation(const std::atomic<uint8_t>& reason) : reason_(reason) {}

  // Any thread. A hint to look at between two steps that block; kNone while the answer is wanted.
  bool stop_requested() const { return reason() != CancelReason::kNone; }
  CancelReason reason() const {
    return static_cast<CancelReason>(reason_.load(std::memory_order_relaxed));
  }

 private:
  const std::atomic<uint8_t>& reason_;  // relaxed: a hint, it publishes nothing
};

// One request. The handler borrows the object and its bytes until it returns; own() makes a copy
// that lasts.
class Request {
 public:
  // Any thread. For the server.
  Request(std::string_view bytes, uint32_t kind, ConnectionId id, detail::ServerContext* context,
          const detail::RequestState& state)
      : bytes_(bytes), context_(context), id_(id), kind_(kind), state_(state) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // Any thread. What the codec has taken out of its frame: twice as a view, once as a copy.
  RequestText text() const { return RequestText(bytes_); }
  std::span<const char> bytes() const { return bytes_; }
  std::string own() const { return std::string(bytes_); }

  // Any thread. What the decoder has understood of it, as T; borrowed as the bytes are. Throws
  // std::bad_cast if that is nothing, or something else. view(): null if there is nothing.
  template <class T>
  const T& as() const {
    const T* const view = dynamic_cast<const T*>(state_.view);
    if (view == nullptr) throw std::bad_cast();
    return *view;
  }
  const RequestView* view() const { return state_.view; }

  // Any thread. Whether the answer is still wanted; the client, which costs one atomic increment
  // and may be kept; its id; the codec's tag of the kind of request.
  Cancellation cancelled() const { return Cancellation(state_.cancelled); }
  Peer peer() const { return Peer(id_, detail::ContextRef(context_)); }
  ConnectionId connection() const { return id_; }
  uint32_t kind() const { return kind_; }

 private:
  std::string_view bytes_;
  detail::ServerContext* context_;
  ConnectionId id_;
  uint32_t kind_;
  const detail::RequestState& state_;
};

}}  // namespace trireme

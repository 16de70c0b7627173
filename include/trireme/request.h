// Step 4, handling: what a handler gets.
//
// Thread: any, as long as the handler has not returned.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <typeinfo>

#include "trireme/body.h"
#include "trireme/borrowed.h"
#include "trireme/detail/stop.h"
#include "trireme/frame.h"
#include "trireme/peer.h"
#include "trireme/request_view.h"

namespace trireme { inline namespace v0 {

// Why a request is no longer wanted: the connection is gone (not merely ended by the client, which
// still reads), the deadline of its listener is over, or the server drains.
enum class CancelReason : uint8_t { kNone = 0, kPeerGone, kDeadline, kDrain };

// Whether the answer is still wanted. Of a request it is live, and borrowed with it; of a Reply it
// is what was so when it was asked.
class Cancellation {
 public:
  explicit Cancellation(const std::atomic<uint8_t>& reason) : live_(&reason) {}
  explicit Cancellation(CancelReason reason) : known_(reason) {}

  // Any thread. A hint to look at between two steps that block; kNone while the answer is wanted.
  bool stop_requested() const { return reason() != CancelReason::kNone; }
  CancelReason reason() const {
    if (live_ == nullptr) return known_;
    return static_cast<CancelReason>(live_->load(std::memory_order_relaxed));
  }

 private:
  const std::atomic<uint8_t>* live_ = nullptr;  // relaxed: a hint, it publishes nothing
  CancelReason known_ = CancelReason::kNone;
};

namespace detail {

// What a decoder has left with a request.
struct LeftWithRequest {
  ReplyTag tag{};
  std::shared_ptr<BodySource> body{};  // owners: the request, and the loop while parts come
};

}  // namespace detail

// One request. The handler borrows the object and its bytes until it returns; own() makes a copy
// that lasts.
class Request {
 public:
  // Any thread. For the server.
  Request(std::string_view bytes, uint32_t kind, ConnectionId id, detail::ServerContext* context,
          CancelSignal& signal, const RequestView* view, const detail::LeftWithRequest& left)
      : bytes_(bytes),
        context_(context),
        id_(id),
        kind_(kind),
        signal_(signal),
        view_(view),
        left_(left) {}
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
    const T* const view = dynamic_cast<const T*>(view_);
    if (view == nullptr) throw std::bad_cast();
    return *view;
  }
  const RequestView* view() const { return view_; }
  // Any thread. The bytes that the decoder has left with it (DecodedFrame::tag); zeros if none.
  const ReplyTag& tag() const { return left_.tag; }
  // Any thread, that of the handler. What follows the bytes of the request, if its codec reads in
  // parts.
  Body body() const { return Body(left_.body.get()); }

  // Any thread. Whether the answer is still wanted; the client, which costs one atomic increment
  // and may be kept; its id; the codec's tag of the kind of request.
  Cancellation cancelled() const;
  Peer peer() const { return Peer(id_, detail::ContextRef(context_)); }
  ConnectionId connection() const { return id_; }
  uint32_t kind() const { return kind_; }

  // Any thread. Until the deadline, `ListenOptions::handler_time_max`; 0 when it has passed,
  // nanoseconds::max() if there is none.
  std::chrono::nanoseconds time_left() const;
  // Any thread. A token that is stopped when the answer is no longer wanted, for
  // std::stop_callback: what it calls may interrupt whoever the handler waits for, such as
  // PQcancel. It is made when it is first asked for; throws std::bad_alloc. Callbacks never run on
  // a thread that holds a loop: a job runs them, beside the handler; or the handler's own thread,
  // if that makes the callback too late, or waits (blocking.h) when the deadline passes. They must
  // not throw. The token lives on with a Reply that is kept, until that is answered.
  std::stop_token stop_token() const {
    bool cancelled = false;
    auto& stop = static_cast<detail::StopSource&>(
        detail::open_stop(signal_, &detail::StopSource::make, cancelled));
    if (cancelled) stop.fire();
    return stop.source.get_token();
  }

 private:
  std::string_view bytes_;
  detail::ServerContext* context_;
  ConnectionId id_;
  uint32_t kind_;
  CancelSignal& signal_;
  const RequestView* view_;
  const detail::LeftWithRequest& left_;
};

}}  // namespace trireme

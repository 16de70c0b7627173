// The other end of a connection, as handlers and sessions see it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "trireme/connection_id.h"

namespace trireme { inline namespace v0 {

namespace detail {

class ServerContext;

// Keeps the part of a server that other threads may touch alive, so that a `Peer` or `Reply` that
// outlives its server is harmless. Copying costs one atomic increment.
class ContextRef {
 public:
  ContextRef() = default;
  explicit ContextRef(ServerContext* context);  // adds a reference
  ContextRef(const ContextRef& other) : ContextRef(other.context_) {}
  ContextRef(ContextRef&& other) noexcept : context_(other.context_) { other.context_ = nullptr; }
  ContextRef& operator=(ContextRef other) noexcept {
    std::swap(context_, other.context_);
    return *this;
  }
  ~ContextRef();

  ServerContext* get() const { return context_; }

 private:
  ServerContext* context_ = nullptr;
};

}  // namespace detail

// What `Peer::send` did.
enum class SendResult : uint8_t {
  kQueued,  // will be sent unless the connection ends first
  kFull,    // nothing was queued: the connection's queue is over its watermark and the policy was
            // kReject; or, under every policy, the byte budget of the server is used up
  kClosed,  // the connection is gone (or this Peer was never connected)
};

// What to do with a push when the connection already holds more than `Limits::write_bytes_high`
// unsent.
enum class Overflow : uint8_t {
  kReject,  // tell the sender: SendResult::kFull
  kClose,   // a client this slow is closed
  kLatest,  // earlier unsent pushes with kLatest are dropped, full or not: the client sees the
            // newest value only
};

// Copyable, usable from any thread, may be stale: every call is safe at any time, never blocks and
// never runs user code. Inside a handler the calls take effect when the handler returns, before its
// reply; elsewhere, and for a connection of another server, at once.
class Peer {
 public:
  Peer() = default;  // connected to nothing: send answers kClosed
  Peer(ConnectionId id, detail::ContextRef context) : id_(id), context_(std::move(context)) {}

  // Any thread. Queues `bytes` as they are, without a codec's envelope. Takes ownership.
  SendResult send(std::string bytes, Overflow overflow = Overflow::kReject) const;
  // Any thread. Closes in good order: no further request is read, those that were are answered,
  // what is queued is sent.
  void close() const;
  // Any thread. False once the connection is gone.
  bool connected() const;
  // Any thread. "127.0.0.1:4711", or empty when the connection is gone.
  std::string address() const;

  ConnectionId id() const { return id_; }

 private:
  ConnectionId id_;
  detail::ContextRef context_;
};

}}  // namespace trireme

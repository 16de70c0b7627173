// The other end of a connection, as handlers and sessions see it.
//
// Thread: any.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "trireme/answer.h"
#include "trireme/connection_id.h"
#include "trireme/detail/saturated.h"
#include "trireme/detail/session_call.h"
#include "trireme/layer_facts.h"

namespace trireme { inline namespace v0 {

namespace detail {

class ServerContext;

// A reference that keeps alive the part of a server which other threads may touch. So a `Peer` or a
// `Reply` may outlive its server. A copy costs one atomic increment.
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
  // Nothing was queued. Either the queue of the connection is over its watermark and the policy was
  // kReject, or, under every policy, the byte budget of the server is used up. The session of that
  // connection is told when there is room again: on_writable().
  kFull,
  kClosed,  // the connection is gone, or this Peer was never connected
};

// What `Peer::call`, `Peer::post` and `Peer::after` did.
enum class CallResult : uint8_t {
  kQueued,  // will run in the turn of the session, unless the connection ends first
  kFull,    // `Limits::calls_max` or `timers_max` is reached, or the byte budget is used up
  kClosed,  // the connection is gone, or this Peer was never connected
  // Nothing would be called: the connection has no session, or one of another class; or, of
  // after(), one without on_timer.
  kWrongSession,
};

// What to do with a push if the connection already holds more than `Limits::write_bytes_high`
// unsent.
enum class Overflow : uint8_t {
  kReject,  // the sender is told: SendResult::kFull
  kClose,   // a client this slow is closed
  // Earlier pushes with kLatest that are unsent are dropped, even below the watermark: the client
  // sees the newest value only.
  kLatest,
};

// The process at the other end of a unix socket, as the kernel saw it when it connected: who it was
// then cannot be forged, but it may have ended since, or given its descriptor away.
struct PeerCredentials {
  int32_t pid = 0;  // 0: it is in another PID namespace
  uint32_t uid = 0;
  uint32_t gid = 0;
};

// A value that copies. It may be stale: every call is safe at any time, never blocks, and never
// runs user code. Inside a handler the calls take effect when the handler returns, before its
// reply. Elsewhere, and for a connection of another server, they take effect at once.
class Peer {
 public:
  Peer() = default;  // connected to nothing: send answers kClosed
  Peer(ConnectionId id, detail::ContextRef context) : id_(id), context_(std::move(context)) {}

  // Any thread. Queues `bytes` as they are, without a codec's envelope, and owns them from then on.
  SendResult send(std::string bytes, Overflow overflow = Overflow::kReject) const;
  // Any thread. The same for bytes that nobody copies, however many connections are sent them.
  SendResult send(SharedBytes bytes, Overflow overflow = Overflow::kReject) const;
  // Any thread. Frames `answer` with the codec that the connection speaks when it leaves, as a
  // reply is framed, and queues it as send() does: bytes, error() and busy(). One with then(), with
  // then_layer() or close_after(), and one of a file, ends the process with a sentence. no_answer()
  // sends nothing.
  SendResult push(Answer answer, Overflow overflow = Overflow::kReject) const;
  // Any thread. Closes in good order: the server reads no further request, answers those that it
  // has read, and sends what is queued.
  void close() const;
  // Any thread. Ends our direction alone: the client hears its end of stream behind what is queued,
  // and behind the replies to requests that were read before. The server reads on: further requests
  // are handled, their replies and later pushes are dropped. The connection ends when the client
  // ends its direction, too. Transport layers say their last words first.
  void end() const;
  // Any thread. Runs `f(session)` in the turn of the session, which is of class S: never beside
  // another callback of it, on the thread that the dispatch policy chooses. So `f` may use the
  // session as its own callbacks do, may block and may throw. It runs while a reply is outstanding,
  // too. Calls of one thread run in their order. `f` is moved to where it runs; what it owns is
  // destroyed there, or, when the connection ends first, on any thread of the server: a destructor
  // must not block.
  template <class S, class F>
  CallResult call(F f) const {
    static_assert(std::is_class_v<S> && !std::is_const_v<S>,
                  "Peer::call<S>(f): S must be the class of the session, as serve<S>() has it");
    static_assert(std::is_invocable_v<F&, S&>,
                  "Peer::call<S>(f): f must be callable as f(S&), the session");
    using Call = detail::SessionCallOf<S, F>;
    return post_call(std::unique_ptr<detail::SessionCall>(new (std::nothrow) Call(std::move(f))),
                     sizeof(Call), &detail::session_type_of<S>);
  }
  // Any thread. The same for `f()`, which does not need the session or its class.
  template <class F>
  CallResult post(F f) const {
    static_assert(std::is_invocable_v<F&>, "Peer::post(f): f must be callable without arguments");
    using Call = detail::AnyCallOf<F>;
    return post_call(std::unique_ptr<detail::SessionCall>(new (std::nothrow) Call(std::move(f))),
                     sizeof(Call), nullptr);
  }
  // Any thread. Calls `on_timer(tag)` of the session once, when `time` has passed from now on, at
  // most a millisecond or a busy loop late. A session has one timer of each tag: the call moves one
  // that is set. Timers go with the connection.
  CallResult after(std::chrono::nanoseconds time, uint64_t tag) const;
  template <class Rep, class Period>
  CallResult after(std::chrono::duration<Rep, Period> time, uint64_t tag) const {
    return after(detail::saturated(time), tag);
  }
  // Any thread. Cancels the timer of this tag, if there is one. Called in the turn of the session,
  // it holds: on_timer is not called for that timer any more. Called elsewhere, it may be late.
  void cancel(uint64_t tag) const;

  // Any thread. False once the connection is gone.
  bool connected() const;
  // Any thread. Such as "127.0.0.1:4711", of a unix socket "unix:pid=4711,uid=1000,gid=1000"; empty
  // once the connection is gone. Behind a proxy that tells it, the address of its client
  // (docs/proxy-protocol.md).
  std::string address() const;
  // Any thread. What transport layers have told of the connection; nothing where there are none.
  // Still there in on_close; empty when the connection is gone. May wait for a short lock.
  LayerFacts layers() const;
  // Any thread. Of a unix socket; nothing for any other, and when the connection is gone.
  std::optional<PeerCredentials> credentials() const;

  // Any thread. Stays the same when the connection is gone.
  ConnectionId id() const { return id_; }

 private:
  CallResult post_call(std::unique_ptr<detail::SessionCall> call, size_t bytes,
                       const detail::SessionType* type) const;

  ConnectionId id_;
  detail::ContextRef context_;
};

}}  // namespace trireme

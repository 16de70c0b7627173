// WebSocket (RFC 6455) with sessions, one object for each connection:
//
//   struct Room {
//     Room(http::WebSocket socket, Hall& hall);                // or with the http::Request between
//     void on_message(const http::Message& message);           // or http::Outgoing, an answer
//     void on_timer(uint64_t tag);                             // of socket.after(1s, tag)
//     void on_writable();                                      // there is room again
//     void on_drain();
//     void on_close(tr::CloseReason reason);
//   };
//   routes.websocket<Room>("/chat", {.subprotocols = {"chat.v1"}}, hall);
//
// All callbacks but the constructor are optional. They may block and may throw; those of one
// session never run at the same time. A Ping is answered meanwhile.
//
// Thread: as each function says.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "trireme/close_reason.h"
#include "trireme/detail/service.h"
#include "trireme/http/request.h"
#include "trireme/peer.h"

namespace trireme { inline namespace v0 { namespace http {

struct WebSocketOptions {
  // Of one message, inflated; over it the connection ends with 1009. Never more than
  // Limits::frame_bytes_max of the listener.
  size_t message_bytes_max = 16 << 20;
  // That the server speaks, the best first. A client that offers none of them gets none.
  std::vector<std::string> subprotocols{};
  // Origins of pages that may connect, such as "https://example.org"; "*" is any. Empty: those of
  // the same host. A client that sends no Origin is no browser, and may always.
  std::vector<std::string> origins{};
  // permessage-deflate (RFC 7692), if the client wants it. Nothing is kept between messages, so it
  // costs no memory of a connection.
  bool deflate = true;
  // After so long a Ping goes out; a client from which nothing has come when the next one is due
  // has vanished, and its connection is closed. Zero: no Pings.
  std::chrono::nanoseconds ping_time = std::chrono::seconds(30);
  size_t deflate_bytes_min = 256;  // shorter messages of the server go out as they are
};

// A message of a client. Borrowed until on_message() has returned.
struct Message {
  std::string_view bytes{};
  bool is_text = true;  // then it is UTF-8

  // Any thread.
  std::string own() const { return std::string(bytes); }
};

// A message of the server, as the answer to one of a client: Outgoing(text) or Outgoing::binary().
struct Outgoing {
  Outgoing(std::string text) : bytes(std::move(text)) {}  // NOLINT: conversions are the point
  Outgoing(std::string_view text) : bytes(text) {}        // NOLINT
  Outgoing(const char* text) : bytes(text) {}             // NOLINT
  Outgoing(const Message& message)                        // NOLINT
      : bytes(message.bytes), is_text(message.is_text) {}
  // Any thread.
  static Outgoing binary(std::string bytes) {
    Outgoing made(std::move(bytes));
    made.is_text = false;
    return made;
  }

  std::string bytes;
  bool is_text = true;
};

namespace detail {
class WebSocketShared;
class PreparedFrames;
}

// One message for many sockets: framed once, and deflated once, if a client wants that. A value
// that copies.
class Broadcast {
 public:
  // Any thread. Text must be UTF-8.
  static Broadcast text(std::string_view text);
  static Broadcast binary(std::string_view bytes);

 private:
  friend class WebSocket;
  explicit Broadcast(std::shared_ptr<const detail::PreparedFrames> frames)
      : frames_(std::move(frames)) {}

  std::shared_ptr<const detail::PreparedFrames> frames_;  // owners: copies of this
};

// The server's end of one WebSocket. A value that copies; it may be stale, as a Peer may.
class WebSocket {
 public:
  // Any thread. For the server.
  WebSocket(Peer peer, std::shared_ptr<const detail::WebSocketShared> shared)
      : peer_(std::move(peer)), shared_(std::move(shared)) {}

  // Any thread. Never blocks. As Peer::send(): kFull and kClosed say that nothing was queued. Text
  // must be UTF-8, or the client ends the connection.
  SendResult send_text(std::string_view text, Overflow overflow = Overflow::kReject) const;
  SendResult send_binary(std::string_view bytes, Overflow overflow = Overflow::kReject) const;
  // Any thread. The same, of a message that goes to many.
  SendResult send(const Broadcast& message, Overflow overflow = Overflow::kReject) const;
  // Any thread. Ends the connection in good order: what was sent before leaves, then a Close frame
  // with a code (RFC 6455, 7.4) and a reason in UTF-8, which is cut at 123 bytes. What is sent
  // behind it is kClosed; a second close() does nothing. Throws std::invalid_argument: no server
  // may say that code, or the reason is no UTF-8.
  void close(uint16_t code = 1000, std::string_view reason = {}) const;

  // Any thread. As Peer::after() and Peer::cancel(): calls on_timer(tag) of the session once. Tags
  // are below kTagsEnd.
  static constexpr uint64_t kTagsEnd = uint64_t{1} << 63;
  CallResult after(std::chrono::nanoseconds time, uint64_t tag) const;
  template <class Rep, class Period>
  CallResult after(std::chrono::duration<Rep, Period> time, uint64_t tag) const {
    return after(trireme::detail::saturated(time), tag);
  }
  void cancel(uint64_t tag) const {
    if (tag < kTagsEnd) peer_.cancel(tag);
  }

  // Any thread. False once the client has gone. The subprotocol that was agreed; empty: none.
  bool connected() const { return peer_.connected(); }
  const std::string& subprotocol() const;
  const Peer& peer() const { return peer_; }

 private:
  Peer peer_;
  std::shared_ptr<const detail::WebSocketShared> shared_;  // owners: codec and copies of this
};

namespace detail {

// A session behind the functions that the server calls. The handler's thread.
class WebSocketSession {
 public:
  virtual ~WebSocketSession() = default;
  // True: `answer` is to be sent.
  virtual bool on_message(const Message& message, Outgoing& answer) = 0;
  virtual void on_timer(uint64_t tag) = 0;
  virtual void on_writable() = 0;
  virtual void on_drain() = 0;
  virtual void on_close(CloseReason reason) = 0;
};

// The handler's thread.
class WebSocketFactory {
 public:
  virtual ~WebSocketFactory() = default;
  virtual std::unique_ptr<WebSocketSession> make(const WebSocket& socket,
                                                 const Request& request) const = 0;
};

// As of trireme::detail::WithCallbackNames.
struct MessageName {
  int on_message;
};
template <class S>
struct WithMessageName : S, MessageName {};
template <class S>
concept DeclaresOnMessage = requires {
  &S::on_message;
}
|| (trireme::detail::Inheritable<S> && !requires { &WithMessageName<S>::on_message; });

// What a session class can be called for. A callback that nobody could call does not compile.
template <class S>
struct CallbacksOf {
  static constexpr bool kAnswers = requires(S & session, const Message& message) {
    { session.on_message(message) } -> std::convertible_to<Outgoing>;
  };
  static constexpr bool kListens = requires(S & session, const Message& message) {
    { session.on_message(message) } -> std::same_as<void>;
  };
  static constexpr bool kHasTimers =
      !trireme::detail::CutsTags<S> && requires(S & session, uint64_t tag) {
    session.on_timer(tag);
  };
  static constexpr bool kHearsOfRoom = requires(S & session) { session.on_writable(); };
  static constexpr bool kDrains = requires(S & session) { session.on_drain(); };
  static constexpr bool kCloses = requires(S & session, CloseReason reason) {
    session.on_close(reason);
  };
  static_assert(kAnswers || kListens || !DeclaresOnMessage<S>,
                "the on_message of a session must be public, and be void on_message(const "
                "http::Message&), or return what becomes an http::Outgoing");
  static_assert(kHasTimers || !trireme::detail::DeclaresOnTimer<S>,
                "the on_timer of a session must be public, and be void on_timer(uint64_t tag)");
  static_assert(kHearsOfRoom || !trireme::detail::DeclaresOnWritable<S>,
                "the on_writable of a session must be public, and be void on_writable()");
  static_assert(kDrains || !trireme::detail::DeclaresOnDrain<S>,
                "the on_drain of a session must be public, and be void on_drain()");
  static_assert(kCloses || !trireme::detail::DeclaresOnClose<S>,
                "the on_close of a session must be public, and be void on_close(CloseReason)");
};

template <class S>
class SessionOf final : public WebSocketSession {
  using Callbacks = CallbacksOf<S>;

 public:
  template <class... Arguments>
  explicit SessionOf(Arguments&&... arguments) : session_(std::forward<Arguments>(arguments)...) {}

  bool on_message(const Message& message, Outgoing& answer) override {
    if constexpr (Callbacks::kAnswers) {
      answer = session_.on_message(message);
      return true;
    } else if constexpr (Callbacks::kListens) {
      session_.on_message(message);
    }
    return false;
  }
  void on_timer(uint64_t tag) override {
    if constexpr (Callbacks::kHasTimers) session_.on_timer(tag);
  }
  void on_writable() override {
    if constexpr (Callbacks::kHearsOfRoom) session_.on_writable();
  }
  void on_drain() override {
    if constexpr (Callbacks::kDrains) session_.on_drain();
  }
  void on_close(CloseReason reason) override {
    if constexpr (Callbacks::kCloses) session_.on_close(reason);
  }

 private:
  S session_;
};

template <class S, class... Shared>
class FactoryOf final : public WebSocketFactory, private CallbacksOf<S> {
  static constexpr bool kTakesRequest =
      std::is_constructible_v<S, WebSocket, const Request&, Shared&...>;
  static_assert(kTakesRequest || std::is_constructible_v<S, WebSocket, Shared&...>,
                "a session of a WebSocket is constructed from (http::WebSocket, Shared&...) or "
                "(http::WebSocket, const http::Request&, Shared&...)");

 public:
  explicit FactoryOf(Shared&... shared) : shared_(shared...) {}

  std::unique_ptr<WebSocketSession> make(const WebSocket& socket,
                                         const Request& request) const override {
    return std::apply(
        [&](auto&... shared) -> std::unique_ptr<WebSocketSession> {
          if constexpr (kTakesRequest) {
            return std::make_unique<SessionOf<S>>(socket, request, shared...);
          } else {
            return std::make_unique<SessionOf<S>>(socket, shared...);
          }
        },
        shared_);
  }

 private:
  std::tuple<Shared&...> shared_;
};

}  // namespace detail

}}}  // namespace trireme::http

// A conversation with a handler through its codec, without socket, thread or waiting: for unit
// tests of a user's own server.
//
// Thread: one at a time.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "trireme/codec.h"
#include "trireme/detail/saturated.h"
#include "trireme/detail/service.h"
#include "trireme/handler.h"
#include "trireme/options.h"
#include "trireme/peer.h"
#include "trireme/served.h"
#include "trireme/stats.h"

namespace trireme { inline namespace v0 { namespace testing {

class ManualClock;

// One connection to one handler. The calling thread runs the very code that serves sockets: limits,
// clocks, order of replies and endings are the real ones. Only time is manual. Handlers run inside
// the calls. Another thread may answer a Reply that a handler has kept; the next call sees that
// answer.
class Conversation {
 public:
  // Any thread. A null codec, and options that start() would refuse, end the process with a
  // sentence.
  template <class F>
  requires(!std::is_convertible_v<F, std::shared_ptr<detail::Service>>)
      Conversation(std::shared_ptr<const Codec> codec, F handler, ListenOptions options = {})
      : Conversation(
            std::move(codec),
            std::shared_ptr<detail::Service>(new detail::HandlerService<F>(std::move(handler))),
            std::move(options)) {}
  // Any thread. With what a component has made, such as http::serve().
  explicit Conversation(Served served, ListenOptions options = {})
      : Conversation(std::move(served.codec), std::move(served.service), std::move(options)) {}
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // Any thread. The same with one session of class S. `shared` is borrowed and must outlive the
  // conversation.
  template <class S, class... Shared>
  static std::unique_ptr<Conversation> with(std::shared_ptr<const Codec> codec,
                                            ListenOptions options, Shared&... shared) {
    return std::unique_ptr<Conversation>(new Conversation(
        std::move(codec), std::make_shared<detail::SessionService<S, Shared...>>(shared...),
        std::move(options)));
  }

  // Any thread, one call at a time. Each returns the bytes that have come back since the call
  // before, pushes included, and blocks only as long as handlers do. say() sends `bytes`, borrowed
  // for the call; hear() sends nothing; end() ends the client's stream (half-close); advance() lets
  // time pass, from one timer or clock that is due in it to the next; drain() does what
  // Server::drain() would.
  std::string say(std::string_view bytes);
  std::string hear();
  std::string end();
  std::string advance(std::chrono::nanoseconds time);
  template <class Rep, class Period>
  std::string advance(std::chrono::duration<Rep, Period> time) {
    return advance(detail::saturated(time));
  }
  std::string drain();

  // Any thread, one call at a time. The client vanishes with a reset.
  void reset();
  // Any thread, one call at a time. The connection, as the server sees it: for Peer::call,
  // Peer::send and the like. What they lead to comes with the next call of the conversation.
  Peer peer() const;
  // Any thread, one call at a time. The server has ended its stream, or closed the connection:
  // the client hears nothing more.
  bool ended() const;
  // Any thread, one call at a time. Why the server has closed the connection; empty while it is
  // open.
  std::optional<CloseReason> closed() const;
  // Any thread, one call at a time. As Server::stats().
  Stats stats() const;

 private:
  friend class Table;
  Conversation(std::shared_ptr<const Codec> codec, std::shared_ptr<detail::Service> service,
               ListenOptions options);
  // At a table: `seat` from 1, and everybody's clock.
  Conversation(std::shared_ptr<const Codec> codec, std::shared_ptr<detail::Service> service,
               ListenOptions options, std::shared_ptr<ManualClock> clock, int seat);
  void turn();
  void begin_drain();
  // On the clock.
  std::chrono::steady_clock::time_point next_wake() const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}}}  // namespace trireme::testing

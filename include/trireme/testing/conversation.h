// Talks to a handler through its codec without socket, thread or waiting: for unit tests of a
// user's own server.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "trireme/codec.h"
#include "trireme/detail/service.h"
#include "trireme/handler.h"
#include "trireme/options.h"
#include "trireme/stats.h"

namespace trireme { inline namespace v0 { namespace testing {

// One connection to one service, run by the calling thread with the very code that serves sockets:
// limits, clocks, order of replies and endings are the real ones; only time is manual. Handlers run
// inside `say`; a Reply that they keep may be answered from another thread and is seen by the next
// call.
class Conversation {
 public:
  template <class F>
  requires(!std::is_convertible_v<F, std::shared_ptr<detail::Service>>)
      Conversation(std::shared_ptr<const Codec> codec, F handler, ListenOptions options = {})
      : Conversation(
            std::move(codec),
            std::shared_ptr<detail::Service>(new detail::HandlerService<F>(std::move(handler))),
            std::move(options)) {}
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // One session of class S.
  template <class S, class... Shared>
  static std::unique_ptr<Conversation> with(std::shared_ptr<const Codec> codec,
                                            ListenOptions options, Shared&... shared) {
    return std::unique_ptr<Conversation>(new Conversation(
        std::move(codec), std::make_shared<detail::SessionService<S, Shared...>>(shared...),
        std::move(options)));
  }

  std::string say(std::string_view bytes);  // sends bytes; returns what came back
  std::string hear();                       // what came back since, pushes included
  std::string end();  // ends the client's stream (half-close); returns the rest
  void reset();       // the client vanishes with a reset
  std::string advance(std::chrono::nanoseconds time);  // lets time pass; returns what came back
  std::string drain();                                 // as Server::drain() would
  std::optional<CloseReason> closed() const;  // set once the server has closed the connection
  Stats stats() const;

 private:
  Conversation(std::shared_ptr<const Codec> codec, std::shared_ptr<detail::Service> service,
               ListenOptions options);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}}}  // namespace trireme::testing

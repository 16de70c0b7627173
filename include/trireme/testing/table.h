// Several clients of one service, side by side, in a unit test: one says something, the others hear
// it. As Conversation: no socket, no thread, no waiting.
//
//   Room room;
//   const auto table = trireme::testing::Table::with<Member>(trireme::lines(), {}, room);
//   auto& ada = table->join();
//   auto& bob = table->join();
//   ada.say("hello\n");
//   assert(bob.hear() == "192.0.2.1:40001: hello\n");
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "trireme/codec.h"
#include "trireme/detail/service.h"
#include "trireme/handler.h"
#include "trireme/options.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace testing {

// All conversations of a table have the same service and the same clock. Each has a ConnectionId of
// its own, and the Peer::address() 192.0.2.SEAT:40000+SEAT, where the first seat is 1.
//
// The thread that calls a function runs the handlers, as with Conversation.
class Table {
 public:
  // Any thread. A table of one handler. The table must not outlive what the handler refers to.
  template <class F>
  requires(!std::is_convertible_v<F, std::shared_ptr<detail::Service>>)
      Table(std::shared_ptr<const Codec> codec, F handler, ListenOptions options = {})
      : Table(std::move(codec),
              std::shared_ptr<detail::Service>(new detail::HandlerService<F>(std::move(handler))),
              std::move(options)) {}
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // Any thread. A table of sessions of class S. `shared` must outlive it.
  template <class S, class... Shared>
  static std::unique_ptr<Table> with(std::shared_ptr<const Codec> codec, ListenOptions options,
                                     Shared&... shared) {
    return std::unique_ptr<Table>(new Table(
        std::move(codec), std::make_shared<detail::SessionService<S, Shared...>>(shared...),
        std::move(options)));
  }

  // Any thread, one at a time. A client more. Lives as long as the table. What is pushed to it
  // while others speak is returned by its next call, hear() for one.
  Conversation& join();
  // Any thread, one at a time. Of join(), from 0.
  Conversation& seat(size_t index);
  size_t seats_count() const;

  // Any thread, one at a time. Lets time pass for all of them, as Conversation::advance does.
  void advance(std::chrono::nanoseconds time);
  template <class Rep, class Period>
  void advance(std::chrono::duration<Rep, Period> time) {
    advance(detail::saturated(time));
  }
  // Any thread, one at a time. As Server::drain() would, for all of them.
  void drain();

 private:
  Table(std::shared_ptr<const Codec> codec, std::shared_ptr<detail::Service> service,
        ListenOptions options);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}}}  // namespace trireme::testing

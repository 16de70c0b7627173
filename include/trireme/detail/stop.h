// Step 4, handling: the std::stop_token of a request. Not for users: anything in `detail` may
// change with any version.
//
// Threads: the handler makes it; a handler's thread fires it, never one that holds a loop, for
// std::stop_source calls its callbacks where it is fired. All of std::stop_source is compiled into
// the user's code: the library itself only knows that there is something to fire.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <utility>

namespace trireme { inline namespace v0 {

class CancelSignal;

namespace detail {

class Stop {
 public:
  virtual ~Stop() = default;
  // A handler's thread. Once, or without effect.
  virtual void fire() = 0;

  // The server's, from here on.
  std::unique_ptr<Stop> twin;  // fires the same: for a job that may outlive this
  std::unique_ptr<Stop> next;
  uint64_t number = 0;  // of its request
};

class StopSource final : public Stop {
 public:
  explicit StopSource(std::stop_source with) : source(std::move(with)) {}
  void fire() override { source.request_stop(); }

  // Throws where there is no memory.
  static std::unique_ptr<Stop> make() {
    std::unique_ptr<Stop> made(new StopSource(std::stop_source()));
    made->twin.reset(new StopSource(static_cast<StopSource&>(*made).source));
    return made;
  }

  std::stop_source source;
};

// Any thread, until the handler has returned. The one of the request, which `make` makes if it is
// asked for first. `cancelled`: the request was cancelled already; the caller fires.
Stop& open_stop(CancelSignal& signal, std::unique_ptr<Stop> (*make)(), bool& cancelled);

}  // namespace detail
}}  // namespace trireme

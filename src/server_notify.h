// What a service manager is told, by the protocol of sd_notify(3): ready, stopping, and that the
// event loops turn. Without its environment variables it is told nothing, and nothing is done.
//
// Step: none, above all. Thread: the one that waits in run(), or the one that stands in for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/event_loop.h"
#include "runtime/log.h"
#include "runtime/system/clock.h"
#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {

// The way to the service manager: NOTIFY_SOCKET.
class Notifier {
 public:
  explicit Notifier(Kernel& kernel);  // which outlives it
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // Sends lines such as "READY=1". Never blocks. False: nobody was told.
  bool tell(const std::string& state);
  // WATCHDOG_USEC: it must hear of us so often. 0: it need not.
  Duration watchdog_time() const { return watchdog_time_; }

 private:
  Kernel& kernel_;
  SocketAddress address_;
  int fd_ = -1;  // -1: nobody listens
  Duration watchdog_time_{0};
};

// Tells the service manager every half of its watchdog's time that the server lives: if every event
// loop has turned since it was woken for that. A loop whose turn does not end is told of in the
// log, and looked at again soon.
class Heartbeat {
 public:
  // All outlive it.
  Heartbeat(Notifier& notifier, const Log& log) : notifier_(notifier), log_(log) {}

  // From now on. `loops` outlive it.
  void begin(std::vector<EventLoop*> loops, TimePoint now);
  // When to call `look` next.
  TimePoint next() const { return next_; }
  // `is_ending`: the drain has its own deadline, and loops stop.
  void look(TimePoint now, bool is_ending);

 private:
  struct Watched {
    EventLoop* loop;
    uint64_t turns;  // when it was woken
  };
  EventLoop* find_late();
  void wake_all();

  Notifier& notifier_;
  const Log& log_;
  std::vector<Watched> watched_;
  TimePoint next_ = kNever;
  int late_looks_ = 0;  // one after the other
};

}}  // namespace trireme

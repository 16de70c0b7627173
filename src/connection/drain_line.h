// A drain that is spread over time: clients that come back as soon as they are ended, as browsers
// do, are ended one after the other, so that they do not come back all at once. The others are
// ended at the begin of the drain.
//
// Step 6. Thread: the holder of the loop. Bounded: kTimeMax, and half of `drain_time_max`.
#pragma once

#include <cstddef>
#include <vector>

#include "connection/connection.h"
#include "connection/slots.h"
#include "connection/turn.h"
#include "runtime/event_loop.h"
#include "runtime/timer_wheel.h"

namespace trireme { inline namespace v0 {

class Ending;

class DrainLine : public Timer {
 public:
  static constexpr Duration kGapMax = std::chrono::milliseconds(5);
  static constexpr Duration kTimeMax = std::chrono::seconds(5);

  DrainLine(EventLoop& loop, Slots& slots, Turn& turn, Ending& ending)
      : Timer(Owner::kDrainLine), loop_(loop), slots_(slots), turn_(turn), ending_(ending) {}
  DrainLine(const DrainLine&) = delete;
  DrainLine& operator=(const DrainLine&) = delete;

  void begin(Duration drain_time_max);
  void on_timer();
  // Nobody is ended by it any more.
  void stop();

 private:
  // It waits, or is ended now.
  void take(Connection& connection);
  void drain(Connection& connection);
  TimePoint due_of(size_t place) const;

  EventLoop& loop_;
  Slots& slots_;
  Turn& turn_;
  Ending& ending_;
  std::vector<Connection*> waiting_;  // slots stay where they are; one that is used again drains
  size_t next_ = 0;
  TimePoint begin_{};
  Duration gap_{0};
};

}}  // namespace trireme

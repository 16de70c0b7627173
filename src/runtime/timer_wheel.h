// Timers of one loop: O(1) to arm, move and cancel, whatever their number.
//
// Step: below all steps. Thread: the holder of the loop.
//
// A hierarchical wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987):
// four levels of 64 slots, one tick a slot at the lowest. A timer never fires early and at most one
// tick late. Deadlines beyond the wheel's range (64^4 ticks, 4.6 hours at 1 ms) wait in the last
// slot and are placed again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/counters.h"
#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {

// One timer, a base of the object it belongs to. Must be cancelled before it is destroyed.
struct Timer {
  // What it belongs to; says what a timer that is due may be cast to.
  enum class Owner : uint8_t {
    kConnection,     // a Connection: the clocks of one client
    kSessionEvents,  // a SessionEvents: the timers of one session
    kDrainLine,      // a DrainLine: who is ended when, in a drain
  };

  static constexpr uint64_t kTickMax = (uint64_t{1} << 56) - 1;

  Timer() = default;
  explicit Timer(Owner whose) : owner(whose) {}

  Timer* previous_timer = nullptr;
  Timer* next_timer = nullptr;
  uint64_t due_tick : 56 = 0;  // valid while armed
  Owner owner : 8 = Owner::kConnection;
  bool timer_armed() const { return next_timer != nullptr; }
};

class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(1);

  explicit TimerWheel(TimePoint start);
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Arms `timer`, or moves it if it is armed. A deadline in the past fires at the next `advance`.
  void arm(Timer& timer, TimePoint deadline);
  // The same, unless it is armed for that time or an earlier one already.
  void arm_no_later(Timer& timer, TimePoint deadline);
  void cancel(Timer& timer);  // no effect on a timer that is not armed

  // Takes off one timer that is due at `now`, or null. Call until null: timers may be armed and
  // cancelled between.
  Timer* expire(TimePoint now);

  // When to call `expire` next; kNever without timers. May be earlier than the next deadline, never
  // later.
  TimePoint next_wake() const;

  size_t armed_count() const { return armed_count_; }
  // Any thread.
  uint64_t made() const { return made_.get(); }
  uint64_t gone() const { return gone_.get(); }

 private:
  static constexpr int kLevels = 4;
  static constexpr int kSlotBits = 6;
  static constexpr uint64_t kSlots = uint64_t{1} << kSlotBits;

  uint64_t tick_at_or_after(TimePoint time) const;
  void place(Timer& timer);
  void unlink(Timer& timer);
  void note_empty(const Timer& head);
  void cascade(int level);

  TimePoint start_;
  uint64_t current_tick_ = 0;  // all timers due at or before it have been moved to `due_`
  size_t armed_count_ = 0;
  Counter made_, gone_;
  std::array<uint64_t, kLevels> occupied_{};              // a bit for each slot that holds timers
  std::array<std::array<Timer, kSlots>, kLevels> slots_;  // list heads
  Timer due_;                                             // list head
};

}}  // namespace trireme

// Step 4, handling: what all pools have in common, whatever is in them (pool.h). Not for users.
//
// Threads: any. Whoever takes may wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace trireme { inline namespace v0 {

// Numbers of a pool. A snapshot is a value.
struct PoolStats {
  uint64_t in_use = 0, idle = 0, making = 0;  // now: together at most PoolOptions::count_max
  uint64_t waiting = 0;                       // takers that wait, now
  uint64_t taken = 0;                         // since the start, like all below
  uint64_t waited = 0;                        // takers that had to wait
  std::chrono::nanoseconds wait_time{0};      // of all of them together
  uint64_t busy = 0;                          // takers that got nothing in time
  uint64_t made = 0, make_failures = 0;
  uint64_t unhealthy = 0;  // failed a check, or were thrown away
  uint64_t expired = 0;    // too old, or idle for too long
};

namespace detail {

// One thing of a pool. The pool or its taker owns it.
struct PoolThing {
  virtual ~PoolThing() = default;
  std::chrono::steady_clock::time_point returned{}, expires{};
  bool is_new = true;         // nobody has given it back
  bool is_unchecked = false;  // loop code has given it back, which may not block
};

struct PoolLimits {
  size_t count_max = 0;
  bool can_make = true;
  std::chrono::nanoseconds idle_time_max{0}, age_max{0};  // zero: no limit
  std::chrono::nanoseconds back_off_min{0}, back_off_max{0};
  std::chrono::nanoseconds least_time{0};  // the shortest of all times of the options
};

class PoolCore {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  enum class Kind : uint8_t {
    kThing,   // here it is
    kPlace,   // make one, then call made() or not_made()
    kBusy,    // the time is over, or the request was cancelled, or the pool drains
    kFailed,  // none can be made, `why`
  };
  struct Grant {
    Kind kind = Kind::kBusy;
    std::unique_ptr<PoolThing> thing{};
    std::string why{};
  };

  explicit PoolCore(const PoolLimits& limits);
  ~PoolCore();

  // Any thread. The clock of the server whose handler this is; elsewhere the real one.
  static TimePoint now();
  // Any thread. Whether nothing may block here.
  static bool is_loop_code();
  // Any thread but loop code. The end of `time`, or the deadline of the request if that is earlier.
  static TimePoint until(std::chrono::nanoseconds time);

  // Any thread but loop code. Gives the loop away, and waits until `until` or until nobody wants
  // the answer of the request any more.
  Grant take(TimePoint until);
  // Any thread but loop code. Never waits. Null: none is idle that may be used as it is.
  std::unique_ptr<PoolThing> try_take();
  // Who was granted a place, and has made something, or has not.
  void made(PoolThing& thing);
  void not_made(std::string_view why);
  // Any thread. Who has taken it; a null thing was thrown away. Loop code destroys nothing.
  void give_back(std::unique_ptr<PoolThing> thing);
  // Any thread but loop code. No more is taken. True: all had come back within `time`.
  bool drain(std::chrono::nanoseconds time);
  PoolStats stats() const;

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace detail

}}  // namespace trireme

// A clock that a test moves by hand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "runtime/system/clock.h"
#include "runtime/threads/threads.h"

namespace support {

// Any thread. Begins with the time that it is; a server with it parks by the real one.
class HandClock final : public trireme::Clock {
 public:
  void pass(trireme::Duration time) { now_ns_ += time.count(); }
  trireme::TimePoint now() override { return trireme::TimePoint(trireme::Duration(now_ns_)); }
  std::chrono::system_clock::time_point wall_now() override {
    return std::chrono::system_clock::now();
  }

 private:
  std::atomic<int64_t> now_ns_{trireme::real_platform().clock.now().time_since_epoch().count()};
};

}  // namespace support

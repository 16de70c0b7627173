#include "support/wait.h"

#include <poll.h>

namespace support {

bool wait_until(const std::function<bool()>& condition, std::chrono::nanoseconds deadline) {
  const Clock::time_point end = Clock::now() + deadline;
  while (!condition()) {
    if (Clock::now() >= end) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

void let_pass(std::chrono::nanoseconds time) {
  wait_until([] { return false; }, time);
}

}  // namespace support

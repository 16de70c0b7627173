// How much of something a connection has, where its senders on other threads must know whether
// there is room for one more.
//
// Step: between the steps. Threads: any. Relaxed: it publishes nothing. What is counted is given
// back by whoever destroys it, also when its connection is gone and its slot belongs to another
// one.
#pragma once

#include <atomic>
#include <cstdint>

namespace trireme { inline namespace v0 {

template <class Number>
class SmallCount {
 public:
  // False: there are `most` already, and nothing was counted.
  [[nodiscard]] bool take(Number most) {
    Number now = count_.load(std::memory_order_relaxed);
    do {
      if (now >= most) return false;
    } while (!count_.compare_exchange_weak(now, static_cast<Number>(now + 1),
                                           std::memory_order_relaxed));
    return true;
  }
  void give_back(Number count = 1) { count_.fetch_sub(count, std::memory_order_relaxed); }
  Number get() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<Number> count_{0};
};

}}  // namespace trireme

// How much of what a job has gathered is complete: the holder may send it while the job runs on.
//
// Step 4. Threads: the one that runs the job publishes; the holder of its loop reads.
//
// Template over the atomic so that a model checker can run this very code.
#pragma once

#include <atomic>
#include <cstdint>

namespace trireme { inline namespace v0 {

template <template <class> class Atomic = std::atomic>
class BasicPublishedReplies {
 public:
  // The holder, before the job is handed over or lent; that publishes it.
  void reset() { word_.store(0, std::memory_order_relaxed); }
  // The thread that runs the job, before its next handler. Release: the bytes, for read().
  void publish(uint32_t count, uint32_t bytes) {
    word_.store(uint64_t{count} << 32 | bytes, std::memory_order_release);
  }
  // The holder. Replies in the upper half, their bytes in the lower one.
  uint64_t read() const { return word_.load(std::memory_order_acquire); }  // partner: publish

  static uint32_t count(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
  static uint32_t bytes(uint64_t word) { return static_cast<uint32_t>(word); }

 private:
  Atomic<uint64_t> word_{0};
};

using PublishedReplies = BasicPublishedReplies<>;

}}  // namespace trireme

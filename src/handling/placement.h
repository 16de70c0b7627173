// Learned placement: what the handlers of one kind of request cost their loop lately, and where the
// next of them starts because of it. Only `adaptive` asks.
//
// Step 4. Thread: the holder of the loop. Each loop learns for itself, so nothing is shared; the
// numbers that statistics read are atomics.
//
// 1. The price of a start on the loop is the time that the loop's other connections wait for it:
//    what a handler takes, and no more than it takes the reserve to notice (kLateCost).
//        cost = (price of the late requests / requests) + mean excess of those that were not late
//    A late one costs kLateCost, or kAtOnceCost where nobody had to wait for a tick to see it. What
//    a request that was late on a data worker would have cost the loop, its LossPrice says. Excess
//    is time over kShort, or time in which it waits: computing costs the same anywhere, so for so
//    long it may. Late ones are all seen, by the watchdog or by their time on a data worker; the
//    time of the others is sampled on the loop, and known on a data worker. What of it is computing
//    is sampled with the thread's CPU clock (0.7 us), once in 256 requests, and only where the time
//    as such is large enough to matter. The largest excess is left out of the mean: one request
//    that was the first of its kind, or whose thread was preempted, says nothing of the next.
// 2. The price of a start on a data worker is a hop there and back. Above kHopCost the kind moves
//    to data workers; below half of that it comes back. What runs on data workers is measured as
//    well, so nothing has to be tried out on the loop.
// 3. All sums are halved every kHalving. At any rate of requests a change of behaviour is the
//    larger part of them within half a second; and without requests their ratios, and so the
//    decision, stay.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/counters.h"
#include "runtime/system/clock.h"
#include "trireme/options.h"

namespace trireme { inline namespace v0 {

class KindRecord {
 public:
  static constexpr Duration kLateCost = std::chrono::microseconds(1500);
  static constexpr Duration kAtOnceCost = std::chrono::microseconds(30);  // switches, cold caches
  static constexpr Duration kLate = std::chrono::milliseconds(1);
  static constexpr Duration kShort = std::chrono::microseconds(20);
  static constexpr Duration kHopCost = std::chrono::microseconds(4);
  static constexpr Duration kHalving = std::chrono::milliseconds(128);

  // Before start(). The kind always starts there.
  void pin(Dispatch dispatch) {
    pinned_ = true;
    on_data_workers_.store(dispatch == Dispatch::kWorkers, std::memory_order_relaxed);
  }

  // Any thread. Relaxed: it publishes nothing.
  bool on_data_workers() const { return on_data_workers_.load(std::memory_order_relaxed); }
  bool pinned() const { return pinned_; }
  // The share of their time for which short ones wait; 0 until it was measured.
  float waiting() const { return waiting_.load(std::memory_order_relaxed); }
  Duration cost() const { return Duration(cost_ns_.load(std::memory_order_relaxed)); }
  uint64_t requests_inline() const { return inline_.get(); }
  uint64_t requests_on_data_workers() const { return workers_.get(); }
  uint64_t late() const { return late_total_.get(); }

  // The holder, from here on. True: the time of the next job is worth two readings of the clock.
  bool wants_sample() { return samples_ < kFewSamples || (++skipped_ % kSampleOneIn) == 0; }
  // True: of that one the CPU time, too.
  bool wants_cpu_sample() {
    return mean_ns() > static_cast<float>(kHopCost.count()) &&
           (++cpu_skipped_ % kCpuSampleOneIn) == 0;
  }
  // What a job computed in `time`.
  void computed(uint32_t requests, Duration time, Duration cpu_time);
  // Requests that kept their loop; `sampled`: one job of them took `time`.
  void ran_inline(uint32_t requests, bool sampled, Duration time, TimePoint now);
  // One that lost its loop, as soon as it has, and what that cost.
  void was_late(Duration price, TimePoint now);
  // Requests that ran one after the other on a data worker, in `time`. `price`: of being late on
  // the loop instead.
  void ran_on_data_worker(uint32_t requests, Duration time, Duration price, TimePoint now);
  // Some of the last ones were late.
  bool blocks() const { return late_ns_ >= static_cast<float>(kHopCost.count()); }

 private:
  static constexpr float kFewSamples = 4;
  static constexpr uint32_t kSampleOneIn = 16;
  static constexpr uint32_t kCpuSampleOneIn = 16;

  void sample(uint32_t requests, Duration time);
  void age(TimePoint now);
  void decide();

  float requests_ = 0, late_ns_ = 0;  // the sum of their prices
  float mean_ns() const { return samples_ > 0 ? time_ns_ / samples_ : 0; }

  float samples_ = 0, sample_ns_ = 0;   // requests, and the sum of their excess
  float largest_ns_ = 0;                // the largest part of that sum
  float time_ns_ = 0;                   // the sum of their time
  float short_ns_ = 0, waited_ns_ = 0;  // of those with CPU time and under kShort: time, waiting
  uint32_t skipped_ = 0, cpu_skipped_ = 0;
  bool pinned_ = false;
  TimePoint halved_ = TimePoint::min();
  std::atomic<bool> on_data_workers_{false};
  std::atomic<int64_t> cost_ns_{0};
  std::atomic<float> waiting_{0};
  Counter inline_, workers_, late_total_;
};

// What a loop with a lookout pays for a job that waits: what it has paid lately. While nobody
// tries, the price falls to the least, so that it is tried again.
class LossPrice {
 public:
  void paid(Duration price, TimePoint now);
  Duration at(TimePoint now) const;

 private:
  static constexpr Duration kHalving = std::chrono::seconds(4);

  Duration above_least_{0};
  TimePoint since_{};
};

// The kinds of one listener in one loop.
struct Kinds {
  // Request kinds from here on share a record; the one behind it is for the callbacks of sessions.
  static constexpr uint32_t kShared = 15;
  static constexpr uint32_t kCallbacks = 16;

  KindRecord& of(uint32_t kind) { return records[kind < kShared ? kind : kShared]; }
  KindRecord& of_callbacks() { return records[kCallbacks]; }

  std::array<KindRecord, kCallbacks + 1> records;
};

// Of one loop, by listener.
using KindTable = std::vector<std::unique_ptr<Kinds>>;

}}  // namespace trireme

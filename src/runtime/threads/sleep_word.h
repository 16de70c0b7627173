// Who sleeps at an event loop: its holder in the driver, its watcher on a park spot.
//
// Step: below all steps. Threads: the holder of the loop, its watcher, and all who send it mail.
// One atomic; seq_cst where each side looks after it has written:
// 1. The holder sets kAsleep (fall_asleep), looks into the mailbox once more, and waits. After the
//    wait it stores 0 (wake_up).
// 2. Who pushes mail looks at kAsleep afterwards (claim_signal); the one that clears it signals the
//    driver. So either the holder sees the mail, or the sender sees the sleeper; and of many
//    senders one pays for the system call.
// 3. The watcher (the reserve's watchdog) parks for good only by adding kWatcherParked to kAsleep.
//    The holder that wakes and finds it wakes the watcher. While the loop is awake the watcher
//    ticks, so `lend` needs no check.
//
// Template over the atomic so that a model checker can run this very code.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

template <template <class> class Atomic = std::atomic, class Spot = ParkSpot>
class BasicSleepWord {
 public:
  // The holder. It must look for mail after this, and before it waits.
  void fall_asleep() { activity_.fetch_or(kAsleep, std::memory_order_seq_cst); }
  // The holder, after a wait, asleep or not. Not null: the watcher has parked and must be woken.
  Spot* wake_up() {
    const uint32_t was = activity_.exchange(0, std::memory_order_seq_cst);
    return was & kWatcherParked ? watcher() : nullptr;
  }

  // Any thread. A hint: relaxed, it publishes nothing.
  bool asleep() const { return (activity_.load(std::memory_order_relaxed) & kAsleep) != 0; }
  // Any thread, after its mail is in the mailbox. True: the caller must signal the driver.
  bool claim_signal() {
    if (!(activity_.load(std::memory_order_seq_cst) & kAsleep)) return false;
    // Relaxed: of several senders one finds the bit; what they have to say is in the mailbox.
    return activity_.fetch_and(~kAsleep, std::memory_order_relaxed) & kAsleep;
  }
  // A signal that failed must not count as given: the next sender tries again. If the holder is
  // awake after all, the bit costs one signal too many. Relaxed, as in claim_signal.
  void give_back_signal() { activity_.fetch_or(kAsleep, std::memory_order_relaxed); }

  // The watcher. From now on the holder wakes `spot` when it finds kWatcherParked; null: no
  // watcher.
  void set_watcher(Spot* spot) { watcher_.store(spot, std::memory_order_seq_cst); }
  // Any thread. May be null.
  Spot* watcher() const { return watcher_.load(std::memory_order_seq_cst); }
  // The watcher. True: the holder sleeps and will wake the watcher, which may park for good.
  bool try_park_watcher() {
    uint32_t asleep = kAsleep;
    // One that parked, and was woken by somebody else than the holder, has left its mark.
    return activity_.compare_exchange_strong(asleep, kAsleep | kWatcherParked,
                                             std::memory_order_seq_cst) ||
           asleep == (kAsleep | kWatcherParked);
  }

 private:
  static constexpr uint32_t kAsleep = 1, kWatcherParked = 2;

  Atomic<uint32_t> activity_{0};
  Atomic<Spot*> watcher_{nullptr};
};

using SleepWord = BasicSleepWord<>;

}}  // namespace trireme

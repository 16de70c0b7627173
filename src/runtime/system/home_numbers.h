// Numbers for event loops with connections: no two that live at the same time have the same, so
// that no two connections have the same id.
//
// Step: below all steps. Any thread.
//
// There is one set for all servers and conversations of a process, the only state that they share:
// nobody who builds one of them knows of the others. It belongs to real_platform(). A simulated
// world has a set of its own, so that its ids do not depend on what else the process has done.
#pragma once

#include <bitset>
#include <cstdint>
#include <utility>

#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"

namespace trireme { inline namespace v0 {

class HomeNumbers {
 public:
  static constexpr uint32_t kCount = 1024;  // a ConnectionId has 10 bits for them

  // Numbers in a row, given back when this ends. Movable; outlived by its set.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          first_(other.first_),
          count_(other.count_) {}
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      if (owner_ != nullptr) owner_->give_back(first_, count_);
    }

    bool ok() const { return owner_ != nullptr; }
    uint32_t first() const { return first_; }

   private:
    friend class HomeNumbers;
    Lease(HomeNumbers& owner, uint32_t first, uint32_t count)
        : owner_(&owner), first_(first), count_(count) {}

    HomeNumbers* owner_ = nullptr;
    uint32_t first_ = 0, count_ = 0;
  };

  HomeNumbers() = default;
  HomeNumbers(const HomeNumbers&) = delete;
  HomeNumbers& operator=(const HomeNumbers&) = delete;

  // Any thread. Not ok() when there are not so many free ones in a row. The search goes on where
  // the last one ended: a number comes back as late as possible, as slots do.
  Lease lease(uint32_t count) {
    MutexLock lock(mutex_);
    uint32_t run = 0;  // free ones up to here
    for (uint32_t looked = 0, at = next_; looked < kCount + count; ++looked, ++at) {
      if (at == kCount) at = run = 0;
      run = taken_[at] ? 0 : run + 1;
      if (run < count) continue;
      const uint32_t first = at + 1 - count;
      for (uint32_t number = first; number <= at; ++number) taken_[number] = true;
      next_ = (at + 1) % kCount;
      return {*this, first, count};
    }
    return {};
  }

 private:
  void give_back(uint32_t first, uint32_t count) {
    MutexLock lock(mutex_);
    for (uint32_t number = first; number < first + count; ++number) taken_[number] = false;
  }

  Mutex mutex_;
  std::bitset<kCount> taken_ GUARDED_BY(mutex_);
  uint32_t next_ GUARDED_BY(mutex_) = 0;
};

}}  // namespace trireme

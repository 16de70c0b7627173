// What a scenario is made of: Atomic in the place of std::atomic, Var for plain data, Mutex,
// Signal.
//
// Test support. Thread: those of a model, or the scenario itself before and after run().
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "model/execution.h"
#include "model/model.h"
#include "runtime/threads/annotations.h"

namespace trireme::model {

// The values of all atomics are kept as 64 bits.
size_t new_atomic(uint64_t value);
uint64_t load(size_t atomic, std::memory_order order, const Site& site);
void store(size_t atomic, uint64_t value, std::memory_order order, const Site& site);
using Change = uint64_t (*)(uint64_t before, uint64_t operand);
uint64_t change(size_t atomic, AtomicKind kind, Change function, uint64_t operand,
                std::memory_order order, const Site& site);
bool compare_and_swap(size_t atomic, uint64_t& expected, uint64_t desired, Orders orders, bool weak,
                      const Site& site);

template <class T>
class Atomic {
  static_assert(sizeof(T) <= 8);

 public:
  Atomic(T value = T()) : number_(new_atomic(bits(value))) {}  // NOLINT: as std::atomic
  Atomic(const Atomic&) = delete;
  Atomic& operator=(const Atomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst, Site site = Site::here()) const {
    return value(model::load(number_, order, site));
  }
  void store(T desired, std::memory_order order = std::memory_order_seq_cst,
             Site site = Site::here()) {
    model::store(number_, bits(desired), order, site);
  }
  T exchange(T desired, std::memory_order order = std::memory_order_seq_cst,
             Site site = Site::here()) {
    const auto take = [](uint64_t, uint64_t after) { return after; };
    return value(change(number_, AtomicKind::kExchange, take, bits(desired), order, site));
  }
  T fetch_add(T operand, std::memory_order order = std::memory_order_seq_cst,
              Site site = Site::here()) {
    const auto add = [](uint64_t before, uint64_t by) {
      return bits(T(value(before) + value(by)));
    };
    return value(change(number_, AtomicKind::kFetch, add, bits(operand), order, site));
  }
  T fetch_sub(T operand, std::memory_order order = std::memory_order_seq_cst,
              Site site = Site::here()) {
    const auto cut = [](uint64_t before, uint64_t by) {
      return bits(T(value(before) - value(by)));
    };
    return value(change(number_, AtomicKind::kFetch, cut, bits(operand), order, site));
  }
  T fetch_or(T operand, std::memory_order order = std::memory_order_seq_cst,
             Site site = Site::here()) {
    const auto unite = [](uint64_t before, uint64_t by) { return before | by; };
    return value(change(number_, AtomicKind::kFetch, unite, bits(operand), order, site));
  }
  T fetch_and(T operand, std::memory_order order = std::memory_order_seq_cst,
              Site site = Site::here()) {
    const auto cut = [](uint64_t before, uint64_t by) { return before & by; };
    return value(change(number_, AtomicKind::kFetch, cut, bits(operand), order, site));
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure, Site site = Site::here()) {
    return swap(expected, desired, {success, failure}, false, site);
  }
  bool compare_exchange_strong(T& expected, T desired,
                               std::memory_order order = std::memory_order_seq_cst,
                               Site site = Site::here()) {
    return swap(expected, desired, {order, without_release(order)}, false, site);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure, Site site = Site::here()) {
    return swap(expected, desired, {success, failure}, true, site);
  }

  size_t number() const { return number_; }

 private:
  static uint64_t bits(T value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  static T value(uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }
  static std::memory_order without_release(std::memory_order order) {
    if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
    return order == std::memory_order_release ? std::memory_order_relaxed : order;
  }
  bool swap(T& expected, T desired, Orders orders, bool weak, const Site& site) {
    uint64_t expected_bits = bits(expected);
    const bool done = compare_and_swap(number_, expected_bits, bits(desired), orders, weak, site);
    if (!done) expected = value(expected_bits);
    return done;
  }

  size_t number_;
};

// Who touched a piece of plain data last.
class Accesses {
 public:
  void read(const char* name) const;
  void write(const char* name);
  void end(const char* name) noexcept;  // a write that does not throw

 private:
  bool races_with_write() const;

  uint16_t written_ = 0;  // the clock of the writer
  uint8_t writer_ = 0;
  mutable std::array<uint16_t, kThreadsMax> read_{};
};

// Plain data. Two accesses that nothing orders are a failure.
template <class T>
class Var {
 public:
  Var(T value = T(), const char* name = "data") : value_(value), name_(name) {  // NOLINT: as T
    accesses_.write(name_);
  }
  ~Var() { accesses_.end(name_); }
  Var(const Var&) = delete;
  Var& operator=(const Var&) = delete;
  Var& operator=(T value) {
    accesses_.write(name_);
    value_ = value;
    return *this;
  }
  operator T() const {  // NOLINT: as T
    accesses_.read(name_);
    return value_;
  }

 private:
  T value_;
  const char* name_;
  Accesses accesses_;
};

class CAPABILITY("mutex") Mutex {
 public:
  Mutex() : number_(current->add_object()) {}
  void lock(Site site = Site::here()) ACQUIRE();
  void unlock(Site site = Site::here()) RELEASE();

 private:
  const size_t number_;
};

class SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(Mutex& mutex, Site site = Site::here()) ACQUIRE(mutex) : mutex_(mutex) {
    mutex_.lock(site);
  }
  ~Lock() RELEASE() { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

// What wakes one thread: given twice before it is taken, it counts as given once.
class Signal {
 public:
  enum class Carries : uint8_t {
    kNothing,    // as a descriptor in an epoll set: the memory model knows nothing of it
    kKnowledge,  // as a park spot
  };
  explicit Signal(Carries carries) : number_(current->add_object()), carries_(carries) {}
  void give(Site site = Site::here());
  void take(Site site = Site::here());           // waits for it
  bool take_if_given(Site site = Site::here());  // a wait that is cut short

 private:
  void taken();

  const size_t number_;
  const Carries carries_;
};

// The kernel's futex: whoever waits while a word has a value, until somebody wakes it.
class Futex {
 public:
  Futex() : number_(current->add_object()) {}
  void wait(const Atomic<uint32_t>& word, uint32_t expected, Site site = Site::here());
  void wake(Site site = Site::here());

 private:
  const size_t number_;
  bool waits_ = false;
};

}  // namespace trireme::model

// A line of threads that wait for something that others give, first come, first served.
//
// Step 4. Threads: all. The line is guarded by the mutex of its owner, which is passed to every
// function that touches it. No thread is woken while the mutex is held:
//
//   giver:   lock; pop (granted); unlock; unpark its spot; settle
//   waiter:  lock; push; unlock; until it is granted: park; await settled
//            its time is over: lock; remove, or it was popped; unlock; if popped: await settled
//
// A waiter lives on the stack of its thread, and so may its spot. It must not go before the giver
// has unparked: that is what `settled` says.
//
// Template over the waiter so that a model checker can run this very code.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/threads/annotations.h"

namespace trireme { inline namespace v0 {

enum WaitingState : uint32_t { kWaitingInLine = 0, kWaitingGranted = 1, kWaitingSettled = 2 };

// `Waiter` has two members: `next`, a pointer to the next one, which belongs to the line; and
// `state`, an atomic WaitingState. What it is given is written between pop() and settle().
template <class Waiter, class Guard>
class BasicWaitingLine {
 public:
  bool empty([[maybe_unused]] Guard& guard) const REQUIRES(guard) { return head_ == nullptr; }

  // At the end, or in front of all others.
  void push([[maybe_unused]] Guard& guard, Waiter& waiter, bool in_front) REQUIRES(guard) {
    // Relaxed: givers see it under the mutex.
    waiter.state.store(kWaitingInLine, std::memory_order_relaxed);
    if (head_ == nullptr) last_ = &waiter;
    if (in_front || head_ == nullptr) {
      waiter.next = head_;
      head_ = &waiter;
      return;
    }
    waiter.next = nullptr;
    last_->next = &waiter;
    last_ = &waiter;
  }
  bool is_first([[maybe_unused]] Guard& guard, const Waiter& waiter) const REQUIRES(guard) {
    return head_ == &waiter;
  }
  // The one in front, or null. It is granted; the caller unparks and settles it without the mutex.
  Waiter* pop([[maybe_unused]] Guard& guard) REQUIRES(guard) {
    Waiter* const first = head_;
    if (first == nullptr) return nullptr;
    head_ = first->next;
    // Relaxed: the unpark that follows carries it to the waiter's next look.
    first->state.store(kWaitingGranted, std::memory_order_relaxed);
    return first;
  }
  // The waiter. False: it was popped before.
  bool remove([[maybe_unused]] Guard& guard, Waiter& waiter) REQUIRES(guard) {
    if (head_ == &waiter) {
      head_ = waiter.next;
      return true;
    }
    for (Waiter* before = head_; before != nullptr; before = before->next) {
      if (before->next != &waiter) continue;
      before->next = static_cast<Waiter*>(waiter.next);
      if (last_ == &waiter) last_ = before;
      return true;
    }
    return false;
  }

  // The giver, last: the waiter may be gone when this returns.
  static void settle(Waiter& waiter) {
    // Release pairs with the acquire in await_settled: what it was given is there.
    waiter.state.store(kWaitingSettled, std::memory_order_release);
  }
  // The waiter. Whether there is no need to park. Relaxed: a hint, it publishes nothing.
  static bool is_granted(const Waiter& waiter) {
    return waiter.state.load(std::memory_order_relaxed) != kWaitingInLine;
  }
  // The waiter, once it is granted. A short spin: its giver is on the way.
  template <class Relax>
  static void await_settled(const Waiter& waiter, Relax relax) {
    while (waiter.state.load(std::memory_order_acquire) != kWaitingSettled) relax();  // settle
  }

 private:
  Waiter* head_ = nullptr;
  Waiter* last_ = nullptr;  // unless the line is empty
};

}}  // namespace trireme

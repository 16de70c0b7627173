// The ready queue: loops to data workers, first-in first-out, and the call to a parked watcher. A
// loop takes out again what nobody waits for any more.
//
// Step 4. Threads: all of the crew. The list is guarded by the mutex of its owner, which is passed
// to every function that touches it; the length and the flags of watchers need none.
//
// A watcher that would park for good could be the only thread left that can come for a job:
//
//   watcher: flag = parked;  length is 0?  then park       (try_park)
//   sender:  length += n;    flag is parked?  then unpark  (push, call)
//
// All four are seq_cst: either the watcher sees the job, or the sender sees the watcher. To lower
// the flag publishes nothing and is relaxed: who calls a thread that is awake wakes nobody.
//
// Template over atomic and mutex so that a model checker can run this very code.
#pragma once

#include <atomic>
#include <cstddef>

#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"

namespace trireme { inline namespace v0 {

// `Item` has two members: `next` points to an Item, or to a base of it, and `previous` to an Item.
// They belong to the queue while it holds the item. Who has it else sees `previous` null.
template <class Item, template <class> class Atomic = std::atomic, class Guard = Mutex>
class BasicReadyQueue {
 public:
  // A thread that watches a loop, as whoever queues a job sees it.
  class Watcher {
    friend class BasicReadyQueue;
    Atomic<bool> parked_{false};
  };

  // Adds `count` items, linked both ways from `first` to `last`, oldest first.
  void push([[maybe_unused]] Guard& guard, Item* first, Item* last, size_t count) REQUIRES(guard) {
    if (tail_ == nullptr) {
      head_ = first;
    } else {
      tail_->next = first;
      first->previous = tail_;
    }
    tail_ = last;
    length_.fetch_add(count, std::memory_order_seq_cst);
  }

  // The oldest, or null.
  Item* pop([[maybe_unused]] Guard& guard) REQUIRES(guard) {
    Item* item = head_;
    if (item == nullptr) return nullptr;
    head_ = static_cast<Item*>(item->next);
    if (head_ == nullptr) tail_ = nullptr;
    forget(*item);
    return item;
  }

  // True: the item was in here, and is no more. False: it was popped, or never pushed. Costs the
  // same however many are in here.
  bool remove([[maybe_unused]] Guard& guard, Item& item) REQUIRES(guard) {
    if (&item == head_) return pop(guard) != nullptr;
    Item* const before = item.previous;
    if (before == nullptr) return false;
    Item* const after = static_cast<Item*>(item.next);
    before->next = after;
    if (after != nullptr) {
      after->previous = before;
    } else {
      tail_ = before;
    }
    forget(item);
    return true;
  }

  const Item* oldest([[maybe_unused]] Guard& guard) const REQUIRES(guard) { return head_; }

  // Any thread. A hint: relaxed, it publishes nothing.
  size_t length_hint() const { return length_.load(std::memory_order_relaxed); }

  // The watcher. True: it may park for good, for no job waits and `agree()` says so, too; who
  // queues a job calls it.
  template <class Agree>
  bool try_park(Watcher& watcher, Agree agree) {
    watcher.parked_.store(true, std::memory_order_seq_cst);
    if (length_.load(std::memory_order_seq_cst) == 0 && agree()) return true;
    watcher.parked_.store(false, std::memory_order_relaxed);
    return false;
  }

  // The watcher, when it has woken for whatever reason: calls must go to others.
  void note_awake(Watcher& watcher) { watcher.parked_.store(false, std::memory_order_relaxed); }

  // Who has pushed. True: this watcher has parked, and the caller must unpark it.
  static bool call(Watcher& watcher) {
    return watcher.parked_.exchange(false, std::memory_order_seq_cst);
  }

 private:
  void forget(Item& item) {
    item.next = nullptr;
    item.previous = nullptr;
    // No read-modify-write, for the guard is held. Relaxed: one too many makes a watcher tick once
    // more, and nothing else.
    const size_t length = length_.load(std::memory_order_relaxed);
    length_.store(length - 1, std::memory_order_relaxed);
  }

  Item* head_ = nullptr;  // its `previous` may be stale: the cache line is another one's soon
  Item* tail_ = nullptr;
  Atomic<size_t> length_{0};
};

}}  // namespace trireme

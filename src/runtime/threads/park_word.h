// How a thread parks on a word of memory until another one unparks it. The kernel's part (futex) is
// an argument.
//
// Step: below all steps. Threads: one parks at a time; any may unpark.
//
//   kEmpty ---park---> kSleeping ---unpark, wakes---> kPermit ---park returns---> kEmpty
//   kEmpty ---unpark---> kPermit ---park returns at once---> kEmpty
//
// Functions over the atomic so that a model checker can run this very code.
#pragma once

#include <atomic>
#include <cstdint>

namespace trireme { inline namespace v0 {

enum ParkState : uint32_t { kParkEmpty = 0, kParkPermit = 1, kParkSleeping = 2 };

// One thread. `wait()` sleeps while the word is kParkSleeping; it may also return for no reason.
// False from it: the time is over. Returns whether there was a permit, which is taken.
//
// A permit is taken by an exchange, not by a plain store: between the look at it and the store
// another unpark may come, whose permit would go without what was done before it being seen.
template <class Word, class Wait>
bool park_on(Word& word, Wait wait) {
  uint32_t empty = kParkEmpty;
  if (word.compare_exchange_strong(empty, kParkSleeping, std::memory_order_relaxed)) {
    bool in_time = true;
    do {
      in_time = wait();
    } while (in_time && word.load(std::memory_order_relaxed) != kParkPermit);
  }
  // Acquire pairs with the release in unpark_from.
  return word.exchange(kParkEmpty, std::memory_order_acquire) == kParkPermit;
}

// The thread that parks. Takes the permit if it is there.
template <class Word>
bool take_permit(Word& word) {
  return word.load(std::memory_order_relaxed) == kParkPermit &&
         // Acquire pairs with the release in unpark_from.
         word.exchange(kParkEmpty, std::memory_order_acquire) == kParkPermit;
}

// Any thread. `wake()` wakes whoever sleeps in `wait()`.
template <class Word, class Wake>
void unpark_from(Word& word, Wake wake) {
  if (word.exchange(kParkPermit, std::memory_order_release) == kParkSleeping) wake();  // park_on
}

}}  // namespace trireme

// Stop tokens that are kept, or to be fired.
//
// Step 4. Thread: the holder of the loop; of a job that fires them, the thread that runs it.
// Allocates nothing: each carries its link.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "trireme/detail/stop.h"

namespace trireme { inline namespace v0 {

using detail::Stop;

class StopList {
 public:
  StopList() = default;
  StopList(StopList&& other) noexcept : first_(std::move(other.first_)) {}
  StopList& operator=(StopList&& other) noexcept {
    std::swap(first_, other.first_);
    return *this;
  }
  ~StopList() { clear(); }

  bool empty() const { return first_ == nullptr; }
  void push(std::unique_ptr<Stop> stop) {
    stop->next = std::move(first_);
    first_ = std::move(stop);
  }
  // Null: the list is empty.
  std::unique_ptr<Stop> pop() {
    std::unique_ptr<Stop> stop = std::move(first_);
    if (stop != nullptr) first_ = std::move(stop->next);
    return stop;
  }
  // That of request `number`; null: there is none.
  std::unique_ptr<Stop> take(uint64_t number) {
    std::unique_ptr<Stop>* link = &first_;
    while (*link != nullptr && (*link)->number != number) link = &(*link)->next;
    std::unique_ptr<Stop> stop = std::move(*link);
    if (stop != nullptr) *link = std::move(stop->next);
    return stop;
  }
  // One by one, however many there are.
  void clear() {
    while (pop() != nullptr) {
    }
  }

 private:
  std::unique_ptr<Stop> first_;
};

}}  // namespace trireme

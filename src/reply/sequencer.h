// Puts the replies of one connection back into request order.
//
// Step 5. Thread: the holder of the loop. Every request gets a number when it is decoded; the reply
// with the lowest open number may leave, later ones are held. Serial connections never hold any.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/buffers.h"
#include "runtime/check.h"
#include "trireme/answer.h"

namespace trireme::inline v0 {

class Sequencer {
 public:
  struct Held {
    uint64_t number;
    Answer answer;  // owned bytes only
    Charge charge;
  };

  // A new request. Numbers start at 1.
  uint64_t open() { return ++opened_; }

  // The latest `count` requests are given back: they have not been started.
  void take_back(uint64_t count) {
    CHECK(count <= in_flight(), "more requests given back than were open");
    opened_ -= count;
  }

  // True if the reply to `number` may leave now; the caller then sends it and calls left().
  bool is_next(uint64_t number) const { return number == left_ + 1; }
  // True if `number` still waits for its reply.
  bool is_open(uint64_t number) const {
    if (number <= left_ || number > opened_) return false;
    if (held_ == nullptr) return true;
    for (const Held& held : *held_) {
      if (held.number == number) return false;
    }
    return true;
  }
  void left(uint64_t count = 1) {
    left_ += count;
    CHECK(left_ <= opened_, "more replies than requests");
  }
  // Keeps a reply whose turn has not come.
  void hold(uint64_t number, Answer answer, Charge charge) {
    if (held_ == nullptr) held_ = std::make_unique<std::vector<Held>>();
    held_->push_back({number, std::move(answer), std::move(charge)});
  }
  // Takes the held reply whose turn has come, if there is one.
  bool take_next(Answer& answer) {
    if (held_ == nullptr) return false;
    for (Held& held : *held_) {
      if (!is_next(held.number)) continue;
      answer = std::move(held.answer);
      if (&held != &held_->back()) held = std::move(held_->back());
      held_->pop_back();
      if (held_->empty()) held_.reset();
      return true;
    }
    return false;
  }

  uint64_t in_flight() const { return opened_ - left_; }
  uint64_t next_to_leave() const { return left_ + 1; }

 private:
  uint64_t opened_ = 0;                      // number of the latest request
  uint64_t left_ = 0;                        // number of the latest reply that left
  std::unique_ptr<std::vector<Held>> held_;  // at most in_flight_max
};

}  // namespace trireme

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
  uint64_t open() {
    ++in_flight_;
    return ++opened_;
  }

  // The latest `count` requests are given back: they have not been started.
  void take_back(uint64_t count) {
    CHECK(count <= in_flight(), "more requests given back than were open");
    opened_ -= count;
    in_flight_ -= static_cast<uint32_t>(count);
  }

  // True if the reply to `number` may leave now; the caller then sends it and calls left().
  bool is_next(uint64_t number) const { return number == next_to_leave(); }
  // True if `number` still waits for its reply.
  bool is_open(uint64_t number) const {
    if (number < next_to_leave() || number > opened_) return false;
    if (held_ == nullptr) return true;
    for (const Held& held : *held_) {
      if (held.number == number) return false;
    }
    return true;
  }
  void left(uint64_t count = 1) {
    CHECK(count <= in_flight_, "more replies than requests");
    in_flight_ -= static_cast<uint32_t>(count);
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

  uint64_t in_flight() const { return in_flight_; }
  uint64_t next_to_leave() const { return opened_ - in_flight_ + 1; }

 private:
  uint64_t opened_ = 0;                      // number of the latest request
  std::unique_ptr<std::vector<Held>> held_;  // at most in_flight_max
  uint32_t in_flight_ = 0;                   // the latest requests: their replies have not left
};

}  // namespace trireme

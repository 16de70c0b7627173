// Puts the replies of one connection back into request order, and counts them where they have none.
//
// Step 5. Thread: the holder of the loop. Every request gets a number when it is decoded; the reply
// with the lowest open number may leave, later ones are held. Serial connections never hold any.
// However many are held, no step looks at more than one of them, but for the end.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "runtime/check.h"
#include "runtime/memory/buffers.h"
#include "trireme/answer.h"

namespace trireme { inline namespace v0 {

class Sequencer {
 public:
  struct Held {
    Answer answer;  // kept bytes only
    Charge charge;
  };
  // What a held reply costs besides its bytes: itself, its number, its links in the table.
  static constexpr size_t kHeldBytes = sizeof(Held) + 4 * sizeof(void*);

  // A new request. Numbers start at 1.
  uint64_t open() {
    ++in_flight_;
    return ++opened_;
  }

  // Of the request that is opened next.
  uint64_t next_number() const { return opened_ + 1; }

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
    return held_ == nullptr || !held_->contains(number);
  }
  void left(uint64_t count = 1) {
    CHECK(count <= in_flight_, "more replies than requests");
    in_flight_ -= static_cast<uint32_t>(count);
  }
  // Keeps a reply whose turn has not come.
  void hold(uint64_t number, Answer answer, Charge charge) {
    if (held_ == nullptr) held_ = std::make_unique<Table>();
    held_->emplace(number, Held{std::move(answer), std::move(charge)});
  }
  // True if the reply whose turn has come is here.
  bool holds_next() const { return held_ != nullptr && held_->contains(next_to_leave()); }
  // Takes the held reply whose turn has come, if there is one.
  bool take_next(Answer& answer) {
    if (held_ == nullptr) return false;
    const auto found = held_->find(next_to_leave());
    if (found == held_->end()) return false;
    answer = std::move(found->second.answer);
    held_->erase(found);
    if (held_->empty()) held_.reset();
    return true;
  }

  // Of those that are held: answers of a decoder, to no request.
  uint64_t held_of_decoder() const {
    uint64_t count = 0;
    if (held_ == nullptr) return 0;
    for (const auto& [number, held] : *held_) {
      if (held.answer.kind() == Answer::Kind::kAsIs) ++count;
    }
    return count;
  }

  uint64_t in_flight() const { return in_flight_; }
  uint64_t next_to_leave() const { return opened_ - in_flight_ + 1; }

 private:
  using Table = std::unordered_map<uint64_t, Held>;  // by number

  uint64_t opened_ = 0;          // number of the latest request
  std::unique_ptr<Table> held_;  // at most in_flight_max; none where nothing is held
  uint32_t in_flight_ = 0;       // the latest requests: their replies have not left
};

}}  // namespace trireme

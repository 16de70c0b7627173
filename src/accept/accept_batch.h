// Step 1: how many clients are taken from one listening socket in one turn of its loop.
//
// Thread: the holder of the loop. A listening socket is level-triggered, so that nobody is
// forgotten who is left in the backlog, and to ask once more whether somebody is there is a system
// call for nothing: one for each client where they come one by one. So one client is taken in a
// turn, and many in a burst: four times as many each time that the socket is ready again in the
// next turn. When that was too many, somebody was asked for in vain, and the next guess waits for
// some turns.
#pragma once

#include <algorithm>
#include <cstdint>

namespace trireme { inline namespace v0 {

class AcceptBatch {
 public:
  static constexpr uint32_t kMax = 64;  // a burst must not starve the clients that are here

  // The socket is ready in turn number `turn`. How often to call accept.
  uint32_t begin(uint64_t turn) {
    const bool again = turn == last_turn_ + 1;
    last_turn_ = turn;
    if (calm_turns_ > 0) {
      --calm_turns_;
    } else {
      size_ = again ? std::min(size_ * 4, kMax) : 1;
    }
    return size_;
  }

  // Nobody was left after `taken` calls.
  void ran_dry(uint32_t taken) {
    size_ = std::max(taken, 1u);
    calm_turns_ = kCalmTurns;
  }

 private:
  static constexpr uint32_t kCalmTurns = 8;

  uint64_t last_turn_ = UINT64_MAX - 1;  // of no turn
  uint32_t size_ = 1;
  uint32_t calm_turns_ = 0;
};

}}  // namespace trireme

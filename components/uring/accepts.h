// Clients that come out of the multishot accepts of listening sockets: rule 6 of uring_driver.h.
//
// Step: below step 1. Thread: the holder of the loop. Bounded: one accept a listening socket; after
// a pause clients come one at a time, until kSingleAccepts have come.
#pragma once

#include <cstdint>

#include "runtime/drivers/driver.h"
#include "uring/channel_table.h"
#include "uring/events.h"
#include "uring/ring.h"

namespace trireme { inline namespace v0 { namespace uring {

class Accepts {
 public:
  // `accepts_many`: by one operation, if the kernel can.
  Accepts(Kernel& kernel, Ring& ring, Events& events, bool accepts_many)
      : kernel_(kernel), ring_(ring), events_(events), accepts_many_(accepts_many) {}

  void start(ChannelState& state, uint32_t who);
  void stop(ChannelState& state, uint32_t who);
  // From now on one at a time: the listening socket is paused.
  static void slow_down(ChannelState& state) { state.accepting = {.one_at_a_time = true}; }
  void take(ChannelState& state, uint32_t who, const Done& done);
  bool give(const ChannelState& state, int32_t result, Completion& out);

 private:
  static constexpr uint8_t kSingleAccepts = 16;  // in a row, then many by one operation again

  Kernel& kernel_;
  Ring& ring_;
  Events& events_;
  bool accepts_many_;
  SocketAddress last_peer_;  // of the completion before
};

}}}  // namespace trireme::uring

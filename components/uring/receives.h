// The multishot receives of channels, and the buffers that they fill: rules 1 and 2 of
// uring_driver.h.
//
// Step: below step 2. Thread: the holder of the loop. Bounded: one receive a channel; one buffer is
// lent to the caller at a time.
#pragma once

#include <cstdint>
#include <span>

#include "uring/channel_table.h"
#include "uring/events.h"
#include "uring/ring.h"

namespace trireme { inline namespace v0 { namespace uring {

class Receives {
 public:
  Receives(BufferedRing& ring, Events& events) : own_(ring), ring_(ring.ring), events_(events) {}

  void begin_turn() { starved_ = has_grown_ = false; }
  // Something came in this turn that found no buffer.
  bool is_starved() const { return starved_; }

  void start(ChannelState& state, uint32_t who);
  void stop(ChannelState& state, uint32_t who);
  void take(ChannelState& state, uint32_t who, const Done& done);

  // The bytes of kData, until give_back().
  std::span<char> lend(ChannelState& state, const Event& event);
  void give_back();
  // By what has come: streams fill small buffers one after the other; large ones are few.
  void choose_group(ChannelState& state, const Event& event);

 private:
  static constexpr uint32_t kFullReads = 4;     // in a row, then larger buffers
  static constexpr uint32_t kLittleReads = 16;  // in a row, then small ones again

  BufferGroup& group_of(bool large) { return large ? own_.large : own_.small; }

  BufferedRing& own_;
  Ring& ring_;  // of `own_`
  Events& events_;
  bool starved_ = false;
  bool has_grown_ = false;  // in this turn

  bool is_lent_ = false;
  bool lent_large_ = false;
  uint16_t lent_buffer_ = 0;
};

}}}  // namespace trireme::uring

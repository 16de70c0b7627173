// What a driver on io_uring knows of its channels. Each part of a channel's state is of one class.
//
// Step: below steps 1, 2 and 6. Thread: the holder of the loop. Bounded: as many places as there
// were channels at a time. A place is taken until the kernel has ended all that it did for the
// channel, and that was told.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/drivers/channel.h"
#include "uring/held_input.h"

namespace trireme { inline namespace v0 { namespace uring {

struct ChannelState {
  // Of Receives and Accepts: the operation that brings bytes, or clients.
  struct Receiving {
    bool runs : 1 = false;      // in the kernel, and...
    bool stopping : 1 = false;  // ...was told to end
    bool start_queued : 1 = false;
    bool reads_large : 1 = false;  // from now on
    bool in_large : 1 = false;     // the receive in the kernel
    uint8_t run_of_reads = 0;      // that would fit the other buffers
    uint32_t undelivered = 0;      // bytes in events
  };
  // Of Accepts.
  struct Accepting {
    bool one_at_a_time = false;  // from now on
    uint8_t run = 0;             // so many went well
  };
  // Of Sends. In the arena of this turn, and what came back from the last one.
  struct Sending {
    uint32_t staged_at = 0, staged_bytes = 0;
    char* unsent = nullptr;
    uint32_t unsent_bytes = 0;
    int unsent_error = 0;
    bool stage_queued : 1 = false;
    bool wants : 1 = false;           // to be told kWritable
    bool waits_writable : 1 = false;  // in the kernel
  };

  Channel* channel = nullptr;
  uint8_t operations = 0;  // that the kernel has not ended
  bool wants_read : 1 = false;
  bool over : 1 = false;    // an end or an error has come from the kernel
  bool ended : 1 = false;   // and was told
  bool failed : 1 = false;  // as an error
  bool closing : 1 = false;
  bool release_queued : 1 = false;
  bool read_queued : 1 = false;    // of the driver: what is held may be told
  bool waits_hang_up : 1 = false;  // in the kernel
  HeldInput held;
  Receiving receiving;
  Accepting accepting;
  Sending sending;
};

class ChannelTable {
 public:
  // `who`: Channel::place.
  ChannelState& at(uint32_t who) { return states_[who]; }
  ChannelState& of(const Channel& channel) { return states_[channel.place]; }

  // References to other states end with it.
  ChannelState& take(Channel& channel) {
    uint32_t who = static_cast<uint32_t>(states_.size());
    if (free_.empty()) {
      states_.emplace_back();
    } else {
      who = free_.back();
      free_.pop_back();
    }
    states_[who].channel = &channel;
    channel.place = who;
    return states_[who];
  }

  // Closed, and the kernel has ended all: it is to be told.
  void try_release(ChannelState& state, uint32_t who) {
    if (!state.closing || state.operations > 0 || state.release_queued) return;
    state.release_queued = true;
    closed_.push_back(who);
  }
  bool has_closed() const { return !closed_.empty(); }
  // A channel whose end is told now; its place is free. Null: there is none.
  Channel* release_next() {
    if (closed_.empty()) return nullptr;
    const uint32_t who = closed_.back();
    closed_.pop_back();
    Channel* const channel = states_[who].channel;
    states_[who] = ChannelState();
    free_.push_back(who);
    return channel;
  }

 private:
  std::vector<ChannelState> states_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> closed_;  // to be told
};

}}}  // namespace trireme::uring

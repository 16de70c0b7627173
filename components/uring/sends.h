// The send direction of all channels: rule 4 of uring_driver.h. Little sends are gathered in the
// arena of a turn and start with its wait; what did not leave comes back.
//
// Step: below step 6. Thread: the holder of the loop. Bounded: kArenaBytes a turn, of which there
// are two: the other one holds what came back from the last wait.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/counters.h"
#include "runtime/drivers/driver.h"
#include "uring/channel_table.h"
#include "uring/events.h"
#include "uring/ring.h"

namespace trireme { inline namespace v0 { namespace uring {

class Sends {
 public:
  Sends(Kernel& kernel, LoopCounters& counters, Ring& ring, ChannelTable& channels, Events& events);

  Sent send(ChannelState& state, uint32_t who, std::span<const iovec> pieces);
  // What is gathered was settled before.
  Sent send_file(ChannelState& state, const FilePart& part);
  // What is gathered, or came back, leaves now as far as the socket takes it. Only while is_open().
  Unsent settle(ChannelState& state);
  // What is gathered leaves now. What does not stays gathered.
  void hurry(ChannelState& state);
  // The channel closes.
  void close(ChannelState& state, uint32_t who);
  // Bytes that neither the socket has nor the caller.
  static size_t bytes(const ChannelState& state) {
    return size_t{state.sending.staged_bytes} + state.sending.unsent_bytes;
  }

  // What was gathered is started by the ring, with its next enter().
  void start_all();
  // That is under way: nothing may be gathered until the ring has started everything.
  void shut() { is_open_ = false; }
  bool is_open() const { return is_open_; }
  // The ring has started everything, so all that was gathered has left, or was told not to.
  void open();

  // Completions.
  void take_unsent(ChannelState& state, uint32_t who, int32_t result);
  void take_writable(ChannelState& state, uint32_t who, const Done& done);
  bool give_writable(ChannelState& state, Completion& out);
  bool give_unsent(ChannelState& state, Completion& out);

 private:
  static constexpr size_t kArenaBytes = 64 << 10;     // sent in one wait
  static constexpr size_t kGatherBytesMax = 8 << 10;  // larger sends are made at once

  void wait_writable(ChannelState& state, uint32_t who);
  bool stage(ChannelState& state, uint32_t who, std::span<const iovec> pieces, size_t total);
  Sent send_now(ChannelState& state, std::span<const iovec> pieces, size_t total);
  char* staged(const ChannelState& state) const {
    return arenas_[arena_].get() + state.sending.staged_at;
  }

  Kernel& kernel_;
  LoopCounters& counters_;
  Ring& ring_;
  ChannelTable& channels_;
  Events& events_;
  std::array<std::unique_ptr<char[]>, 2> arenas_;
  uint32_t arena_ = 0, arena_used_ = 0;
  std::vector<uint32_t> staged_;  // who has gathered something in this turn
  bool is_open_ = true;
};

}}}  // namespace trireme::uring

// The places for connections, connections_max of them, and the turns of the loops that wait for one
// to accept.
//
// Step 1, and the end of a connection. Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/event_loop.h"

namespace trireme { inline namespace v0 {

// What a loop waits for that accepts and has paused.
enum class AcceptWait : uint8_t { kNothing, kPlace, kDescriptor };

class Places {
 public:
  // `loops`: all that may accept, `loops_count` in the end; the owner may fill it later.
  Places(size_t connections_max, size_t loops_count,
         const std::vector<std::unique_ptr<EventLoop>>& loops);

  size_t connections_max() const { return connections_max_; }

  // Any thread. A place for one more connection; false: as many are open, or on their way to a
  // loop, as are allowed.
  [[nodiscard]] bool enter();
  bool is_full() const { return live_.load() >= connections_max_; }
  // Any thread. The place is free again, and one of the loops that wait for one is told.
  void leave();
  // Any thread. The same for a place that was of no use, because accept(2) has failed: nobody is
  // told, for the next loop would fail as this one did.
  void give_back();

  // Any thread. One `freed` has become free: one of the loops that wait for it has its turn to look
  // (kMailResume), each after the others. Which of them has clients that wait, only its own socket
  // knows: a loop that finds nobody calls this again, and so the turn goes on.
  void give_turn(AcceptWait freed);
  // The holder of the loop `index`, which accepts: what give_turn is to tell it of. It asks for
  // room after it has said so, or it may miss the last who makes some.
  void note_accept_waits(uint32_t index, AcceptWait waits_for);

 private:
  const size_t connections_max_;
  const std::vector<std::unique_ptr<EventLoop>>& loops_;
  // These three seq_cst: who makes room asks for pauses after its decrement, who pauses asks for
  // room after its note.
  std::atomic<uint64_t> live_{0};                           // adopted or on their way to a loop
  std::array<std::atomic<int32_t>, 3> waits_count_{};       // by AcceptWait
  const std::unique_ptr<std::atomic<AcceptWait>[]> waits_;  // by loop
  std::atomic<uint32_t> next_turn_{0};                      // a hint: relaxed
};

}}  // namespace trireme

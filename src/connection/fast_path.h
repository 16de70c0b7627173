// The common cases in one piece: whole requests arrive for a connection that does nothing else, and
// every one is answered in the loop, each with a small plain answer, or one with a large one; or
// all of them are with a data worker, which sends such answers itself.
//
// Steps 2 to 6. Thread: the holder of the loop. What Receiver and Finisher find out one after the
// other is asked here at once. It matters because the kernel throws our code out of the caches with
// every call: the instructions of a request cost little, the number of places that they are in
// costs a lot. Whatever is special in any way takes the long way. Built without
// TRIREME_FAST_PATH everything does, and clients must see the same (tests/seeds).
#pragma once

#include "connection/connection.h"
#include "connection/replies.h"
#include "connection/sender.h"
#include "connection/turn.h"
#include "handling/job_pool.h"
#include "handling/jobs_out.h"
#include "handling/placer.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Dispatcher;

class FastPath {
 public:
#ifdef TRIREME_NO_FAST_PATH
  static constexpr bool kIsOn = false;
#else
  static constexpr bool kIsOn = true;
#endif

  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    EventLoop& loop;
    Books& books;
    Placer& placer;
    JobPool& pool;
    JobsOut& out;
    Turn& turn;
    Dispatcher& dispatcher;
    Sender& sender;
    Replies& replies;
  };
  explicit FastPath(const Parts& parts) : parts_(parts) {}

  // Bytes that have arrived for this connection can only be requests, and may be handled now.
  static bool may_start(const Connection& connection) {
    const bool at_work = connection.running_count > 0 || connection.sequencer.in_flight() > 0;
    return kIsOn && !at_work && !connection.input.has_block() && connection.is_plain() &&
           (!connection.listening->has_session || connection.life.is_session_open());
  }
  // A job that has kept its loop. True: its replies have left, or wait in the write queue, and it
  // is recycled. False: nothing was done.
  [[nodiscard]] bool finish(Job& job);
  // A job that comes home from a data worker. True: it left nothing to do (Finisher), and is
  // recycled. False: nothing was done.
  [[nodiscard]] bool finish_written(Job& job);
  // At the end of its turn. True: all that had arrived for the connection at hand is with a data
  // worker, and there is nothing to do until it comes home. No clock runs meanwhile, for there is
  // no deadline (is_plain), and reading goes on.
  bool is_out(const Connection& connection) const {
    const Listening& listening = *connection.listening;
    return kIsOn && connection.running_count == 1 && !parts_.turn.was_cut_short() &&
           parts_.turn.received().empty() && !connection.input.has_block() &&
           !parts_.sender.has_gathered(connection) && connection.is_plain() &&
           !listening.has_session && listening.reads_ahead &&
           !parts_.context.buffers.under_pressure() && !connection.sequencer.holds_next();
  }

 private:
  void retire(Connection& connection, Job& job);

  const Parts parts_;
};

}}  // namespace trireme

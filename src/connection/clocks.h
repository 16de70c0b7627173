// The clocks of a connection - its transport layers, the first byte, idle, a whole request in, a
// whole reply out, the handler - and the two of its ending, on one timer: it is armed for the
// earliest of them or earlier, and looks again when it fires. So the traffic of a busy connection
// never touches the timer wheel.
//
// Steps 2 to 6. Thread: the holder of the loop. Bounded: one timer a connection.
//
// A clock that runs out accuses; it does not judge. The process may have been stopped, the loop
// busy with others, the last wait unable to tell of all. So:
// 1. The client's own socket is asked before it is closed. What waits there, or on its way from
//    there to a request, has come in time: it is heard first.
// 2. Where a client could put off its end for ever by sending on, only what had arrived when the
//    clock ran out is heard.
// 3. A clock stands still while it is we who do not read, or do not decode.
// 4. `last_activity` is the begin of a turn, which may be long. The kernel knows better.
#pragma once

#include "connection/connection.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Ending;
class Receiver;
class Replies;
class Sender;
class Turn;

class Clocks {
 public:
  Clocks(ServerContext& context, EventLoop& loop, Turn& turn, const Receiver& receiver,
         Sender& sender, Replies& replies, Ending& ending)
      : context_(context),
        loop_(loop),
        turn_(turn),
        receiver_(receiver),
        sender_(sender),
        replies_(replies),
        ending_(ending) {}

  // The timer of the connection is due.
  void on_timer(Connection& connection);
  // For the clock that runs out first.
  void arm(Connection& connection);
  // The first byte has come, or goes. Its batch arms the timer anew: for later, so that a server of
  // idle connections is not woken for nothing.
  void end_silence(Connection& connection);
  // A part of a request waits for more, or we read on.
  void start_request(Connection& connection);
  // The body of a request begins, or we read on.
  void start_body(Connection& connection);
  // Its layers are through: as if it had been accepted now.
  void end_handshake(Connection& connection);
  // FIN was sent. The timer is armed for the end of the grace, exactly.
  void start_lingering(Connection& connection);

 private:
  TimePoint next_deadline(const Connection& connection) const;
  void judge_lingering(Connection& connection) REQUIRES(loop_);
  void judge_writing(Connection& connection) REQUIRES(loop_);
  void judge_arrived(Connection& connection, CloseReason reason) REQUIRES(loop_);
  void judge_body(Connection& connection) REQUIRES(loop_);
  void judge_idle(Connection& connection) REQUIRES(loop_);
  bool input_waits(Connection& connection) REQUIRES(loop_);
  void look_again(Connection& connection) REQUIRES(loop_);

  ServerContext& context_;
  EventLoop& loop_;
  Turn& turn_;
  const Receiver& receiver_;
  Sender& sender_;
  Replies& replies_;
  Ending& ending_;
};

}}  // namespace trireme

// The requests of connections that wait for their replies: answers leave in request order, and do
// what they ask for besides.
//
// Step 5. Thread: the holder of the loop. Every request is opened here when it is read, and retired
// here when its reply has left, whoever sent that. Bounded: in_flight_max requests of a connection
// are open; held answers are charged to the budget; of one connection Turn::kFramesMax held answers
// leave in a turn.
#pragma once

#include <cstdint>
#include <string_view>

#include "connection/connection.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Ending;
class Finisher;
class Sender;
class Turn;

class Replies {
 public:
  Replies(ServerContext& context, EventLoop& loop, Turn& turn, Sender& sender, Ending& ending,
          Finisher& finisher)
      : context_(context),
        loop_(loop),
        books_(context.books(loop.index())),
        turn_(turn),
        sender_(sender),
        ending_(ending),
        finisher_(finisher) {}

  // Gives a request that was read its number. `job`: what will handle it; null: nothing. 0: there
  // is no memory to note its deadline.
  uint64_t open(Connection& connection, Job* job) {
    if (connection.listening->has_deadline() && !note_started(connection, job)) return 0;
    return connection.sequencer.open();
  }
  // The next `count` requests are finished: their replies have left, or never will. With a handler
  // deadline that is one.
  static void retire(Connection& connection, uint32_t count) {
    connection.sequencer.left(count);
    if (connection.started() != nullptr) connection.started()->pop_front();
  }

  // The reply to request `number`: leaves if it is its turn, and takes the held ones behind it
  // along.
  void answer(Connection& connection, uint64_t number, Answer answer);
  // A large answer whose turn it is, and with nothing gathered: sent from where it is.
  void send_alone(Connection& connection, Answer& answer);
  // Replies whose turn has come while they were held. Others have their turn between many of them.
  void leave_held(Connection& connection);
  // The deadline of request `number` has passed: its handler is not started, or told, and the
  // client has an error reply.
  void expire(Connection& connection, uint64_t number);
  // With a handler deadline. The entry of a request whose reply has not left, or null.
  static Connection::Started* started(Connection& connection, uint64_t number);

 private:
  [[nodiscard, gnu::noinline]] bool note_started(Connection& connection, Job* job);
  [[nodiscard]] bool hold(Connection& connection, uint64_t number, Answer& answer);
  void leave_in_turn(Connection& connection, Answer& answer);
  void leave(Connection& connection, Answer& answer);
  Answer refuse_switch(const Connection& connection);
  void switch_codec(Connection& connection, const Answer& answer);
  [[nodiscard]] bool write(Connection& connection, Answer& answer);
  [[nodiscard]] bool ask_envelope(Connection& connection, size_t body_bytes, Envelope& into);
  [[nodiscard]] bool ask_error_reply(Connection& connection, const Answer& answer,
                                     ErrorReply& into);
  void fail(Connection& connection, std::string_view mistake);

  ServerContext& context_;
  EventLoop& loop_;
  Books& books_;
  Turn& turn_;
  Sender& sender_;
  Ending& ending_;
  Finisher& finisher_;
};

}}  // namespace trireme

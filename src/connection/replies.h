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
#include "connection/framer.h"
#include "connection/streams.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Cancels;
class Ending;
class Finisher;
class Layers;
class Sender;
class Turn;

class Replies {
 public:
  Replies(ServerContext& context, EventLoop& loop, Turn& turn, Sender& sender, Ending& ending,
          Finisher& finisher, Cancels& cancels, Layers& layers)
      : context_(context),
        loop_(loop),
        books_(context.books(loop.index())),
        turn_(turn),
        framer_(turn),
        sender_(sender),
        ending_(ending),
        finisher_(finisher),
        cancels_(cancels),
        layers_(layers),
        streams_({context, loop, books_, sender, *this, ending, cancels}) {}

  // Gives a request that was read its number. `job`: what will handle it; null: nothing. 0: there
  // is no memory to note its deadline.
  uint64_t open(Connection& connection, Job* job) {
    if (connection.listening->notes_requests && !note(connection, job, {})) return 0;
    return connection.sequencer.open();
  }
  // The same, with what its decoder has left with it.
  uint64_t open_marked(Connection& connection, Job* job, const RequestMark& mark) {
    return note(connection, job, mark) ? connection.sequencer.open() : 0;
  }
  // `count` requests from `number` on are finished: their replies have left, or never will. Of
  // those that are noted it is one.
  static void retire(Connection& connection, uint64_t number, uint32_t count) {
    connection.sequencer.left(count);
    if (connection.open_requests() != nullptr) connection.open_requests()->retire(number);
  }
  // The reply to request `number` has not left, and none is held.
  static bool is_open(const Connection& connection, uint64_t number) {
    return connection.listening->is_unordered ? find(connection, number) != nullptr
                                              : connection.sequencer.is_open(number);
  }

  // The reply to request `number`: leaves if it is its turn, and takes the held ones behind it
  // along.
  void answer(Connection& connection, uint64_t number, Answer answer);
  // A large answer whose turn it is, and with nothing gathered: sent from where it is.
  void send_alone(Connection& connection, Answer& answer);
  // A streamed reply has left, or never will.
  void retire_streamed(Connection& connection, uint64_t number);
  // The reply that has just left is the last one, where replies have an order.
  void end_behind(Connection& connection, CloseReason reason);
  // Replies whose turn has come while they were held. Others have their turn between many of them.
  void leave_held(Connection& connection);
  // The deadline of request `number` has passed: its handler is not started, or told, and the
  // client has an error reply.
  void expire(Connection& connection, uint64_t number);
  // What is noted of a request whose reply has not left; null: nothing.
  static OpenRequests::Entry* find(const Connection& connection, uint64_t number) {
    OpenRequests* const noted = connection.open_requests();
    return noted != nullptr && connection.is_live() ? noted->find(number) : nullptr;
  }
  // Those that are streamed.
  Streams& streams() { return streams_; }
  // What frames them, and pushes.
  Framer& framer() { return framer_; }
  // The codec has no reply for an answer. No further one leaves: the client would take it for the
  // answer to another request.
  void fail(Connection& connection, std::string_view mistake);

 private:
  [[nodiscard, gnu::noinline]] bool note(Connection& connection, Job* job, const RequestMark& mark);
  [[nodiscard]] bool hold(Connection& connection, uint64_t number, Answer& answer);
  void leave_in_turn(Connection& connection, uint64_t number, Answer& answer);
  void leave(Connection& connection, const RequestMark& mark, Answer& answer);
  static bool may_switch(const Connection& connection);
  Answer refuse_switch(const Connection& connection);
  void change(Connection& connection, const Answer& answer, bool closes);
  void switch_codec(Connection& connection, const Answer& answer);
  void start_layer(Connection& connection, const std::shared_ptr<const LayerFactory>& layer);
  [[nodiscard]] bool write(Connection& connection, const RequestMark& mark, Answer& answer,
                           bool& closes);
  [[nodiscard]] bool write_failure(Connection& connection, const RequestMark& mark,
                                   const Answer& answer, bool& closes, CloseReason& reason);

  ServerContext& context_;
  EventLoop& loop_;
  Books& books_;
  Turn& turn_;
  Framer framer_;
  Sender& sender_;
  Ending& ending_;
  Finisher& finisher_;
  Cancels& cancels_;
  Layers& layers_;
  Streams streams_;
};

}}  // namespace trireme

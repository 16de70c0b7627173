// The strand of a session: what it is called for besides its requests - timers, functions of
// others, room to write - comes one at a time, in its turn, as jobs.
//
// Step 4. Thread: the holder of the loop. Nothing of a user's runs here: a timer that is due and a
// call that arrives make a job, which starts where the dispatch policy says.
//
// 1. Such a job never runs beside another callback of its session. It runs while a reply is
//    outstanding, and beside requests if these may run side by side (kPipelined, kUnordered).
// 2. Requests and events take turns, so that neither keeps the other from running.
// 3. As long as the connection is open, or replies are due; then nothing is left to be said.
// 4. They may become due for all connections at once, so their jobs are charged to the budget. When
//    it is used up they come one at a time, in each loop: a timer may be what makes room.
// 5. Of one connection they count among the frames of a turn: others have their turn, too.
#pragma once

#include <memory>
#include <utility>

#include "connection/connection.h"
#include "connection/dispatcher.h"
#include "connection/turn.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Ending;
class Slots;

class Strand {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    EventLoop& loop;
    Slots& slots;
    Turn& turn;
    Dispatcher& dispatcher;
    Ending& ending;
  };
  explicit Strand(const Parts& parts) : parts_(parts) {}

  // kMailTimer, kMailCall and kMailRoom.
  void open(std::unique_ptr<ConnectionMail> mail);
  // The timer of a session is due, or was.
  void on_timer(SessionEvents& events);

  // A body begins whose parts go to the session. Throws where the system has no memory.
  void relay(Connection& connection, std::shared_ptr<BodyRelay> body);
  // No part of this one is to come any more; without effect if none would.
  void forget_body(Connection& connection, const IncomingBody& body);

  // For the connection at hand: the job of an event that is due. Null: there is none, it may not
  // run now, it is the turn of a request, or there is no memory, and the connection is closed.
  Job* next(Connection& connection) {
    SessionEvents* const events = connection.events();
    if (events == nullptr || std::exchange(events->had_turn, false)) return nullptr;
    return make(connection);
  }
  // The same when no request may start.
  Job* next_without_request(Connection& connection) {
    return connection.events() == nullptr ? nullptr : make(connection);
  }
  // The job of an event is finished.
  void finish(Connection& connection, Job& job);
  // The connection is closed: of its timers none will be told, and no call starts.
  void stop(Connection& connection);

 private:
  Job* make(Connection& connection);
  [[nodiscard]] bool charge(Job& job);
  void take_part(Connection& connection, Job& job) REQUIRES(parts_.loop);
  bool may_run(const Connection& connection) const;
  bool finds_room(Connection& connection) REQUIRES(parts_.loop);
  void want_room(Connection& connection, bool of_budget) REQUIRES(parts_.loop);
  void look_again_later(SessionEvents& events) REQUIRES(parts_.loop);
  void set_timer(Connection& connection, const TimerMail& mail) REQUIRES(parts_.loop);
  void add_call(Connection& connection, std::unique_ptr<CallMail> mail);
  void arm(SessionEvents& events) REQUIRES(parts_.loop);
  void forget_if_empty(Connection& connection);
  SlotRecord& record(const Connection& connection) const;

  const Parts parts_;
  bool has_uncharged_ = false;  // a job of an event that found no room in the budget
};

}}  // namespace trireme

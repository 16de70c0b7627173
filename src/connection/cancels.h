// Tells those who work for a request that nobody waits for it any more: flags and wakes handlers at
// once, and has the stop tokens fired by jobs, for these call what is the user's.
//
// Steps 4 and 5. Thread: the holder of the loop. Bounded: a request has one token at most, which
// allocates nothing here. It lives as long as its job, then, if its Reply is kept, until that is
// answered.
#pragma once

#include <cstdint>

#include "connection/connection.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Dispatcher;
class Turn;

class Cancels {
 public:
  Cancels(ServerContext& context, EventLoop& loop, Turn& turn, Dispatcher& dispatcher)
      : context_(context), loop_(loop), turn_(turn), dispatcher_(dispatcher) {}

  // A job that may run.
  void cancel(Job& job, CancelReason reason);
  // All jobs of the connection, and all requests whose Reply is kept.
  void cancel_all(Connection& connection, CancelReason reason);
  // A request whose Reply is kept has missed its deadline.
  void cancel_kept(Connection& connection, uint64_t number);
  // A job is finished that has a token: it goes on if its Reply is kept.
  void keep(Connection& connection, Job& job);
  // The reply to request `number` has left.
  void forget(Connection& connection, uint64_t number) {
    if (connection.rare != nullptr && !connection.rare->kept_stops.empty())
      drop_kept(connection, number);
  }
  // The job that fires tokens which are due. Null: there are none; or there is no memory, and it is
  // tried again. It runs beside all other jobs of its connection.
  Job* next(Connection& connection) {
    return connection.has_stops_due() ? make(connection) : nullptr;
  }

 private:
  Job* make(Connection& connection);
  void drop_kept(Connection& connection, uint64_t number);
  void add_due(Connection& connection, std::unique_ptr<Stop> stop);

  ServerContext& context_;
  EventLoop& loop_;
  Turn& turn_;
  Dispatcher& dispatcher_;
};

}}  // namespace trireme

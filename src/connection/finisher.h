// The one end of every job, whether it kept its loop, lost it, or ran on a data worker: what its
// handlers have left behind is applied, what they did not run goes back to the connection.
//
// Steps 4 and 5. Thread: the holder of the loop. Bounded: a job holds JobRequests::kMax requests;
// kLooksATurn jobs that are out are looked at in a turn.
#pragma once

#include "connection/connection.h"
#include "connection/dispatcher.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Ending;
class Pushes;
class Replies;
class Sender;
class Slots;
class Turn;

class Finisher {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    EventLoop& loop;
    Books& books;
    Placer& placer;
    JobsOut& out;
    InputBlocks& input_blocks;
    Slots& slots;
    Turn& turn;
    Dispatcher& dispatcher;
    Sender& sender;
    Pushes& pushes;
    Replies& replies;
    Ending& ending;
  };
  explicit Finisher(const Parts& parts) : parts_(parts) {}

  // Its replies leave, with all else that it left behind; it is recycled.
  void finish(Job& job);
  // The replies that have gathered by then leave, while the job still runs on a thread that is not
  // ours.
  void leave_early(Job& job, GatheredReplies::Part published);
  // The same for jobs that are out for long. Returns when to look again.
  TimePoint look_at_jobs_out();

  // Nobody waits for its replies any more: if no thread has come for it, it is finished. True: so
  // it was.
  bool withdraw(Job& job);
  // All requests of the connection that wait for a data worker: none of them will be answered.
  void withdraw_all(Connection& connection);

 private:
  static constexpr int kLooksATurn = 64;

  void finish_callback(Connection& connection, Job& job);
  void finish_requests(Connection& connection, Job& job);
  void finish_unstarted(Connection& connection, Job& job);
  void finish_written(Connection& connection, Job& job);
  void open_outbox(Job& job);
  void give_back(Connection& connection, Job& job);
  [[nodiscard]] bool put_back(Connection& connection, Job& job);
  void leave_gathered(Connection& connection, Job& job, GatheredReplies::Part part);

  const Parts parts_;
};

}}  // namespace trireme

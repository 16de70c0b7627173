// The one end of every job, whether it kept its loop, lost it, or ran on a data worker: what its
// handlers have left behind is applied, what they did not run goes back to the connection.
//
// Steps 4 and 5. Thread: the holder of the loop. Bounded: a job holds JobRequests::kMax requests;
// kLooksATurn jobs that are out are looked at in a turn.
#pragma once

#include <memory>

#include "connection/connection.h"
#include "connection/dispatcher.h"
#include "connection/sender.h"
#include "connection/turn.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Cancels;
class Ending;
class ObjectDecoding;
class Pushes;
class Replies;
class Slots;
class Strand;

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
    Strand& strand;
    Cancels& cancels;
    ObjectDecoding& objects;
  };
  explicit Finisher(const Parts& parts) : parts_(parts) {}

  // Its replies leave, with all else that it left behind; it is recycled.
  void finish(Job& job);
  // Before that. True: the connection at hand waits for nothing but these replies, which are small,
  // or one large one. So they leave at once, and not with the end of its turn.
  static bool is_all_there_is(const Turn& turn, const Sender& sender, const Connection& connection,
                              const Job& job) {
    const bool nothing_left = turn.is_at_hand(connection) && turn.received().empty() &&
                              !connection.input.has_block() && !sender.has_gathered();
    // No other request waits for its turn: with Ordering::kPipelined a Reply may be kept.
    const bool all_here =
        connection.running_count == 1 && connection.sequencer.in_flight() == job.requests.count;
    return nothing_left && all_here && connection.is_plain() && job.has_simple_answers() &&
           !job.home.lost_loop;
  }
  // Before that. True: a data worker has sent all of its replies, and the connection waits for
  // nothing but its next request. So it needs no turn.
  static bool leaves_nothing(const Connection& connection, const Job& job) {
    const bool all_left =
        job.direct.was_written() && job.direct.bytes() == job.replies.all().bytes &&
        job.direct.error() == 0 && !job.outbox.has_answer() && job.replies.left_count() == 0;
    const bool nothing_else = connection.running_count == 1 && !connection.input.has_block() &&
                              connection.sequencer.in_flight() == job.requests.count;
    return all_left && nothing_else && job.has_simple_answers() && connection.is_plain();
  }
  // Mail for a connection, which may be gone: an answer, a push, an end, what its session is called
  // for.
  void open(std::unique_ptr<ConnectionMail> mail);
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
  void finish_switch(Connection& connection, Job& job);
  void finish_requests(Connection& connection, Job& job);
  void finish_body(Connection& connection, Job& job);
  void finish_unstarted(Connection& connection, Job& job);
  void refuse_all(Connection& connection, const Job& job);
  void finish_written(Connection& connection, Job& job);
  void open_outbox(Job& job);
  void open_stream(Connection* connection, StreamMail& mail);
  void give_back(Connection& connection, Job& job);
  [[nodiscard]] bool put_back(Connection& connection, Job& job);
  void leave_gathered(Connection& connection, Job& job, GatheredReplies::Part part);

  const Parts parts_;
};

}}  // namespace trireme

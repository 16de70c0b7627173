// The I/O worker: turns a loop, and connects the connections that live in it with the steps that
// their requests go through.
//
// Steps 1 to 6. Thread: the holder of the loop - a different thread after each hand-over. What is
// done with a request is done by the classes of connection/steps.h.
//
// The turn (flat dispatch): handlers start in one place, hold(), and no frame between there and the
// user holds a local, a guard or a destructor that touches loop state. Everything that a later
// holder must know is a member. A turn is: mail, completions, connections on the run list, timers,
// replies that have gathered, jobs for the ready queue, then the wait.
#pragma once

#include <memory>
#include <vector>

#include "connection/door.h"
#include "connection/drain_line.h"
#include "connection/steps.h"
#include "handling/crew.h"
#include "runtime/event_loop.h"

namespace trireme { inline namespace v0 {

class IoWorker final : public HeldLoop, public Adopter {
 public:
  // `crew` null: handlers run in the thread that calls turn_until_idle (testing::Conversation).
  IoWorker(ServerContext& context, uint32_t index,
           const std::vector<std::unique_ptr<Listening>>& listenings);
  ~IoWorker() override;

  // Before start().
  void use_crew(Crew* crew);
  // Before start(). The listening sockets of this loop, if it accepts itself.
  void use_door(std::unique_ptr<Door> door) { door_ = std::move(door); }

  EventLoop& loop() override { return loop_; }
  End hold(CrewMember& as) override;
  void rearrange(SpareKit& kit) override NO_THREAD_SAFETY_ANALYSIS;
  void adopt_in_loop(int fd, uint32_t listening_index, const SocketAddress& peer) override;

  // Any thread. Shared with the server, whose statistics outlive the loops.
  std::shared_ptr<const KindTable> kinds() const NO_THREAD_SAFETY_ANALYSIS {
    return steps_.placer.kinds();
  }

  // The calling thread is the only one there is. Turns the loop until nothing is left to do at this
  // moment.
  void turn_until_idle();

 private:
  Job* next_in_loop(bool may_sleep) REQUIRES(loop_);
  bool next_of_turn_in_loop(Job*& here) REQUIRES(loop_);
  void end_turn_in_loop(bool may_sleep) REQUIRES(loop_);
  void finish_in_loop(Job& job) REQUIRES(loop_);
  void expire_timers_in_loop() REQUIRES(loop_);
  void open_mail_in_loop() REQUIRES(loop_);
  void handle_in_loop(const Completion& completion) REQUIRES(loop_);
  void drain_all_in_loop() REQUIRES(loop_);
  bool finished_in_loop() const REQUIRES(loop_);
  void refuse_in_loop(int fd, const Listening& listening, const SocketAddress& peer)
      REQUIRES(loop_);

  ServerContext& context_;
  EventLoop& loop_;
  const std::vector<std::unique_ptr<Listening>>& listenings_;
  Crew* crew_ = nullptr;
  std::unique_ptr<Door> door_;  // null: the Listener accepts
  Steps steps_ GUARDED_BY(loop_);
  DrainLine drain_line_ GUARDED_BY(loop_){loop_, steps_.slots, steps_.turn, steps_.ending};

  Mail* mail_ GUARDED_BY(loop_) = nullptr;  // taken out of the mailbox, not opened yet
  // The job that lost this loop, until what it had gathered by then has left.
  Job* lost_job_ GUARDED_BY(loop_) = nullptr;
  GatheredReplies::Part lost_published_ GUARDED_BY(loop_);
  bool draining_ GUARDED_BY(loop_) = false;
  bool cut_ GUARDED_BY(loop_) = false;
  bool small_reads_ GUARDED_BY(loop_) = false;
  LogGate attach_gate_ GUARDED_BY(loop_);
};

}}  // namespace trireme

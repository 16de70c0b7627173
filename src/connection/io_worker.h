// The I/O worker: a loop with the connections that live in it, and all that is done with them.
//
// Steps 2, 4 and 6. Thread: the holder of the loop - a different thread after each hand-over. Its
// parts:
//   io_worker.cc  the turn: what comes next, lend, take back; mail
//   input.cc      received bytes -> requests
//   codec_calls.cc  codecs, and their mistakes
//   dispatch.cc   requests -> jobs: here, or for data workers (handling/placer.h, jobs_out.h)
//   batch.cc      several requests in one job
//   replies.cc    answers in request order
//   output.cc     finished jobs -> replies -> socket
//   straight.cc   the same in one piece, where nothing is special
//   ending.cc     adopt, drain, close, the end of a slot
//   clocks.cc     the clocks
//
// The turn (flat dispatch): handlers start in one place, hold(), and no frame between there and the
// user holds a local, a guard or a destructor that touches loop state. Everything that a later
// holder must know is a member.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "connection/connection.h"
#include "connection/door.h"
#include "connection/input_blocks.h"
#include "connection/slots.h"
#include "connection/turn.h"
#include "handling/crew.h"
#include "handling/job_pool.h"
#include "handling/jobs_out.h"
#include "handling/placer.h"
#include "runtime/event_loop.h"

namespace trireme { inline namespace v0 {

class IoWorker final : public HeldLoop, public Adopter {
 public:
  // `crew` null: handlers run in the thread that calls turn_until_idle (testing::Conversation).
  IoWorker(ServerContext& context, uint32_t index,
           const std::vector<std::unique_ptr<Listening>>& listenings);
  ~IoWorker() override;

  // Before start().
  void use_crew(Crew* crew) { crew_ = crew; }
  // Before start(). The listening sockets of this loop, if it accepts itself.
  void use_door(std::unique_ptr<Door> door) { door_ = std::move(door); }

  EventLoop& loop() override { return loop_; }
  End hold(void* as) override;
  void rearrange(SpareKit& kit) override NO_THREAD_SAFETY_ANALYSIS;
  void adopt_in_loop(int fd, uint32_t listening_index, const SocketAddress& peer) override;

  // Any thread. Shared with the server, whose statistics outlive the loops.
  std::shared_ptr<const KindTable> kinds() const NO_THREAD_SAFETY_ANALYSIS {
    return placer_.kinds();
  }

  // The calling thread is the only one there is. Turns the loop until nothing is left to do at this
  // moment.
  void turn_until_idle();

 private:
  static constexpr size_t kOutBytes = 64 << 10;     // replies of one connection and turn
  static constexpr size_t kCopyBytesMax = 8 << 10;  // larger answers are sent from where they are

  // --- io_worker.cc ---
  Job* next_in_loop(bool may_sleep) REQUIRES(loop_);
  bool next_of_turn_in_loop(Job*& here) REQUIRES(loop_);
  void end_turn_in_loop(bool may_sleep) REQUIRES(loop_);
  void open_mail_in_loop() REQUIRES(loop_);
  void handle_in_loop(const Completion& completion) REQUIRES(loop_);
  bool finished_in_loop() const REQUIRES(loop_);

  // --- input.cc ---
  void on_received_in_loop(Connection& connection, const Completion& completion) REQUIRES(loop_);
  Job* pump_in_loop(Connection& connection) REQUIRES(loop_);
  Job* decode_in_loop(Connection& connection) REQUIRES(loop_);
  bool take_no_request_in_loop(Connection& connection, const Frame& frame) REQUIRES(loop_);
  Job* request_in_loop(Connection& connection, std::string_view input, const Frame& frame,
                       bool in_read_buffer) REQUIRES(loop_);
  Job* next_callback_in_loop(Connection& connection) REQUIRES(loop_);
  Job* make_callback_in_loop(Connection& connection, JobKind kind) REQUIRES(loop_);
  void end_batch_in_loop() REQUIRES(loop_);
  bool may_start_in_loop(const Connection& connection) const REQUIRES(loop_);
  bool has_no_input_in_loop(const Connection& connection) const REQUIRES(loop_);
  void balance_reading_in_loop(Connection& connection) REQUIRES(loop_);

  // --- codec_calls.cc ---
  void codec_failed_in_loop(Connection& connection) REQUIRES(loop_);
  void codec_failed_in_loop(Connection& connection, std::string_view what) REQUIRES(loop_);
  void codec_threw_in_loop(Connection& connection, const char* function) REQUIRES(loop_);
  void reply_failed_in_loop(Connection& connection) REQUIRES(loop_);
  [[nodiscard]] bool ask_envelope_in_loop(Connection& connection, size_t body_bytes, Envelope& into)
      REQUIRES(loop_);
  [[nodiscard]] bool ask_error_reply_in_loop(Connection& connection, const Answer& answer,
                                             ErrorReply& into) REQUIRES(loop_);
  void say_goodbye_in_loop(Connection& connection) REQUIRES(loop_);

  // --- dispatch.cc ---
  Job* make_job_in_loop(Connection& connection, JobKind kind) REQUIRES(loop_);
  Job* dispatch_in_loop(Job* job) REQUIRES(loop_);
  void unmake_job_in_loop(Job& job) REQUIRES(loop_);
  [[nodiscard]] bool withdraw_in_loop(Job& job) REQUIRES(loop_);
  void withdraw_all_in_loop(Connection& connection) REQUIRES(loop_);

  // --- batch.cc ---
  void add_requests_in_loop(Connection& connection, Job& job) REQUIRES(loop_);
  void give_back_in_loop(Connection& connection, Job& job) REQUIRES(loop_);
  [[nodiscard]] bool put_back_in_loop(Connection& connection, Job& job) REQUIRES(loop_);
  void leave_gathered_in_loop(Connection& connection, Job& job, uint32_t count, uint32_t bytes)
      REQUIRES(loop_);
  void leave_early_in_loop(Job& job, uint64_t published) REQUIRES(loop_);
  TimePoint look_at_jobs_out_in_loop() REQUIRES(loop_);

  // --- replies.cc ---
  void answer_in_loop(Connection& connection, uint64_t number, Answer answer) REQUIRES(loop_);
  [[nodiscard]] bool hold_in_loop(Connection& connection, uint64_t number, Answer& answer)
      REQUIRES(loop_);
  void leave_held_in_loop(Connection& connection) REQUIRES(loop_);
  uint64_t open_request_in_loop(Connection& connection, Job* job) REQUIRES(loop_);
  [[gnu::noinline]] void note_started_in_loop(Connection& connection, Job* job) REQUIRES(loop_);
  Connection::Started* started_in_loop(Connection& connection, uint64_t number) REQUIRES(loop_);
  void expire_request_in_loop(Connection& connection, uint64_t number) REQUIRES(loop_);
  void finish_unstarted_in_loop(Connection& connection, Job& job) REQUIRES(loop_);
  void note_left_in_loop(Connection& connection, uint32_t count) REQUIRES(loop_);
  void leave_in_turn_in_loop(Connection& connection, Answer& answer) REQUIRES(loop_);
  void leave_in_loop(Connection& connection, Answer& answer) REQUIRES(loop_);
  Answer refuse_switch_in_loop(const Connection& connection) REQUIRES(loop_);

  // --- straight.cc ---
  [[nodiscard]] bool start_straight_in_loop(const Completion& completion, Job*& here)
      REQUIRES(loop_);
  [[nodiscard]] bool finish_straight_in_loop(Job& job) REQUIRES(loop_);
  void send_framed_in_loop(Connection& connection, Answer& answer) REQUIRES(loop_);
  bool is_out_straight_in_loop(const Connection& connection) const REQUIRES(loop_);
  [[nodiscard]] bool finish_written_straight_in_loop(Job& job) REQUIRES(loop_);

  // --- output.cc ---
  void finish_in_loop(Job& job) REQUIRES(loop_);
  void finish_requests_in_loop(Connection& connection, Job& job) REQUIRES(loop_);
  void finish_written_in_loop(Connection& connection, Job& job) REQUIRES(loop_);
  bool owns_writing_in_loop(Connection& connection) REQUIRES(loop_);
  void grant_writing_in_loop(Connection& connection, Job& job) REQUIRES(loop_);
  void recycle_in_loop(Job& job) REQUIRES(loop_);
  void open_outbox_mail_in_loop(Job& job) REQUIRES(loop_);
  void write_in_loop(Connection& connection, std::string_view bytes) REQUIRES(loop_);
  [[nodiscard]] bool write_framed_in_loop(Connection& connection, Answer& answer) REQUIRES(loop_);
  void flush_in_loop() REQUIRES(loop_);
  void send_in_loop(Connection& connection, std::array<std::string_view, 4> pieces, Answer* owner)
      REQUIRES(loop_);
  void keep_unsent_in_loop(Connection& connection, const std::array<std::string_view, 4>& pieces,
                           Sent result, Answer* owner) REQUIRES(loop_);
  void resume_write_in_loop(Connection& connection) REQUIRES(loop_);
  void after_write_in_loop(Connection& connection) REQUIRES(loop_);
  bool send_failed_in_loop(Connection& connection, int error) REQUIRES(loop_);
  void settle_in_loop(Connection& connection) REQUIRES(loop_);
  Sent send_settled_in_loop(Connection& connection, std::span<const iovec> pieces) REQUIRES(loop_);
  void take_back_unsent_in_loop(Connection& connection, std::span<const char> bytes, int error)
      REQUIRES(loop_);

  // --- pushes.cc ---
  void push_in_loop(std::unique_ptr<PushMail> mail) REQUIRES(loop_);
  void push_latest_in_loop(Connection& connection, ChargedBytes bytes) REQUIRES(loop_);
  void open_deferred_in_loop(Connection& connection) REQUIRES(loop_);

  // --- ending.cc ---
  void drain_in_loop(Connection& connection) REQUIRES(loop_);
  void drain_all_in_loop() REQUIRES(loop_);
  void finish_connection_in_loop(Connection& connection, CloseReason reason) REQUIRES(loop_);
  void advance_ending_in_loop(Connection& connection) REQUIRES(loop_);
  bool has_taken_all_in_loop(Connection& connection) REQUIRES(loop_);
  void close_in_loop(Connection& connection, CloseReason reason) REQUIRES(loop_);
  void cancel_jobs_in_loop(Connection& connection, CancelReason reason) REQUIRES(loop_);
  void try_release_in_loop(Connection& connection) REQUIRES(loop_);
  void connection_gone_in_loop(Connection& connection, CloseReason reason) REQUIRES(loop_);

  // --- clocks.cc ---
  void expire_timers_in_loop() REQUIRES(loop_);
  void on_clock_in_loop(Connection& connection) REQUIRES(loop_);
  TimePoint next_deadline_in_loop(const Connection& connection) const REQUIRES(loop_);
  void arm_in_loop(Connection& connection) REQUIRES(loop_);
  void end_silence_in_loop(Connection& connection) REQUIRES(loop_);
  void start_request_clock_in_loop(Connection& connection) REQUIRES(loop_);
  void judge_lingering_in_loop(Connection& connection) REQUIRES(loop_);
  void judge_writing_in_loop(Connection& connection) REQUIRES(loop_);
  void judge_request_in_loop(Connection& connection) REQUIRES(loop_);
  void judge_idle_in_loop(Connection& connection) REQUIRES(loop_);
  bool input_waits_in_loop(Connection& connection) REQUIRES(loop_);
  void look_again_in_loop(Connection& connection) REQUIRES(loop_);

  ServerContext& context_;
  EventLoop& loop_;
  Crew* crew_ = nullptr;
  std::unique_ptr<Door> door_;  // null: the Listener accepts
  const Driver::Traits driver_;
  const std::vector<std::unique_ptr<Listening>>& listenings_;
  Placer placer_ GUARDED_BY(loop_);
  JobPool job_pool_ GUARDED_BY(loop_);
  JobsOut jobs_out_ GUARDED_BY(loop_);

  Slots slots_ GUARDED_BY(loop_);
  Turn turn_ GUARDED_BY(loop_);
  InputBlocks input_blocks_ GUARDED_BY(loop_);
  DecodeNotes notes_ GUARDED_BY(loop_);  // of the decoder that was asked last

  // Replies of one connection, gathered to leave in one send.
  Connection* out_connection_ GUARDED_BY(loop_) = nullptr;
  Block out_ GUARDED_BY(loop_);
  size_t out_bytes_ GUARDED_BY(loop_) = 0;

  Mail* mail_ GUARDED_BY(loop_) = nullptr;  // taken out of the mailbox, not opened yet
  // The job that lost this loop, until what it had gathered by then has left.
  Job* lost_job_ GUARDED_BY(loop_) = nullptr;
  uint64_t lost_published_ GUARDED_BY(loop_) = 0;
  bool draining_ GUARDED_BY(loop_) = false;
  bool cut_ GUARDED_BY(loop_) = false;
  bool small_reads_ GUARDED_BY(loop_) = false;
  LogGate attach_gate_ GUARDED_BY(loop_);
};

}}  // namespace trireme

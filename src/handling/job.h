// One run of handlers: of the next requests of a connection, of a session's constructor, on_end,
// on_drain or on_close, or of what a session is called for besides: a timer, a function of
// Peer::call; or of the callbacks of stop tokens.
//
// Step 4. Threads: the holder of the loop fills and finishes it; in between it belongs to the
// thread that runs it, and that thread touches nothing else of the server. When it has lost its
// loop, or ran on a data worker, it travels home as mail. Its parts say whose they are.
//
// Several requests (serial connections only):
// 1. They run one after the other on one thread. Their answers, framed, gather in `replies`.
// 2. Between two of them the loop is lent anew: each is late for itself, and a thread that has lost
//    its loop starts no further one. What has not run is given back to the connection.
// 3. The first that leaves more behind than a small plain answer is the last of its job: what it
//    left is in the outbox.
// 4. While a later one runs, the holder may send what is published of `replies`.
//
// A job of requests that waits for a data worker is not started when nobody waits for them any
// more. Then it comes home, or stays there, with `requests.run` at 0.
#pragma once

#include <cstdint>
#include <memory>

#include "handling/body_relay.h"
#include "handling/cancel_signal.h"
#include "handling/direct_write.h"
#include "handling/gathered_body.h"
#include "handling/gathered_replies.h"
#include "handling/job_requests.h"
#include "handling/loop_loan.h"
#include "handling/run_times.h"
#include "handling/stop_list.h"
#include "reply/mail.h"
#include "reply/outbox.h"
#include "roster/server_context.h"
#include "runtime/memory/buffers.h"
#include "trireme/detail/service.h"

namespace trireme { inline namespace v0 {

class Job;
class KindRecord;

// Whose requests a job has, as the loop knows it (connection/connection.h): nothing here looks into
// it.
struct RequestOwner {};

enum class JobKind : uint8_t {
  kOpen,
  kRequest,
  kTimer,
  kCall,
  kWritable,
  kBody,
  kSpool,
  kEnd,
  kDrain,
  kClose,
  kStop
};

// Whether a handler may wait on streams: ReadyJobs gives permits out.
enum class StreamPermit : uint8_t {
  kNone,     // it may not, and does not want to
  kWanted,   // it must not start without
  kInLine,   // it waits for one
  kHeld,     // it may
  kRefused,  // too many wait: it does not start
};

// What detail::Service::open has made; what it points to, only the service knows.
using SessionPointer = void*;

// The part of a job that is read while it waits to be run: of who queues it, and of the queue.
struct QueuedJob : Mail {
  QueuedJob() : Mail(kMailJob) {}
  bool is_put_aside = false;  // by the holder, which has not submitted it yet
  Job* previous = nullptr;    // in the ready queue, or among those that were put aside
  TimePoint queued_at;        // ready queue only
};

class alignas(64) Job final : public QueuedJob, public OutboxOwner, private detail::Responder {
 public:
  // A larger answer that stands alone is sent from where it is.
  static constexpr size_t kAloneBytesMin = 512;
  // For reports: the codec's tag of the first request, or kCallback.
  static constexpr uint32_t kCallback = ~0u;

  // For the thread that runs it. Written by the holder before, `session` of kOpen excepted.
  struct Run {
    bool reply_taken = false;  // the answer comes, or came, through a Reply
    bool threw = false;
    bool timed = false;                         // `times` is wanted: what its handlers take
    bool cpu_timed = false;                     // and what of it they compute
    StreamPermit permit = StreamPermit::kNone;  // guarded by the ready queue's mutex while it waits
    JobKind kind = JobKind::kRequest;
    CloseReason close_reason = CloseReason::kPeerClosed;
    ServerContext* context = nullptr;
    detail::Service* service = nullptr;
    SessionPointer session = nullptr;  // kOpen: the result
    const Codec* codec = nullptr;
    const EnvelopeMaker* envelopes = nullptr;
    ConnectionId id;
  };
  // For the holder that finishes it.
  struct Home {
    KindRecord* record = nullptr;  // to be told what it took; null: nobody asks
    Job* previous_running = nullptr;
    Job* next_running = nullptr;
    RequestOwner* owner = nullptr;
    const char* service_name = "";
    Charge charge;                // for a run on a data worker
    uint32_t codec_switches = 0;  // of the connection, when the requests were decoded
    bool on_data_worker = false;
    bool lost_loop = false;
    bool in_read_buffer = false;  // its requests are in the driver's read buffer
  };
  // For the thread that runs it: what a session is called for.
  struct Event {
    uint64_t tag = 0;                          // kTimer
    std::unique_ptr<CallMail> call;            // kCall
    RelayedPart part{};                        // kBody
    std::shared_ptr<GatheredBody> gathered{};  // kSpool
    CallList left{};                           // kClose: calls whose turn has not come
    StopList stops{};                          // kStop
  };
  // For the holder, while a job of several requests is on a data worker (JobsOut).
  struct Out {
    Job* previous = nullptr;
    Job* next = nullptr;
    TimePoint look_at;  // when to send what has gathered meanwhile
  };

  // The holder, before it fills in anything else: the job is as new.
  void reset();
  // Whoever comes to it next: its memory is on its way to the cache meanwhile.
  void prefetch() const;
  // Around the calls of run_next, on one thread. `outside`: what `thread_slot` is to be again.
  void begin();
  void end(void* outside) { thread_slot = outside; }
  // Runs one handler. Everything it throws ends here. True: there is one more to run.
  bool run_next() noexcept;

  // The thread that runs it: a call that waits on a stream may wait.
  bool may_wait_on_streams() const { return run.permit == StreamPermit::kHeld; }

  uint32_t reported_kind() const { return requests.count > 0 ? requests.all[0].kind : kCallback; }
  // After end(): what its handlers left to send, in order, when nothing else was asked for. The
  // pieces view the job and `envelope`, which is filled for that. False: the codec has made a
  // mistake.
  [[nodiscard]] bool pieces(Envelope& envelope, DirectWrite::Pieces& into) const;
  // After end(): the plain answers to all requests have gathered, or a large one stands alone.
  bool has_simple_answers() const;
  // The holder, when it finishes the job: it asked for handlers, and none of them was started.
  bool is_unstarted() const { return run.kind == JobKind::kRequest && requests.run == 0; }
  // Data worker, after end(): sends the answer straight to the socket, if the loop has granted that
  // and the answer asks for nothing else. True: all of it has left.
  bool write_directly(Kernel& kernel);

  // In the order in which a run comes to them: few lines of the cache, up to the first part of
  // `outbox`, and those where `requests` and `replies` begin.
  Run run;
  LoopLoan loan;
  CancelSignal cancellation;
  RunTimes times;
  Home home;
  DirectWrite direct;
  Outbox outbox;
  Out out;
  JobRequests requests;
  GatheredReplies replies;
  Event event;

 private:
  static constexpr size_t kLinesOfEveryRun = 5;

  void log_thrown() const noexcept;
  void run_request();
  void run_call();
  void run_body();
  void gather_early_reply();
  bool gather(const Answer& given);
  void keep_answer(Answer&& given);
  void answer(Answer&& answer) override;
  Reply take_reply() override;
  void hold_pushes() override { outbox.hold_pushes(); }
};

// Nothing but stores of constants, in the order of their places in memory.
inline void Job::reset() {
  run.reply_taken = run.threw = run.timed = run.cpu_timed = false;
  run.permit = StreamPermit::kNone;
  loan.by = nullptr;
  loan.asked_as = 0;
  cancellation.reset();
  home.record = nullptr;
  home.previous_running = nullptr;
  home.on_data_worker = home.lost_loop = home.in_read_buffer = false;
  requests.reset();
  replies.reset();
}

}}  // namespace trireme

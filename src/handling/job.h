// One run of handlers: of the next requests of a connection, or of a session's constructor,
// on_drain or on_close.
//
// Step 4. Threads: the holder of the loop fills and finishes it; in between it belongs to the
// thread that runs it, and that thread touches nothing else of the server. When it has lost its
// loop, or ran on a data worker, it travels home as mail.
//
// Several requests (serial connections only):
// 1. They run one after the other on one thread. Their answers, framed, gather in `replies`.
// 2. Between two of them the loop is lent anew: each is late for itself, and a thread that has lost
//    its loop starts no further one. What has not run is given back to the connection.
// 3. The first that leaves more behind than a small plain answer is the last of its job: what it
//    left is in the outbox.
// 4. While a later one runs, the holder may send what `published` says is complete.
//
// A job of requests that waits for a data worker is not started when nobody waits for them any
// more. Then it comes home, or stays there, with `requests_run` at 0.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "handling/published_replies.h"
#include "handling/write_token.h"
#include "reply/mail.h"
#include "reply/outbox.h"
#include "roster/server_context.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/clock.h"
#include "runtime/threads/threads.h"
#include "trireme/detail/service.h"

namespace trireme { inline namespace v0 {

class KindRecord;

// Whose requests a job has, as the loop knows it (connection/connection.h): nothing here looks into
// it.
struct RequestOwner {};

// What a job may do with the loop that is lent for it: give it away before its time.
class LentLoop {
 public:
  // The LENT word whose job has asked. Written by that job's thread, read by the watcher.
  std::atomic<uint64_t> asked{0};
  virtual void wake_watcher() = 0;

 protected:
  ~LentLoop() = default;
};

enum class JobKind : uint8_t { kOpen, kRequest, kDrain, kClose };

struct alignas(64) Job final : Mail, private detail::Responder {
  static constexpr uint32_t kRequestsMax = 16;
  static constexpr uint32_t kRepliesBytes = 2 << 10;
  // A larger answer that stands alone is sent from where it is.
  static constexpr size_t kAloneBytesMin = 512;
  static constexpr size_t kLinesOfEveryRun = 5;  // of the cache: up to the first part of `outbox`

  using Asked = DecodedRequest;  // in the read buffer, in `kept`, or a copy (own_requests)

  Job() : Mail(kMailJob) {}
  // The holder, before it fills in anything else: the job is as new.
  void reset() {
    // In the order of their places in memory.
    number = 0;
    lent_by = nullptr;
    asked_as = 0;
    kind = nullptr;
    previous_running = nullptr;
    written_bytes = 0;
    requests_count = requests_run = replies_count = replies_bytes = 0;
    left_count = left_bytes = 0;
    write_error = 0;
    gathers = on_data_worker = lost_loop = timed = false;
    cpu_timed = reply_taken = threw = in_read_buffer = false;
    deadline = kNever;
    cancelled.store(0, std::memory_order_relaxed);
    run_no_more.store(false, std::memory_order_relaxed);
    published.reset();
  }

  // The holder, before the job is handed to a data worker. Where `bytes` of its requests are to be
  // copied if they are few: behind them, so that they are in the cache with them. Null: too many.
  char* room_for(size_t bytes);
  // Whoever comes to it next: its memory is on its way to the cache meanwhile.
  void prefetch() const;
  // Around the calls of run_next, on one thread. `outside`: what `thread_slot` is to be again.
  void begin();
  void end(void* outside);
  // Around those, when `timed`.
  void begin_times(const Platform& platform, TimePoint now);
  void end_times(const Platform& platform);
  // Runs one handler. Everything it throws ends here. True: there is one more to run.
  bool run_next() noexcept;
  // For reports: the codec's tag of the first request, or kCallback.
  static constexpr uint32_t kCallback = ~0u;
  uint32_t reported_kind() const { return requests_count > 0 ? requests[0].kind : kCallback; }
  // The holder, before it runs: all of them, with what is around them; one piece of memory.
  std::string_view request_bytes() const {
    if (requests_count == 0) return {};
    return {requests_begin, static_cast<size_t>(requests[requests_count - 1].end - requests_begin)};
  }
  // After end(): what its handlers left to send, in order, when nothing else was asked for. The
  // pieces view the job and `envelope`, which is filled for that. False: the codec has made a
  // mistake.
  [[nodiscard]] bool pieces(Envelope& envelope, std::array<std::string_view, 4>& into) const;
  // The holder. Tells a running handler that its answer is not wanted any more; the first reason
  // stays.
  void cancel(CancelReason reason, Threads& threads);
  // A handler of this job, through trireme::blocking(): the spare may take the loop at once. Once a
  // handler; without effect where no loop is lent.
  void give_loop_away();
  // A handler of this job, through trireme::wait_for(). False: the request was cancelled before
  // `until`, or its deadline has passed: that is seen here, too, for the loop may not turn.
  bool wait_until(Threads& threads, Clock& clock, TimePoint until);
  // After end(): the plain answers to all requests have gathered, or a large one stands alone.
  bool has_simple_answers() const;
  // The request has a deadline, and it has passed.
  bool has_expired(TimePoint now) const { return deadline <= now; }
  // Its handler was told, so the client is, too. For the thread that has the job.
  bool missed_deadline() const {
    return cancelled.load(std::memory_order_relaxed) ==
           static_cast<uint8_t>(CancelReason::kDeadline);
  }
  // The holder, when it finishes the job: it asked for handlers, and none of them was started.
  bool is_unstarted() const { return job_kind == JobKind::kRequest && requests_run == 0; }
  // Data worker, after end(): sends the answer straight to the socket, if the loop has granted that
  // and the answer asks for nothing else. True: all of it has left.
  bool write_directly(Kernel& kernel);

  // What every run starts with at 0, together so that it is few stores (reset).
  uint64_t number = 0;  // of the first request
  // The loop that is lent for the handler that runs now, and as which word the handler has given it
  // away. For the thread that runs it.
  LentLoop* lent_by = nullptr;
  uint64_t asked_as = 0;
  KindRecord* kind = nullptr;  // to be told what it took; null: nobody asks
  Job* previous_running = nullptr;
  size_t written_bytes = 0;  // by write_directly, envelope included
  uint32_t requests_count = 0;
  uint32_t requests_run = 0;
  uint32_t replies_count = 0;
  uint32_t replies_bytes = 0;
  uint32_t left_count = 0;  // only the holder, even while the handler runs: of the replies, sent
  uint32_t left_bytes = 0;  // already
  int write_error = 0;      // -errno of write_directly
  bool gathers = false;     // replies may gather: the connection is serial
  bool on_data_worker = false;
  bool lost_loop = false;
  bool timed = false;        // `time` is to be measured: what its handlers take
  bool cpu_timed = false;    // and `cpu_time`, what of it they compute
  bool reply_taken = false;  // the answer comes, or came, through a Reply
  bool threw = false;
  bool in_read_buffer = false;  // the requests are in the driver's read buffer
  bool is_put_aside = false;    // by the holder, which has not submitted it yet

  // For the thread that runs it; written by the holder before.
  ServerContext* context = nullptr;
  detail::Service* service = nullptr;
  void* session = nullptr;  // kOpen: the result
  const Codec* codec = nullptr;
  const Envelope* fixed_envelope = nullptr;  // of all its answers; null: depends on their size
  const char* requests_begin = nullptr;
  ConnectionId id;
  uint64_t lent_as = 0;
  TimePoint deadline = kNever;  // of its request, which is its only one then
  JobKind job_kind = JobKind::kRequest;
  CloseReason close_reason = CloseReason::kPeerClosed;
  // CancelReason. Relaxed: a hint where handlers ask; who waits is woken through `cancel_spot`.
  std::atomic<uint8_t> cancelled{0};
  // The connection ends: no further request of this job starts. Relaxed: a hint.
  std::atomic<bool> run_no_more{false};
  uint32_t last_reply_begin = 0;
  // {replies_count, replies_bytes} before the handler that runs now (leave_early_in_loop).
  PublishedReplies published;

  // For the holder that finishes it.
  RequestOwner* owner = nullptr;
  Job* next_running = nullptr;
  const char* service_name = "";
  uint32_t codec_switches = 0;  // of the connection, when the requests were decoded
  int fd = -1;                  // for write_directly: good while the token is not the loop's
  WriteToken write_token;
  TimePoint begun;
  Duration time{0};
  TimePoint queued_at;      // ready queue only
  Job* previous = nullptr;  // likewise, or among those that were put aside
  // Set by the holder when the loop has something to do as soon as this job comes home. Read after
  // the job was posted: it is in the SlotRecord, which stays.
  ReturnFlag* return_flag = nullptr;
  Charge charge;  // for a run on a data worker
  Outbox outbox;

  // What few runs need.
  Duration cpu_time{0};
  ParkSpot cancel_spot;         // of a handler in wait_until
  Job* previous_out = nullptr;  // JobsOut's list of those with several requests on data workers
  Job* next_out = nullptr;
  TimePoint look_at;  // when to send what has gathered meanwhile
  // The requests' own copy for a data worker, where it does not fit behind them in `requests`; kept
  // for the next ones while it is small.
  Block storage;
  // The read buffer or input block that they are in, after a hand-over.
  std::shared_ptr<Block> kept;

  // Last, so that all above is close together: what is to run, and what gathers.
  std::array<Asked, kRequestsMax> requests;
  std::array<char, kRepliesBytes> replies;

 private:
  void log_thrown() const noexcept;
  void run_request();
  void gather_early_reply();
  bool gather(const Answer& given);
  void keep_answer(Answer&& given);
  void answer(Answer&& answer) override;
  Reply take_reply() override;
};

}}  // namespace trireme

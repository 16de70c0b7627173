// One run of a handler: a request, or a session's constructor, on_drain or on_close.
//
// Step 4. Threads: the holder of the loop fills and finishes it; in between it belongs to the
// thread that runs it, and that thread touches nothing else of the server. When it has lost its
// loop, or ran on a data worker, it travels home as mail.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "handling/write_token.h"
#include "reply/core.h"
#include "reply/mail.h"
#include "reply/outbox.h"
#include "runtime/buffers.h"
#include "runtime/clock.h"
#include "trireme/handler.h"

namespace trireme::inline v0 {

struct Connection;  // opaque here: a job never looks into it

enum class JobKind : uint8_t { kOpen, kRequest, kDrain, kClose };

struct Job final : Mail, private Responder {
  Job() : Mail(kMailJob) {}

  // Runs the handler. Everything it throws ends here.
  void run() noexcept;
  // Data worker, after run(): sends the answer straight to the socket, if the loop has granted that
  // and the answer asks for nothing else. True: all of it has left.
  bool write_directly(Kernel& kernel);

  // For the thread that runs it; written by the holder before.
  Core* core = nullptr;
  Service* service = nullptr;
  void* session = nullptr;  // kOpen: the result
  JobKind job_kind = JobKind::kRequest;
  CloseReason close_reason = CloseReason::kPeerClosed;
  uint32_t request_kind = 0;
  ConnectionId id;
  uint64_t number = 0;     // of the request
  std::string_view bytes;  // of the request: in the read buffer, in `kept`, or in `storage`
  std::atomic<uint8_t> cancelled{0};  // CancelReason; relaxed: a hint
  int fd = -1;                        // for write_directly: good while the token is not the loop's
  const Codec* codec = nullptr;       // likewise
  WriteToken write_token;
  // Only the holder: a worker that wrote an answer with it may still read `return_awaited`, so from
  // then on this object must stay.
  bool worker_may_look = false;
  // The loop has something to do as soon as this job comes home; seq_cst with
  // EventLoop::post_quietly.
  std::atomic<bool> return_awaited{false};

  // For the holder that finishes it.
  Outbox outbox;
  bool reply_taken = false;  // the answer comes, or came, through a Reply
  bool threw = false;
  size_t written_bytes = 0;  // by write_directly, envelope included
  int write_error = 0;       // -errno of write_directly

  // Only the holder, even while the handler runs.
  Connection* connection = nullptr;
  Job* previous_running = nullptr;
  Job* next_running = nullptr;
  std::string storage;          // the request's own copy for a data worker; keeps its capacity
  Charge charge;                // for `storage`
  bool in_read_buffer = false;  // `bytes` is in the driver's read buffer
  std::shared_ptr<Block>
      kept;             // the read buffer or input block that `bytes` is in, after a hand-over
  TimePoint queued_at;  // ready queue only
  const char* service_name = "";

 private:
  void answer(Answer answer) override;
  Reply take_reply() override;
};

}  // namespace trireme

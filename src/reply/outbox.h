// What a running handler has sent, closed and answered: plain memory of its job until the job is
// finished.
//
// Step 5. Thread: the one that runs the handler; after it has returned, the holder of the loop.
// There is no "am I the loop's thread" shortcut: inside a handler the answer would be wrong one
// instruction later (hand-over).
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reply/mail.h"
#include "runtime/threads/threads.h"
#include "trireme/answer.h"
#include "trireme/connection_id.h"

namespace trireme { inline namespace v0 {

// What runs the handlers that send: a job (handling/job.h).
struct OutboxOwner {};

class Outbox {
 public:
  OutboxOwner* owner = nullptr;  // while its handlers run
  ConnectionId connection;       // of the job
  uint64_t request_number = 0;   // of the job

  bool has_answer() const { return is_used_ && answer_.has_value(); }
  // With has_answer(). To the job's own request.
  Answer& answer() { return *answer_; }
  const Answer& answer() const { return *answer_; }
  void put(Answer&& given) {
    is_used_ = true;
    answer_.emplace(std::move(given));
  }
  // The same with a copy of the bytes that it views.
  void put_copy(Answer&& given) {
    bytes_.assign(given.text());
    put(std::move(given).with_view(bytes_));
  }
  void take_back_answer() { answer_.reset(); }
  // With has_answer().
  void close_behind_answer() { answer_.emplace(std::move(*answer_).close_after()); }

  // Mail, or pushes are held.
  bool has_mail() const { return is_used_ && (!mail_.empty() || holds_pushes()); }
  void push(std::unique_ptr<Mail> mail) {
    is_used_ = true;
    mail_.push_back(std::move(mail));
  }
  // Everything but the answer, in order.
  std::vector<std::unique_ptr<Mail>> take_mail() { return std::exchange(mail_, {}); }

  // What is sent to the connection waits until this job is finished (detail::Responder). Seen by
  // the holder while the handler runs: whoever sends because of what the handler has published is
  // ordered behind it.
  void hold_pushes() {
    is_used_ = true;
    holds_pushes_.store(true, std::memory_order_relaxed);
  }
  bool holds_pushes() const { return holds_pushes_.load(std::memory_order_relaxed); }

  void clear() {
    if (!is_used_) return;
    is_used_ = false;
    answer_.reset();
    mail_.clear();
    holds_pushes_.store(false, std::memory_order_relaxed);
    if (bytes_.capacity() > kBytesKept) std::string().swap(bytes_);
  }

  // The outbox of the handler that this thread runs, or null. True for the whole run of a handler,
  // on whatever thread: a handler starts and ends on one thread.
  static Outbox* current() {
    return thread_slot == &loop_code_mark ? nullptr : static_cast<Outbox*>(thread_slot);
  }

 private:
  static constexpr size_t kBytesKept = 4 << 10;

  // Whether there is, or was, anything in what follows: most jobs never look at its cache lines.
  bool is_used_ = false;
  std::optional<Answer> answer_;
  std::string bytes_;  // what `answer_` views after put_copy
  std::vector<std::unique_ptr<Mail>> mail_;
  std::atomic<bool> holds_pushes_{false};
};

}}  // namespace trireme

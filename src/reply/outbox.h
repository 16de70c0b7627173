// What a running handler has sent, closed and answered: plain memory of its job until the job is
// finished.
//
// Step 5. Thread: the one that runs the handler; after it has returned, the holder of the loop.
// There is no "am I the loop's thread" shortcut: inside a handler the answer would be wrong one
// instruction later (hand-over).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reply/mail.h"
#include "runtime/threads.h"
#include "trireme/answer.h"
#include "trireme/connection_id.h"

namespace trireme::inline v0 {

struct Job;

struct Outbox {
  Job* job = nullptr;            // whose outbox it is, while its handlers run
  ConnectionId connection;       // of the job
  uint64_t request_number = 0;   // of the job
  std::optional<Answer> answer;  // to the job's own request
  std::string answer_bytes;  // what `answer` views when it came through a Reply; keeps its capacity
  std::vector<std::unique_ptr<Mail>> mail;  // everything else, in order

  void clear() {
    answer.reset();
    answer_bytes.clear();
    mail.clear();
  }

  // The outbox of the handler that this thread runs, or null. True for the whole run of a handler,
  // on whatever thread: a handler starts and ends on one thread.
  static Outbox* current() {
    return thread_slot == &loop_code_mark ? nullptr : static_cast<Outbox*>(thread_slot);
  }
};

}  // namespace trireme

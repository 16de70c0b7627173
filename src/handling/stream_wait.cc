// ReplyStream::write: where it is called from says how it waits.
#include "handling/job.h"
#include "runtime/check.h"
#include "trireme/reply_stream.h"

namespace trireme { inline namespace v0 {
namespace {

// What nobody wakes for: the byte budget, and the end of a loop.
constexpr Duration kLookForMemory = std::chrono::milliseconds(10);
constexpr Duration kLookAgain = std::chrono::seconds(1);

}  // namespace

StreamResult ReplyStream::write(Bytes bytes) {
  CHECK(thread_slot != &loop_code_mark, "loop code must not block: only handlers may wait");
  while (true) {
    const StreamResult result = put(bytes);
    if (result != StreamResult::kFull) return result;
    const Outbox* const outbox = Outbox::current();
    Job* const job = outbox == nullptr ? nullptr : static_cast<Job*>(outbox->owner);
    if (job != nullptr && !job->may_wait_on_streams()) return StreamResult::kFull;
    if (job != nullptr) job->loan.give_away();
    ServerContext& context = *context_.get();
    const ListenerFacts& facts = context.roster.listener(*context.roster.record(id_));
    Threads& threads = context.platform.threads;
    const TimePoint now = context.platform.clock.now();
    if (core_->unsent() > facts.write_bytes_high) {
      core_->wait_room(threads, facts.write_bytes_low, now + kLookAgain);
    } else {
      threads.sleep_until(now + kLookForMemory);
    }
  }
}

}}  // namespace trireme

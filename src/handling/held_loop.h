// A loop with the work that is done in it, as the crew sees it, and what its holder and its watcher
// tell each other and those who report.
//
// Step 4. Threads: the holder of the loop, its watcher, a spare in TAKEN; as each part says.
#pragma once

#include <atomic>
#include <memory>

#include "handling/job.h"
#include "runtime/event_loop.h"
#include "runtime/memory/buffers.h"

namespace trireme { inline namespace v0 {

class Lookout;
struct CrewMember;

// What a reserve has ready, so that taking a loop allocates nothing.
struct SpareKit {
  std::shared_ptr<Block> read_buffer;
};

// Written by the holder, for reports; relaxed: they publish nothing else.
struct HolderNotes {
  // Before it lends: what the job is.
  std::atomic<const char*> lent_service{nullptr};
  std::atomic<uint64_t> lent_id{0};
  std::atomic<uint32_t> lent_kind{0};  // Job::reported_kind
  std::atomic<int64_t> lent_since_ns{0};
  // For whom loop code last decoded, and who holds the loop.
  std::atomic<const char*> code_service{nullptr};
  std::atomic<uint64_t> code_id{0};
  std::atomic<uint64_t> thread{0};  // Threads::current_id

  void note_lent(const Job& job, TimePoint now) {
    lent_service.store(job.home.service_name, std::memory_order_relaxed);
    lent_kind.store(job.reported_kind(), std::memory_order_relaxed);
    lent_id.store(job.run.id.value, std::memory_order_relaxed);
    lent_since_ns.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  void note_code(const char* service, ConnectionId id) {
    code_service.store(service, std::memory_order_relaxed);
    code_id.store(id.value, std::memory_order_relaxed);
  }
  // By the clock of the turn in which it was lent, so it may be too early by a part of that turn.
  TimePoint lent_since() const {
    return TimePoint(Duration(lent_since_ns.load(std::memory_order_relaxed)));
  }
};

// Written by the watcher that sees the loop in loop code for long, for reports; relaxed.
struct WatcherNotes {
  std::atomic<uint64_t> code_turn{0};
  std::atomic<int64_t> code_since_ns{0};
};

// Implemented by the I/O worker.
class HeldLoop : public LentLoop {
 public:
  enum class End { kStopped, kLost };
  virtual ~HeldLoop() = default;
  virtual EventLoop& loop() = 0;
  // The holder. Turns the loop until it has ended, or until a job of this thread has lost it.
  // `as`: the calling thread; becomes `holder` before anything is lent.
  virtual End hold(CrewMember& as) = 0;
  // A spare, while the loop is TAKEN. No allocation, no system call.
  virtual void rearrange(SpareKit& kit) = 0;
  void wake_watcher() final { loop().wake_watcher(); }

  // Set once by the last holder: there is nothing to watch any more.
  std::atomic<bool> ended{false};
  // Written by the watcher, read by the holder before each start of a handler.
  std::atomic<bool> has_reserve{false};
  // Null: nobody looks out, for loops are not taken. Set before start(); the crew's.
  Lookout* lookout = nullptr;
  // How the loop was lost the last time: at once, for the job had asked or the lookout had told; by
  // a tick. The holder's.
  bool lost_at_once = false, lost_while_alert = false;
  // The job that runs with the loop lent, and the thread that holds the loop. Written by the holder
  // before it lends, read by a spare in TAKEN.
  Job* lent_job = nullptr;
  CrewMember* holder = nullptr;

  HolderNotes holder_notes;
  WatcherNotes watcher_notes;
};

}}  // namespace trireme

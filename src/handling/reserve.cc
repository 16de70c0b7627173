// The reserve's side of the crew: watching a loop, and taking it when a job is late.
#include <algorithm>
#include <utility>

#include "handling/crew.h"
#include "runtime/check.h"

namespace trireme::inline v0 {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(1);
// Nothing waits for the watchdog of an `inline` loop but a report.
constexpr Duration kInlineTick = std::chrono::milliseconds(10);
constexpr Duration kQuietTime = std::chrono::milliseconds(100);
// A handler that keeps an `inline` loop for so long is reported.
constexpr Duration kStallTime = std::chrono::milliseconds(25);
constexpr size_t kReadBufferBytes = 64 << 10;

}  // namespace

// Finds a reserve for a loop that has none: an idle thread, a new one, or the next that becomes
// idle.
void Crew::appoint_reserve(HeldLoop& held) {
  Member* member = nullptr;
  bool grow = false;
  {
    MutexLock lock(mutex_);
    if (queue_.oldest(mutex_) == nullptr) member = pop_idle();
    if (member != nullptr) {
      member->duty = Duty::kWatch;
      member->loop = &held;
      member->orders_pending = true;
    } else if (may_grow()) {
      grow = true;
      ++starting_;
    } else {
      without_reserve_.push_back(&held);
    }
  }
  if (member != nullptr) return platform_.threads.unpark(member->spot);
  if (!grow) return;
  int error = 0;
  const bool started = start_member(Duty::kWatch, &held, error) != nullptr;
  MutexLock lock(mutex_);
  --starting_;
  if (!started) without_reserve_.push_back(&held);
}

// Watches until there is a late job (then `me` becomes the holder), until the crew stops, or until
// this thread is needed for the ready queue. The analysis cannot follow a capability that is
// carried from here into hold().
void Crew::watch(Member& me) {
  HeldLoop& held = *me.loop;
  EventLoop& loop = held.loop();
  if (me.kit.read_buffer == nullptr) {
    me.kit.read_buffer = std::make_shared<Block>(core_.buffers.make_fixed(kReadBufferBytes));
  }
  loop.set_watcher(&me.spot);
  held.has_reserve.store(true, std::memory_order_seq_cst);
  uint64_t last = loop.word();
  uint64_t reported = 0;
  const Duration tick = dispatch_ == Dispatch::kAdaptive ? kTick : kInlineTick;
  const auto quiet_ticks_max = static_cast<int>(kQuietTime / tick);
  const auto stall_ticks = static_cast<int>((kStallTime + tick - Duration(1)) / tick);
  int stalled_ticks = 0;
  int quiet_ticks = 0;
  bool leaving = false;
  while (true) {
    const bool parks = quiet_ticks >= quiet_ticks_max && !leaving &&
                       queue_.try_park(me.watcher, [&loop] { return loop.try_park_watcher(); });
    platform_.threads.park(me.spot, parks ? kNever : platform_.clock.now() + tick);
    if (parks) queue_.note_awake(me.watcher);
    const TimePoint now = platform_.clock.now();
    const uint64_t word = loop.word();
    const bool forced = forced_.load(std::memory_order_seq_cst) == word;
    if (LoopWord::state(word) == LoopWord::kLent && (word == last || forced)) {
      if (dispatch_ == Dispatch::kAdaptive) {
        if (loop.take(word)) {
          held.has_reserve.store(
              false, std::memory_order_relaxed);  // read by the holder, which is this thread now
          loop.set_watcher(nullptr);
          note_running(*static_cast<Member*>(held.holder), held.lent_job->service_name,
                       held.lent_job->id, now - kTick);
          held.rearrange(me.kit);
          loop.become_holder();
          loop.counters.hand_overs.add();
          holders_now_.add();
          platform_.threads.set_name("io-" + std::to_string(loop.index()));
          appoint_reserve(held);
          MutexLock lock(mutex_);
          me.duty = Duty::kHold;
          me.orders_pending = true;
          return;
        }
      } else if (reported != word) {
        reported = word;
        stalled_ticks = 1;
        loop.counters.stalls.add();
      } else if (++stalled_ticks == stall_ticks) {
        report_stall(held);
      }
    }
    quiet_ticks = LoopWord::sequence(word) == LoopWord::sequence(last) ? quiet_ticks + 1 : 0;
    if (parks) quiet_ticks = 0;
    // Leaving takes two ticks: after the first the holder lends no more, so that at the second
    // nothing is lent that nobody would watch.
    if (leaving && LoopWord::state(word) != LoopWord::kLent) break;
    if (held.ended.load(std::memory_order_seq_cst)) break;
    last = word;
    leaving = leave_watch(me);
    held.has_reserve.store(!leaving, std::memory_order_seq_cst);
  }
  held.has_reserve.store(false, std::memory_order_seq_cst);
  loop.set_watcher(nullptr);
  MutexLock lock(mutex_);
  const bool ended = held.ended.load(std::memory_order_seq_cst);
  if (!stopping_ && !ended) without_reserve_.push_back(&held);
}

// `inline` is the user's promise not to block: say who breaks it.
void Crew::report_stall(const HeldLoop& held) {
  uint64_t suppressed = 0;
  const char* service = held.lent_service.load(std::memory_order_relaxed);
  if (service == nullptr || !gate_.open(platform_.clock.now(), suppressed)) return;
  core_.log.warning("a handler of '" + std::string(service) + "' holds its loop for more than " +
                    std::to_string(kStallTime / std::chrono::milliseconds(1)) +
                    " ms with dispatch `inline`; all clients of this loop wait" +
                    (suppressed > 0 ? " (" + std::to_string(suppressed) + " more)" : ""));
}

// A thread that could come for the ready queue when all others are at work. It looks for itself
// whether it is needed.
Crew::Member* Crew::pop_parked_watcher() {
  for (const auto& member : members_) {
    if (ReadyQueue::call(member->watcher)) return member.get();
  }
  return nullptr;
}

// True if this watcher is needed elsewhere: the crew stops, or jobs wait and nobody else can come.
bool Crew::leave_watch(Member&) {
  const TimePoint now = platform_.clock.now();
  MutexLock lock(mutex_);
  if (stopping_) return true;
  return queue_is_old(now - kTick) && idle_.empty() && !may_grow() && starting_ == 0;
}

void Crew::force_take(HeldLoop& held, uint64_t lent) {
  forced_.store(lent, std::memory_order_seq_cst);
  while (held.has_reserve.load(std::memory_order_seq_cst) && held.loop().word() == lent) {
    held.loop().wake_watcher();
    platform_.threads.relax();
  }
}

}  // namespace trireme

// The reserve's side of the crew: who watches a loop, and when a watcher leaves.
#include <algorithm>
#include <string>
#include <utility>

#include "handling/crew.h"
#include "handling/watchdog.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kQuietTime = std::chrono::milliseconds(100);

}  // namespace

// Finds a reserve for a loop that has none: an idle thread, a new one, or the next that becomes
// idle. 0, or the errno value with which the system has refused a new one.
int Crew::appoint_reserve(HeldLoop& held) {
  CrewMember* member = nullptr;
  bool grow = false;
  {
    MutexLock lock(members_.mutex);
    // One that only reports is a thread more, and not one that jobs may need.
    if (takes_loops_ && jobs_.is_empty(members_.mutex)) member = members_.pop_idle();
    if (member != nullptr) {
      member->duty = Duty::kWatch;
      member->loop = &held;
      member->orders_pending = true;
      // It is there from now on, whenever it gets a CPU: handlers need not wait for that.
      held.loop().set_watcher(&member->spot);
      held.has_reserve.store(true, std::memory_order_seq_cst);
    } else if (members_.may_grow()) {
      grow = true;
      members_.begin_start();
    } else {
      without_reserve_.push_back(&held);
    }
  }
  if (member != nullptr) platform_.threads.unpark(member->spot);
  if (!grow) return 0;
  int error = 0;
  const bool started = members_.start(Duty::kWatch, &held, error) != nullptr;
  MutexLock lock(members_.mutex);
  members_.end_start();
  if (!started) without_reserve_.push_back(&held);
  return error;
}

// Without a buffer to give in exchange no loop can be taken: the one that waits for its reserve
// starts no handler meanwhile. False: this thread is needed elsewhere.
bool Crew::equip(CrewMember& me) {
  HeldLoop& held = *me.loop;
  while (takes_loops_ && me.kit.read_buffer == nullptr) {
    me.kit.read_buffer = read_buffers_.take();
    if (me.kit.read_buffer != nullptr) return true;
    held.has_reserve.store(false, std::memory_order_seq_cst);
    if (held.ended.load(std::memory_order_seq_cst)) return false;
    // Not while a handler runs with the loop lent: nobody would see it block.
    if (LoopWord::state(held.loop().word()) != LoopWord::kLent && leave_watch()) return false;
    platform_.threads.park(me.spot, platform_.clock.now() + kRetryMemory);
  }
  return true;
}

// Watches until there is a late job (then `me` becomes the holder), until the crew stops, or until
// this thread is needed for the ready queue. The analysis cannot follow a capability that is
// carried from here into hold().
void Crew::watch(CrewMember& me) {
  HeldLoop& held = *me.loop;
  EventLoop& loop = held.loop();
  if (!equip(me)) return end_watch(me);
  Watchdog watchdog({context_, members_, reports_, loops_, takes_loops_}, held);
  loop.set_watcher(&me.spot);
  held.has_reserve.store(true, std::memory_order_seq_cst);
  const auto quiet_ticks_max = static_cast<int>(kQuietTime / watchdog.tick());
  int quiet_ticks = 0;
  bool leaving = false;
  // It looks before it parks: appointed while idle, it may have been told of a job by the very
  // permit that woke it.
  TimePoint next_look = TimePoint::min();
  while (true) {
    const bool parks = quiet_ticks >= quiet_ticks_max && !leaving && jobs_.try_park(me, loop);
    if (next_look != TimePoint::min()) platform_.threads.park(me.spot, parks ? kNever : next_look);
    if (parks) jobs_.note_awake(me);
    const TimePoint now = platform_.clock.now();
    const uint64_t before = watchdog.word();
    if (watchdog.look(me, now)) {
      appoint_reserve(held);
      MutexLock lock(members_.mutex);
      me.duty = Duty::kHold;
      me.orders_pending = true;
      return;
    }
    next_look = watchdog.look_again_at(now);
    reports_.report_moved(now);
    const bool quiet = LoopWord::sequence(watchdog.word()) == LoopWord::sequence(before);
    quiet_ticks = quiet && !parks ? quiet_ticks + 1 : 0;
    // Leaving takes two ticks: after the first the holder lends no more, so that at the second
    // nothing is lent that nobody would watch.
    if (leaving && !watchdog.sees_lent()) break;
    if (held.ended.load(std::memory_order_seq_cst)) break;
    leaving = leave_watch();
    held.has_reserve.store(!leaving, std::memory_order_seq_cst);
  }
  end_watch(me);
}

// The loop has no reserve, until somebody else comes. One that only reported is a data worker from
// now on.
void Crew::end_watch(CrewMember& me) {
  HeldLoop& held = *me.loop;
  held.has_reserve.store(false, std::memory_order_seq_cst);
  held.loop().set_watcher(nullptr);
  std::string name;
  {
    MutexLock lock(members_.mutex);
    const bool ended = held.ended.load(std::memory_order_seq_cst);
    if (!members_.is_stopping() && !ended) without_reserve_.push_back(&held);
    if (takes_loops_ || me.number != CrewMember::kNoNumber) return;
    members_.note_no_other();
    name = members_.become_data_worker(me);
  }
  platform_.threads.set_name(name);
}

// True if this watcher is needed elsewhere: the crew stops, or jobs wait and nobody else can come,
// for there are as many threads as allowed, or the system refuses one more.
bool Crew::leave_watch() {
  const TimePoint now = platform_.clock.now();
  MutexLock lock(members_.mutex);
  if (members_.is_stopping()) return true;
  if (!takes_loops_ && !members_.was_refused()) return false;
  const bool nobody_comes = members_.was_refused() || !members_.may_grow();
  return jobs_.is_old(members_.mutex, now - Watchdog::kTick) && !members_.has_idle() &&
         nobody_comes && !members_.is_starting();
}

void Crew::force_take(HeldLoop& held, Job& job) {
  job.loan.give_away();
  while (held.has_reserve.load(std::memory_order_seq_cst) && held.loop().word() == job.loan.as) {
    held.wake_watcher();
    platform_.threads.relax();
  }
}

}}  // namespace trireme

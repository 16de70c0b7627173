// The reserve's side of the crew: watching a loop, and taking it when a job is late.
#include <algorithm>
#include <utility>

#include "handling/crew.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(1);
// Under the other policies nothing waits for the watchdog but a report.
constexpr Duration kReportTick = std::chrono::milliseconds(10);
// Two looks that are closer together say nothing...
constexpr Duration kLate = kTick * 3 / 4;
// ... but of a job that has been out for a tick: then so much is enough.
constexpr Duration kLateIfOld = kTick / 4;
constexpr Duration kLookSoon = kTick * 3 / 10;
// A thread computes if its CPU clock moves by so large a part of the time: it may share its CPU.
constexpr int kComputesShare = 8;
// So long a handler may compute while no CPU is free: some time slices of the kernel's scheduler.
constexpr Duration kBusyPatience = std::chrono::milliseconds(20);
constexpr Duration kQuietTime = std::chrono::milliseconds(100);
constexpr size_t kReadBuffersKept = 4;

}  // namespace

// Finds a reserve for a loop that has none: an idle thread, a new one, or the next that becomes
// idle. 0, or the errno value with which the system has refused a new one.
int Crew::appoint_reserve(HeldLoop& held) {
  Member* member = nullptr;
  bool grow = false;
  {
    MutexLock lock(mutex_);
    // One that only reports is a thread more, and not one that jobs may need.
    if (takes_loops_ && queue_.oldest(mutex_) == nullptr) member = pop_idle();
    if (member != nullptr) {
      member->duty = Duty::kWatch;
      member->loop = &held;
      member->orders_pending = true;
      // It is there from now on, whenever it gets a CPU: handlers need not wait for that.
      held.loop().set_watcher(&member->spot);
      held.has_reserve.store(true, std::memory_order_seq_cst);
    } else if (may_grow()) {
      grow = true;
      ++starting_;
    } else {
      without_reserve_.push_back(&held);
    }
  }
  if (member != nullptr) platform_.threads.unpark(member->spot);
  if (!grow) return 0;
  int error = 0;
  const bool started = start_member(Duty::kWatch, &held, error) != nullptr;
  MutexLock lock(mutex_);
  --starting_;
  if (!started) without_reserve_.push_back(&held);
  return error;
}

// Null: the system has no memory.
std::shared_ptr<Block> Crew::take_read_buffer() {
  {
    MutexLock lock(mutex_);
    if (!read_buffers_.empty()) {
      std::shared_ptr<Block> buffer = std::move(read_buffers_.back());
      read_buffers_.pop_back();
      return buffer;
    }
  }
  Block made = context_.buffers.try_make_fixed(kReadBufferBytes);
  std::shared_ptr<Block> shared;
  if (!made || !with_memory([&] { shared = std::make_shared<Block>(std::move(made)); })) return {};
  return shared;
}

// Without a buffer to give in exchange no loop can be taken: the one that waits for its reserve
// starts no handler meanwhile. False: this thread is needed elsewhere.
bool Crew::equip(Member& me) {
  HeldLoop& held = *me.loop;
  while (takes_loops_ && me.kit.read_buffer == nullptr) {
    me.kit.read_buffer = take_read_buffer();
    if (me.kit.read_buffer != nullptr) return true;
    held.has_reserve.store(false, std::memory_order_seq_cst);
    if (held.ended.load(std::memory_order_seq_cst)) return false;
    // Not while a handler runs with the loop lent: nobody would see it block.
    if (LoopWord::state(held.loop().word()) != LoopWord::kLent && leave_watch()) return false;
    platform_.threads.park(me.spot, platform_.clock.now() + kRetryMemory);
  }
  return true;
}

void Crew::keep_read_buffer(std::shared_ptr<Block> buffer) {
  if (buffer == nullptr || buffer.use_count() > 1 || buffer->capacity() != kReadBufferBytes) return;
  if (context_.buffers.under_pressure()) return;  // what is kept would hold clients back
  MutexLock lock(mutex_);
  if (loops_running_ > 0 && read_buffers_.size() < kReadBuffersKept) {
    read_buffers_.push_back(std::move(buffer));
  }
}

// Watches until there is a late job (then `me` becomes the holder), until the crew stops, or until
// this thread is needed for the ready queue. The analysis cannot follow a capability that is
// carried from here into hold().
void Crew::watch(Member& me) {
  HeldLoop& held = *me.loop;
  EventLoop& loop = held.loop();
  if (!equip(me)) return end_watch(me);
  me.looks.clear();
  loop.set_watcher(&me.spot);
  held.has_reserve.store(true, std::memory_order_seq_cst);
  const Duration tick = takes_loops_ ? kTick : kReportTick;
  const auto quiet_ticks_max = static_cast<int>(kQuietTime / tick);
  int quiet_ticks = 0;
  bool leaving = false;
  Sight sight;
  // It looks before it parks: appointed while idle, it may have been told of a job by the very
  // permit that woke it.
  TimePoint next_look = TimePoint::min();
  while (true) {
    const bool parks = quiet_ticks >= quiet_ticks_max && !leaving &&
                       queue_.try_park(me.watcher, [&loop] { return loop.try_park_watcher(); });
    if (next_look != TimePoint::min()) platform_.threads.park(me.spot, parks ? kNever : next_look);
    if (parks) queue_.note_awake(me.watcher);
    const TimePoint now = platform_.clock.now();
    const uint64_t before = sight.word;
    if (take_loop(me, sight, now)) {
      appoint_reserve(held);
      MutexLock lock(mutex_);
      me.duty = Duty::kHold;
      me.orders_pending = true;
      return;
    }
    next_look = look_again_at(held, sight, now, tick);
    if (moved_waits_.load(std::memory_order_relaxed)) report_moved(now);
    const bool lent = LoopWord::state(sight.word) == LoopWord::kLent;
    const bool quiet = LoopWord::sequence(sight.word) == LoopWord::sequence(before);
    quiet_ticks = quiet && !parks ? quiet_ticks + 1 : 0;
    // Leaving takes two ticks: after the first the holder lends no more, so that at the second
    // nothing is lent that nobody would watch.
    if (leaving && !lent) break;
    if (held.ended.load(std::memory_order_seq_cst)) break;
    leaving = leave_watch();
    held.has_reserve.store(!leaving, std::memory_order_seq_cst);
  }
  end_watch(me);
}

// The loop has no reserve, until somebody else comes. One that only reported is a data worker from
// now on.
void Crew::end_watch(Member& me) {
  HeldLoop& held = *me.loop;
  held.has_reserve.store(false, std::memory_order_seq_cst);
  held.loop().set_watcher(nullptr);
  std::string name;
  {
    MutexLock lock(mutex_);
    const bool ended = held.ended.load(std::memory_order_seq_cst);
    if (!stopping_ && !ended) without_reserve_.push_back(&held);
    if (takes_loops_ || me.number != kNoNumber) return;
    others_now_.subtract();
    me.number = take_number();
    name = "data-" + std::to_string(me.number);
  }
  platform_.threads.set_name(name);
}

// One look at the loop. True: `me` has taken it and is its holder.
bool Crew::take_loop(Member& me, Sight& sight, TimePoint now) {
  HeldLoop& held = *me.loop;
  EventLoop& loop = held.loop();
  const bool again = see_again(held, sight, now);
  const bool lent = LoopWord::state(sight.word) == LoopWord::kLent;
  const bool asked = lent && held.asked.load(std::memory_order_seq_cst) == sight.word;
  const bool told = lent && takes_loops_ && held.lookout->told() == sight.word;
  const bool at_once = asked || told;
  if (!at_once && (!again || !is_late(held, sight, now))) return false;
  if (!lent || !takes_loops_ || !should_take(me, sight, at_once, now)) {
    see_stall(held, sight, now);
    return false;
  }
  const uint64_t thread = held.holder_thread.load(std::memory_order_relaxed);
  if (!loop.take(sight.word)) return false;
  held.has_reserve.store(false, std::memory_order_relaxed);  // read by the holder: this thread now
  loop.set_watcher(nullptr);
  const Job& job = *held.lent_job;
  note_running(*static_cast<Member*>(held.holder), job.service_name, job.id, sight.since);
  const Stall stall{.what = Stall::What::kMoved,
                    .loop = loop.index(),
                    .service = job.service_name,
                    .kind = job.reported_kind(),
                    .id = job.id,
                    .thread = thread,
                    .since = sight.since,
                    .computes = sight.computes};
  held.rearrange(me.kit);
  loop.become_holder();
  Books& books = context_.books(loop.index());
  books.hand_overs.add();
  if (asked) books.hand_overs_asked.add();
  if (told && !asked) books.hand_overs_told.add();
  held.lost_at_once = at_once;
  held.lost_while_alert = !asked && held.lookout->alert(now);
  others_now_.add();
  platform_.threads.set_name("io-" + std::to_string(loop.index()));
  if (!at_once && context_.log.takes(LogLevel::kDebug)) {
    MutexLock lock(mutex_);
    moved_ = stall;
    moved_waits_.store(true, std::memory_order_relaxed);
  }
  return true;
}

// A job that is seen for the first time and was lent some time ago is looked at sooner than a tick
// later: as soon as it is a tick old. So a loop is lost after a tick and a third at most, without
// more looks where nobody is late: at most of them no job is lent.
TimePoint Crew::look_again_at(const HeldLoop& held, const Sight& sight, TimePoint now,
                              Duration tick) const {
  const bool first = LoopWord::state(sight.word) == LoopWord::kLent && sight.since == now;
  // Nor where a lookout will have told by then.
  if (!first || !takes_loops_ || held.lookout->is_alert()) return now + tick;
  return std::clamp(lent_since(held) + tick, now + kLookSoon, now + tick);
}

bool Crew::is_late(const HeldLoop& held, const Sight& sight, TimePoint now) const {
  const Duration seen = now - sight.since;
  if (seen >= kLate) return true;
  return takes_loops_ && LoopWord::state(sight.word) == LoopWord::kLent && seen >= kLateIfOld &&
         now - lent_since(held) >= kTick;
}

// By the clock of the turn in which it was lent, so it may be too early by a part of that turn.
TimePoint Crew::lent_since(const HeldLoop& held) {
  return TimePoint(Duration(held.lent_since_ns.load(std::memory_order_relaxed)));
}

// Looks at the word and at the turn of the loop. True: both are those of the last tick, and the
// loop does not idle. Of a job that is seen for the first time the CPU clock is read, which is so
// seldom that it costs nothing: at most ticks no job is lent.
bool Crew::see_again(HeldLoop& held, Sight& sight, TimePoint now) {
  const EventLoop& loop = held.loop();
  const uint64_t word = loop.word();
  const uint64_t turn = loop.counters.loop_turns.get();
  const bool lent = LoopWord::state(word) == LoopWord::kLent;
  const bool again = word == sight.word && turn == sight.turn && (lent || !loop.idles());
  if (!again) sight = {.word = word, .turn = turn, .since = now};
  if (!sight.has_cpu && (lent || again)) {
    sight.has_cpu = true;
    sight.since = now;
    sight.cpu = platform_.threads.cpu_time(held.holder_thread.load(std::memory_order_relaxed));
  }
  return again;
}

bool Crew::should_take(Member& me, Sight& sight, bool at_once, TimePoint now) {
  if (at_once) return true;
  const Duration cpu =
      platform_.threads.cpu_time(me.loop->holder_thread.load(std::memory_order_relaxed));
  sight.computes = (cpu - sight.cpu) * kComputesShare >= now - sight.since;
  return !sight.computes || now - sight.since >= kBusyPatience ||
         count_computing(me, now) < active_wanted_;
}

// Loops that are at work, and data workers whose CPU clock has moved since the last look. One that
// is looked at for the first time counts, for what it does is not known yet.
size_t Crew::count_computing(Member& me, TimePoint now) {
  size_t computing = 0;
  for (HeldLoop* held : loops_) computing += held->loop().idles() ? 0 : 1;
  std::vector<Look> looks;
  {
    MutexLock lock(mutex_);
    for (const auto& member : members_) {
      if (member->running_service.load(std::memory_order_relaxed) == nullptr) continue;
      looks.push_back({.thread = member->thread_id.load(std::memory_order_relaxed),
                       .job_since_ns = member->running_since_ns.load(std::memory_order_relaxed)});
    }
  }
  for (Look& look : looks) {
    look.at = now;
    look.cpu = platform_.threads.cpu_time(look.thread);
    const auto last = std::find_if(me.looks.begin(), me.looks.end(), [&](const Look& other) {
      return other.thread == look.thread && other.job_since_ns == look.job_since_ns;
    });
    const bool waits = last != me.looks.end() && now > last->at &&
                       (look.cpu - last->cpu) * kComputesShare < now - last->at;
    computing += waits ? 0 : 1;
  }
  me.looks = std::move(looks);
  return computing;
}

// A thread that could come for the ready queue when all others are at work; null: there is none, or
// one more may be started. It looks for itself whether it is needed.
Crew::Member* Crew::pop_parked_watcher() {
  if (!(takes_loops_ && is_full()) && !refused_) return nullptr;
  for (const auto& member : members_) {
    if (ReadyQueue::call(member->watcher)) return member.get();
  }
  return nullptr;
}

// True if this watcher is needed elsewhere: the crew stops, or jobs wait and nobody else can come,
// for there are as many threads as allowed, or the system refuses one more.
bool Crew::leave_watch() {
  const TimePoint now = platform_.clock.now();
  MutexLock lock(mutex_);
  if (stopping_) return true;
  if (!takes_loops_ && !refused_) return false;
  const bool nobody_comes = refused_ || !may_grow();
  return queue_is_old(now - kTick) && idle_.empty() && nobody_comes && starting_ == 0;
}

void Crew::force_take(HeldLoop& held, Job& job) {
  job.give_loop_away();
  while (held.has_reserve.load(std::memory_order_seq_cst) && held.loop().word() == job.lent_as) {
    held.wake_watcher();
    platform_.threads.relax();
  }
}

}}  // namespace trireme

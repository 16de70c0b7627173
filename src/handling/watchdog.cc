#include "handling/watchdog.h"

#include <algorithm>
#include <utility>

#include "handling/lookout.h"

namespace trireme { inline namespace v0 {
namespace {

// Two looks that are closer together say nothing...
constexpr Duration kLate = Watchdog::kTick * 3 / 4;
// ... but of a job that has been out for a tick: then so much is enough.
constexpr Duration kLateIfOld = Watchdog::kTick / 4;
constexpr Duration kLookSoon = Watchdog::kTick * 3 / 10;
// A thread computes if its CPU clock moves by so large a part of the time: it may share its CPU.
constexpr int kComputesShare = 8;
// So long a handler may compute while no CPU is free: some time slices of the kernel's scheduler.
constexpr Duration kBusyPatience = std::chrono::milliseconds(20);

}  // namespace

bool Watchdog::look(CrewMember& me, TimePoint now) {
  EventLoop& loop = held_.loop();
  const bool again = see_again(now);
  const bool lent = sees_lent();
  const bool asked = lent && held_.asked.load(std::memory_order_seq_cst) == sight_.word;
  const bool told = lent && around_.takes_loops && held_.lookout->told() == sight_.word;
  const bool at_once = asked || told;
  if (!at_once && (!again || !is_late(now))) return false;
  if (!lent || !around_.takes_loops || !should_take(at_once, now)) {
    see_stall(now);
    return false;
  }
  const uint64_t thread = holder_thread();
  if (!loop.take(sight_.word)) return false;
  held_.has_reserve.store(false, std::memory_order_relaxed);  // read by the holder: this thread now
  loop.set_watcher(nullptr);
  const Job& job = *held_.lent_job;
  held_.holder->running.note(job.home.service_name, job.run.id, sight_.since);
  const Stall stall{.what = Stall::What::kMoved,
                    .loop = loop.index(),
                    .service = job.home.service_name,
                    .kind = job.reported_kind(),
                    .id = job.run.id,
                    .thread = thread,
                    .since = sight_.since,
                    .computes = sight_.computes};
  held_.rearrange(me.kit);
  loop.become_holder();
  Books& books = around_.context.books(loop.index());
  books.hand_overs.add();
  if (asked) books.hand_overs_asked.add();
  if (told && !asked) books.hand_overs_told.add();
  held_.lost_at_once = at_once;
  held_.lost_while_alert = !asked && held_.lookout->alert(now);
  around_.members.note_other();
  platform_.threads.set_name("io-" + std::to_string(loop.index()));
  if (!at_once && around_.context.log.takes(LogLevel::kDebug)) around_.reports.note_moved(stall);
  return true;
}

// A job that is seen for the first time and was lent some time ago is looked at sooner than a tick
// later: as soon as it is a tick old. So a loop is lost after a tick and a third at most, without
// more looks where nobody is late: at most of them no job is lent.
TimePoint Watchdog::look_again_at(TimePoint now) const {
  const bool first = sees_lent() && sight_.since == now;
  // Nor where a lookout will have told by then.
  if (!first || !around_.takes_loops || held_.lookout->is_alert()) return now + tick();
  return std::clamp(held_.holder_notes.lent_since() + tick(), now + kLookSoon, now + tick());
}

bool Watchdog::is_late(TimePoint now) const {
  const Duration seen = now - sight_.since;
  if (seen >= kLate) return true;
  return around_.takes_loops && sees_lent() && seen >= kLateIfOld &&
         now - held_.holder_notes.lent_since() >= kTick;
}

// Looks at the word and at the turn of the loop. True: both are those of the last tick, and the
// loop does not idle. Of a job that is seen for the first time the CPU clock is read, which is so
// seldom that it costs nothing: at most ticks no job is lent.
bool Watchdog::see_again(TimePoint now) {
  const EventLoop& loop = held_.loop();
  const uint64_t word = loop.word();
  const uint64_t turn = loop.counters.loop_turns.get();
  const bool lent = LoopWord::state(word) == LoopWord::kLent;
  const bool again = word == sight_.word && turn == sight_.turn && (lent || !loop.idles());
  if (!again) sight_ = {.word = word, .turn = turn, .since = now};
  if (!sight_.has_cpu && (lent || again)) {
    sight_.has_cpu = true;
    sight_.since = now;
    sight_.cpu = platform_.threads.cpu_time(holder_thread());
  }
  return again;
}

bool Watchdog::should_take(bool at_once, TimePoint now) {
  if (at_once) return true;
  const Duration cpu = platform_.threads.cpu_time(holder_thread());
  sight_.computes = (cpu - sight_.cpu) * kComputesShare >= now - sight_.since;
  return !sight_.computes || now - sight_.since >= kBusyPatience ||
         count_computing(now) < around_.members.active_wanted();
}

// Loops that are at work, and data workers whose CPU clock has moved since the last look. One that
// is looked at for the first time counts, for what it does is not known yet.
size_t Watchdog::count_computing(TimePoint now) {
  size_t computing = 0;
  for (HeldLoop* held : around_.loops) computing += held->loop().idles() ? 0 : 1;
  std::vector<CpuLook> looks;
  {
    Members& members = around_.members;
    MutexLock lock(members.mutex);
    for (const auto& member : members.all()) {
      const RunningNotes& running = member->running;
      if (!running.runs()) continue;
      looks.push_back({.thread = running.thread.load(std::memory_order_relaxed),
                       .job_since_ns = running.since_ns.load(std::memory_order_relaxed),
                       .at = now,
                       .cpu = {}});
    }
  }
  for (CpuLook& look : looks) {
    look.cpu = platform_.threads.cpu_time(look.thread);
    const auto last = std::find_if(cpu_looks_.begin(), cpu_looks_.end(), [&](const CpuLook& other) {
      return other.thread == look.thread && other.job_since_ns == look.job_since_ns;
    });
    const bool waits = last != cpu_looks_.end() && now > last->at &&
                       (look.cpu - last->cpu) * kComputesShare < now - last->at;
    computing += waits ? 0 : 1;
  }
  cpu_looks_ = std::move(looks);
  return computing;
}

// A job or loop code that keeps its loop, at each tick after the first.
void Watchdog::see_stall(TimePoint now) {
  const bool lent = sees_lent();
  const Duration lasted = now - sight_.since;
  const Duration time = around_.context.options.stall_time;
  if (!lent) {
    held_.watcher_notes.code_since_ns.store(sight_.since.time_since_epoch().count(),
                                            std::memory_order_relaxed);
    held_.watcher_notes.code_turn.store(sight_.turn, std::memory_order_relaxed);
  }
  // A turn of a loop under load may take some ticks.
  if (!sight_.counted && (lent || (time > Duration(0) && lasted >= time))) {
    sight_.counted = true;
    around_.context.books(held_.loop().index()).stalls.add();
  }
  if (sight_.reported || time <= Duration(0) || lasted < time) return;
  sight_.reported = true;
  const uint64_t thread = holder_thread();
  const Duration cpu = platform_.threads.cpu_time(thread) - sight_.cpu;
  const HolderNotes& notes = held_.holder_notes;
  const auto& service = lent ? notes.lent_service : notes.code_service;
  const auto& id = lent ? notes.lent_id : notes.code_id;
  around_.reports.report({.what = lent ? Stall::What::kHandler : Stall::What::kLoopCode,
                          .loop = held_.loop().index(),
                          .service = service.load(std::memory_order_relaxed),
                          .kind = notes.lent_kind.load(std::memory_order_relaxed),
                          .id = ConnectionId{id.load(std::memory_order_relaxed)},
                          .thread = thread,
                          .since = sight_.since,
                          .computes = cpu * 2 >= lasted},
                         now);
}

}}  // namespace trireme

// The end of the crew: waiting for its loops, joining its threads, and naming those that do not
// end.
#include <algorithm>
#include <string>
#include <utility>

#include "handling/crew.h"

namespace trireme { inline namespace v0 {
namespace {

// So long a turn of a loop that has lost its connections may take where all CPUs are busy.
constexpr Duration kTurnPatience = std::chrono::milliseconds(250);
constexpr Duration kTurnLook = std::chrono::milliseconds(5);

}  // namespace

bool Crew::wait_loops_stopped(TimePoint until, const std::atomic<bool>* interrupt) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (loops_running_ == 0) return true;
    }
    if (interrupt != nullptr && interrupt->load(std::memory_order_seq_cst)) return false;
    if (until != kNever && platform_.clock.now() >= until) return false;
    platform_.threads.park(stopped_spot_, until);
  }
}

void Crew::interrupt_wait() { platform_.threads.unpark(stopped_spot_); }

void Crew::join() {
  std::vector<Member*> members;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& member : members_) members.push_back(member.get());
    if (retired_ != nullptr) members.push_back(retired_.get());
  }
  for (Member* member : members) platform_.threads.unpark(member->spot);
  for (Member* member : members) member->thread->join();
  for (auto& lookout : lookouts_) lookout->end();
}

void Crew::join_lookouts(TimePoint until) {
  for (auto& lookout : lookouts_) {
    if (!lookout->join_until(platform_.immortal ? until : kNever)) lookout->detach();
  }
}

void Crew::detach() {
  std::vector<Member*> members;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& member : members_) members.push_back(member.get());
    if (retired_ != nullptr) members.push_back(retired_.get());
  }
  for (Member* member : members) {
    member->thread->detach();
    platform_.threads.unpark(member->spot);
  }
  for (auto& lookout : lookouts_) {
    lookout->end();
    lookout->detach();
  }
}

namespace {

// Grows with each turn, and within one that closes many connections.
uint64_t progress_of(ServerContext& context, HeldLoop& held) {
  const LoopCounters& counters = held.loop().counters;
  return counters.loop_turns.get() + counters.descriptors_closed.get() +
         context.books(held.loop().index()).slots_gone.get();
}

}  // namespace

// Loops that are in the middle of a turn and do not get on: in a codec, for all else is short.
std::vector<HeldLoop*> Crew::wait_for_turns() {
  const auto is_in_turn = [](HeldLoop* held) {
    return !held->ended.load(std::memory_order_seq_cst) && !held->loop().idles() &&
           LoopWord::state(held->loop().word()) == LoopWord::kHeld;
  };
  std::vector<std::pair<HeldLoop*, uint64_t>> turns;
  for (HeldLoop* held : loops_) {
    if (is_in_turn(held)) turns.emplace_back(held, progress_of(context_, *held));
  }
  const TimePoint until = platform_.clock.now() + kTurnPatience;
  for (TimePoint now = platform_.clock.now(); !turns.empty() && now < until;) {
    platform_.threads.park(stopped_spot_, std::min(now + kTurnLook, until));
    std::erase_if(turns, [&](const auto& seen) {
      return !is_in_turn(seen.first) || progress_of(context_, *seen.first) != seen.second;
    });
    now = platform_.clock.now();
  }
  std::vector<HeldLoop*> stuck;
  for (const auto& [held, turn] : turns) stuck.push_back(held);
  return stuck;
}

std::vector<StuckJob> Crew::running_jobs() {
  const std::vector<HeldLoop*> in_code = wait_for_turns();
  const int64_t now_ns = platform_.clock.now().time_since_epoch().count();
  std::vector<StuckJob> jobs;
  const auto add = [&](const char* service, std::string thread, uint64_t id, int64_t since_ns) {
    jobs.push_back({.service = service != nullptr ? service : "?",
                    .thread = std::move(thread),
                    .peer = context_.roster.describe(ConnectionId{id}),
                    .running_for = Duration(now_ns - since_ns)});
  };
  for (HeldLoop* held : in_code) {
    const bool seen =
        held->code_turn.load(std::memory_order_relaxed) == held->loop().counters.loop_turns.get();
    add(held->code_service.load(std::memory_order_relaxed),
        "io-" + std::to_string(held->loop().index()), held->code_id.load(std::memory_order_relaxed),
        seen ? held->code_since_ns.load(std::memory_order_relaxed)
             : now_ns - Duration(kTurnPatience).count());
    jobs.back().in_codec = true;
  }
  for (HeldLoop* held : loops_) {
    if (LoopWord::state(held->loop().word()) != LoopWord::kLent) continue;
    add(held->lent_service.load(std::memory_order_relaxed),
        "io-" + std::to_string(held->loop().index()), held->lent_id.load(std::memory_order_relaxed),
        held->lent_since_ns.load(std::memory_order_relaxed));
  }
  MutexLock lock(mutex_);
  for (const auto& member : members_) {
    const char* service = member->running_service.load(std::memory_order_relaxed);
    if (service == nullptr) continue;
    // A thread that lost its loop gets its number when the handler returns; until then it has the
    // name of the loop, as another one has, too.
    const std::string id = std::to_string(member->thread_id.load(std::memory_order_relaxed));
    const std::string thread =
        member->number == kNoNumber ? id : "data-" + std::to_string(member->number);
    add(service, thread, member->running_id.load(std::memory_order_relaxed),
        member->running_since_ns.load(std::memory_order_relaxed));
  }
  return jobs;
}

}}  // namespace trireme

#include "handling/stuck_jobs.h"

#include <algorithm>
#include <string>
#include <utility>

namespace trireme { inline namespace v0 {
namespace {

// So long a turn of a loop that has lost its connections may take where all CPUs are busy.
constexpr Duration kTurnPatience = std::chrono::milliseconds(250);
constexpr Duration kTurnLook = std::chrono::milliseconds(5);

// Grows with each turn, and within one that closes many connections.
uint64_t progress_of(ServerContext& context, HeldLoop& held) {
  const LoopCounters& counters = held.loop().counters;
  return counters.loop_turns.get() + counters.descriptors_closed.get() +
         context.books(held.loop().index()).slots_gone.get();
}

bool is_in_turn(HeldLoop* held) {
  return !held->ended.load(std::memory_order_seq_cst) && !held->loop().idles() &&
         LoopWord::state(held->loop().word()) == LoopWord::kHeld;
}

// Loops that are in the middle of a turn and do not get on: in a codec, for all else is short.
std::vector<HeldLoop*> wait_for_turns(ServerContext& context, const std::vector<HeldLoop*>& loops,
                                      ParkSpot& spot) {
  const Platform& platform = context.platform;
  std::vector<std::pair<HeldLoop*, uint64_t>> turns;
  for (HeldLoop* held : loops) {
    if (is_in_turn(held)) turns.emplace_back(held, progress_of(context, *held));
  }
  const TimePoint until = platform.clock.now() + kTurnPatience;
  for (TimePoint now = platform.clock.now(); !turns.empty() && now < until;) {
    platform.threads.park(spot, std::min(now + kTurnLook, until));
    std::erase_if(turns, [&](const auto& seen) {
      return !is_in_turn(seen.first) || progress_of(context, *seen.first) != seen.second;
    });
    now = platform.clock.now();
  }
  std::vector<HeldLoop*> stuck;
  for (const auto& [held, turn] : turns) stuck.push_back(held);
  return stuck;
}

}  // namespace

std::vector<StuckJob> find_stuck_jobs(ServerContext& context, const std::vector<HeldLoop*>& loops,
                                      Members& members, const StopJobs& stops,
                                      SideWorkers& layer_workers, ParkSpot& spot) {
  const std::vector<HeldLoop*> in_code = wait_for_turns(context, loops, spot);
  const int64_t now_ns = context.platform.clock.now().time_since_epoch().count();
  std::vector<StuckJob> jobs;
  const auto add = [&](const char* service, std::string thread, uint64_t id, int64_t since_ns) {
    jobs.push_back({.service = service != nullptr ? service : "?",
                    .thread = std::move(thread),
                    .peer = context.roster.describe(ConnectionId{id}),
                    .running_for = Duration(now_ns - since_ns)});
  };
  const auto name_of = [](HeldLoop* held) { return "io-" + std::to_string(held->loop().index()); };
  for (HeldLoop* held : in_code) {
    const HolderNotes& notes = held->holder_notes;
    const WatcherNotes& seen = held->watcher_notes;
    const bool is_seen =
        seen.code_turn.load(std::memory_order_relaxed) == held->loop().counters.loop_turns.get();
    add(notes.code_service.load(std::memory_order_relaxed), name_of(held),
        notes.code_id.load(std::memory_order_relaxed),
        is_seen ? seen.code_since_ns.load(std::memory_order_relaxed)
                : now_ns - Duration(kTurnPatience).count());
    jobs.back().code = StuckJob::Code::kCodec;
  }
  for (HeldLoop* held : loops) {
    if (LoopWord::state(held->loop().word()) != LoopWord::kLent) continue;
    const HolderNotes& notes = held->holder_notes;
    add(notes.lent_service.load(std::memory_order_relaxed), name_of(held),
        notes.lent_id.load(std::memory_order_relaxed),
        notes.lent_since_ns.load(std::memory_order_relaxed));
  }
  const auto add_running = [&](const RunningNotes& running, std::string thread) {
    const char* const service = running.service.load(std::memory_order_relaxed);
    if (service == nullptr) return false;
    add(service, std::move(thread), running.id.load(std::memory_order_relaxed),
        running.since_ns.load(std::memory_order_relaxed));
    return true;
  };
  layer_workers.for_each([&](const RunningNotes& running, std::string name) {
    if (add_running(running, std::move(name))) jobs.back().code = StuckJob::Code::kLayer;
  });
  add_running(stops.running(), "stop-0");
  MutexLock lock(members.mutex);
  for (const auto& member : members.all()) {
    const RunningNotes& running = member->running;
    // A thread that lost its loop gets its number when the handler returns; until then it has the
    // name of the loop, as another one has, too.
    const std::string id = std::to_string(running.thread.load(std::memory_order_relaxed));
    const bool has_number = member->number != CrewMember::kNoNumber;
    add_running(running, has_number ? "data-" + std::to_string(member->number) : id);
  }
  return jobs;
}

}}  // namespace trireme

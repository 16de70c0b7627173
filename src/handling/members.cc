#include "handling/members.h"

#include <algorithm>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

using Duty = CrewMember::Duty;

constexpr size_t kIdleKept = 2;
constexpr Duration kActive = std::chrono::microseconds(30);

auto find(std::vector<std::unique_ptr<CrewMember>>& all, const CrewMember& one) {
  return std::find_if(all.begin(), all.end(),
                      [&](const auto& member) { return member.get() == &one; });
}

}  // namespace

Members::Members(const Platform& platform, const Settings& settings,
                 std::function<void(CrewMember&)> main)
    : platform_(platform), settings_(settings), main_(std::move(main)) {}

void Members::expect_loops(uint32_t loops) {
  loops_total_ = loops;
  // Whoever goes idle, or ends, must not need memory. One more is on its way to its end.
  const size_t most = size_t{2} * loops + settings_.data_workers_max + 1;
  {
    MutexLock lock(mutex);
    all_.reserve(most);
    idle_.reserve(most);
    unused_.reserve(most + 1);
    numbers_.reserve(most);
  }
  active_wanted_ = std::max<size_t>(1, static_cast<size_t>(platform_.threads.allowed_cpus()));
}

CrewMember* Members::start(Duty duty, HeldLoop* held, int& error) {
  CrewMember* member = nullptr;
  std::string name;
  const bool only_reports = duty == Duty::kWatch && !settings_.takes_loops;
  const bool is_data_worker = duty != Duty::kHold && !only_reports;
  {
    MutexLock lock(mutex);
    if (unused_.empty()) unused_.push_back(std::make_unique<CrewMember>());
    all_.push_back(std::move(unused_.back()));
    unused_.pop_back();
    member = all_.back().get();
    member->number = CrewMember::kNoNumber;
    member->duty = duty;
    member->poll_window = PollWindow(settings_.poll_time_max);
    member->loop = held;
    member->orders_pending = duty != Duty::kIdle;
    if (is_data_worker) {
      member->number = take_number();
      name = "data-" + std::to_string(member->number);
    } else {
      name = (only_reports ? "watch-" : "io-") + std::to_string(held->loop().index());
    }
  }
  threads_now_.add();
  if (!is_data_worker) others_now_.add();
  std::unique_ptr<Thread> thread = platform_.threads.start(
      name, [this, member] { main_(*member); }, error);
  MutexLock lock(mutex);
  refused_ = thread == nullptr;
  if (thread == nullptr) {
    threads_now_.subtract();
    if (!is_data_worker) others_now_.subtract();
    if (member->number != CrewMember::kNoNumber) numbers_[member->number] = false;
    const auto own = find(all_, *member);
    unused_.push_back(std::move(*own));
    all_.erase(own);
    return nullptr;
  }
  member->thread = std::move(thread);
  return member;
}

bool Members::retire(CrewMember& me) {
  std::unique_ptr<CrewMember> before;
  {
    MutexLock lock(mutex);
    if (stopping_ || me.orders_pending || idle_.size() <= kIdleKept) return false;
    const auto entry = std::find(idle_.begin(), idle_.end(), &me);
    if (entry == idle_.end()) return false;  // somebody wakes it
    const auto own = find(all_, me);
    if (me.thread == nullptr) return false;  // its starter has not noted it yet
    idle_.erase(entry);
    if (me.number != CrewMember::kNoNumber) numbers_[me.number] = false;
    before = std::exchange(retired_, std::move(*own));
    all_.erase(own);
  }
  if (before == nullptr) return true;
  before->thread->join();
  before->thread.reset();
  // Who called it may still be about to unpark its spot: the next thread to start inherits that.
  MutexLock lock(mutex);
  unused_.push_back(std::move(before));
  return true;
}

std::vector<CrewMember*> Members::stop() {
  std::vector<CrewMember*> members;
  MutexLock lock(mutex);
  stopping_ = true;
  for (auto& member : all_) members.push_back(member.get());
  if (retired_ != nullptr) members.push_back(retired_.get());
  return members;
}

void Members::note_idle(CrewMember& me) {
  me.duty = Duty::kIdle;
  if (std::find(idle_.begin(), idle_.end(), &me) == idle_.end()) idle_.push_back(&me);
}

CrewMember* Members::pop_idle() {
  if (idle_.empty()) return nullptr;
  CrewMember* member = idle_.back();
  idle_.pop_back();
  return member;
}

CrewMember* Members::pop_parked_watcher() {
  if (!(settings_.takes_loops && is_full()) && !refused_) return nullptr;
  for (const auto& member : all_) {
    if (ReadyQueue::call(member->watcher)) return member.get();
  }
  return nullptr;
}

// Where loops are not taken, their watchers do nothing else: a thread more for each.
bool Members::is_full() const {
  const size_t others = settings_.takes_loops ? loops_total_ : size_t{2} * loops_total_;
  return all_.size() >= others + settings_.data_workers_max;
}

Members::AtWork Members::count_at_work(TimePoint now) const {
  const int64_t active_since = (now - kActive).time_since_epoch().count();
  AtWork found;
  size_t awake = 0;
  for (const auto& member : all_) {
    const bool runs = member->running.runs();
    if (!runs && member->duty != Duty::kRun && member->duty != Duty::kIdle) continue;
    ++awake;
    // Who has lost a loop is late already.
    const bool late = member->duty == Duty::kHold ||
                      member->running.since_ns.load(std::memory_order_relaxed) < active_since;
    if (runs && late) ++found.blocked;
  }
  CHECK(awake >= found.blocked + idle_.size(), "an idle thread runs a handler");
  found.active = awake - found.blocked - idle_.size();
  return found;
}

std::string Members::become_data_worker(CrewMember& me) {
  if (me.number == CrewMember::kNoNumber) me.number = take_number();
  return "data-" + std::to_string(me.number);
}

uint32_t Members::take_number() {
  const auto unused = std::find(numbers_.begin(), numbers_.end(), false);
  const auto number = static_cast<uint32_t>(unused - numbers_.begin());
  if (unused == numbers_.end()) {
    numbers_.push_back(true);
  } else {
    *unused = true;
  }
  return number;
}

}}  // namespace trireme

#include "trireme/detail/pool_core.h"

#include <algorithm>
#include <utility>

#include "handling/job.h"
#include "handling/waiting_line.h"
#include "runtime/check.h"
#include "runtime/system/random.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 { namespace detail {
namespace {

// Who calls: a handler, or a thread that the server does not know.
class Caller {
 public:
  Caller() {
    CHECK(thread_slot != &loop_code_mark, "loop code must not block: only handlers may wait");
    Outbox* const outbox = Outbox::current();
    if (outbox != nullptr) job_ = static_cast<Job*>(outbox->owner);
  }
  const Platform& platform() const {
    return job_ != nullptr ? job_->run.context->platform : real_platform();
  }
  TimePoint now() const { return platform().clock.now(); }
  TimePoint deadline() const { return job_ != nullptr ? job_->cancellation.deadline() : kNever; }
  void give_away() const {
    if (job_ != nullptr) job_->loan.give_away();
  }
  // Seen here, too, when the deadline has passed: the loop may not turn.
  bool is_cancelled(TimePoint now) const {
    return job_ != nullptr && !job_->cancellation.wait_until(platform(), now);
  }
  ParkSpot& spot() { return job_ != nullptr ? job_->cancellation.spot() : own_spot_; }

 private:
  Job* job_ = nullptr;
  ParkSpot own_spot_;
};

// A thread that waits, on its own stack.
struct Waiter {
  explicit Waiter(Caller& caller) : spot(caller.spot()), threads(caller.platform().threads) {}

  Waiter* next = nullptr;
  std::atomic<uint32_t> state{kWaitingInLine};
  ParkSpot& spot;
  Threads& threads;
  PoolCore::Grant grant{};
  bool looks = false;  // it is granted nothing, but must look again
};

using Line = BasicWaitingLine<Waiter, Mutex>;
using Waiters = std::vector<Waiter*>;

// Without the mutex. The waiter may be gone when this returns.
void call(Waiter& waiter) {
  waiter.threads.unpark(waiter.spot);
  Line::settle(waiter);
}
void call(const Waiters& waiters) {
  for (Waiter* const waiter : waiters) call(*waiter);
}

enum class Woken : uint8_t { kGranted, kTime, kCancelled };

Woken wait(const Waiter& waiter, const Caller& caller, TimePoint until) {
  while (!Line::is_granted(waiter)) {
    const TimePoint now = caller.now();
    if (caller.is_cancelled(now)) return Woken::kCancelled;
    if (now >= until) return Woken::kTime;
    waiter.threads.park(waiter.spot, std::min(until, caller.deadline()));
  }
  return Woken::kGranted;
}

}  // namespace

struct PoolCore::Parts {
  explicit Parts(const PoolLimits& given) : limits(given), free_places(given.count_max) {}

  // True: `grant` is what the taker gets now. `in_front`: nobody was there before it.
  bool take_now(Grant& grant, TimePoint now, bool in_front) REQUIRES(mutex);
  void expire_idle(std::vector<std::unique_ptr<PoolThing>>& expired, TimePoint now) REQUIRES(mutex);
  // A place is free. Whoever must be called about it.
  void give_place(Waiters& called, TimePoint now) REQUIRES(mutex);
  void refuse_all(Waiters& called, Kind kind, const std::string& why) REQUIRES(mutex);
  void call_drainers(Waiters& called) REQUIRES(mutex);
  bool nothing_is_out() const REQUIRES(mutex) { return in_use == 0 && making == 0; }
  // Takes the waiter out of the line, when it was woken for another reason than a grant. False: it
  // is granted all the same.
  bool leave(Waiter& waiter, bool for_good);
  Grant wait_in_line(Waiter& waiter, Caller& caller, TimePoint until, bool may_wait);

  const PoolLimits limits;
  mutable Mutex mutex;
  std::vector<std::unique_ptr<PoolThing>> idle GUARDED_BY(mutex);  // the newest last
  Line line GUARDED_BY(mutex), drainers GUARDED_BY(mutex);
  size_t free_places GUARDED_BY(mutex);
  size_t in_use GUARDED_BY(mutex) = 0, making GUARDED_BY(mutex) = 0;
  bool drains GUARDED_BY(mutex) = false;
  Duration back_off GUARDED_BY(mutex){0};
  TimePoint next_make GUARDED_BY(mutex){};  // not before
  std::string last_failure GUARDED_BY(mutex);
  Random random GUARDED_BY(mutex){static_cast<uint64_t>(now().time_since_epoch().count())};
  PoolStats counts GUARDED_BY(mutex);
};

bool PoolCore::Parts::take_now(Grant& grant, TimePoint now, bool in_front) {
  grant.kind = Kind::kBusy;
  if (drains) return true;
  if (!in_front && !line.empty(mutex)) return false;
  expire_idle(grant.expired, now);
  if (!idle.empty()) {
    grant.kind = Kind::kThing;
    grant.thing = std::move(idle.back());
    idle.pop_back();
    ++in_use;
    return true;
  }
  if (free_places == 0) return false;
  if (now >= next_make) {
    grant.kind = Kind::kPlace;
    --free_places;
    ++making;
    return true;
  }
  if (!nothing_is_out()) return false;
  grant.kind = Kind::kFailed;
  grant.why = last_failure;
  return true;
}

void PoolCore::Parts::expire_idle(std::vector<std::unique_ptr<PoolThing>>& expired, TimePoint now) {
  const auto is_over = [&](const std::unique_ptr<PoolThing>& thing) {
    const bool is_stale = limits.idle_time_max.count() > 0 &&
                          now >= time_after(thing->returned, limits.idle_time_max);
    return is_stale || now >= thing->expires;
  };
  for (std::unique_ptr<PoolThing>& thing : idle) {
    if (is_over(thing)) expired.push_back(std::move(thing));
  }
  free_places += std::erase(idle, nullptr);
  counts.expired += expired.size();
}

void PoolCore::Parts::give_place(Waiters& called, TimePoint now) {
  ++free_places;
  while (free_places > 0) {
    Waiter* const waiter = line.pop(mutex);
    if (waiter == nullptr) return;
    called.push_back(waiter);
    waiter->looks = now < next_make;  // it will wait for that time
    if (waiter->looks) return;
    waiter->grant.kind = Kind::kPlace;
    --free_places;
    ++making;
  }
}

void PoolCore::Parts::refuse_all(Waiters& called, Kind kind, const std::string& why) {
  while (Waiter* const waiter = line.pop(mutex)) {
    waiter->grant.kind = kind;
    waiter->grant.why = why;
    called.push_back(waiter);
  }
}

void PoolCore::Parts::call_drainers(Waiters& called) {
  if (!drains || !nothing_is_out()) return;
  while (Waiter* const waiter = drainers.pop(mutex)) called.push_back(waiter);
}

bool PoolCore::Parts::leave(Waiter& waiter, bool for_good) {
  Waiter* next = nullptr;
  {
    const MutexLock lock(mutex);
    if (!line.remove(mutex, waiter)) return false;
    // Somebody must wait for the time when one may be made.
    if (for_good && free_places > 0) next = line.pop(mutex);
    if (next != nullptr) next->looks = true;
  }
  if (next != nullptr) call(*next);
  return true;
}

PoolCore::Grant PoolCore::Parts::wait_in_line(Waiter& waiter, Caller& caller, TimePoint until,
                                              bool may_wait) {
  Grant grant;
  TimePoint began{};
  for (bool in_front = false;;) {
    TimePoint look_again = kNever;
    const TimePoint now = caller.now();
    {
      const MutexLock lock(mutex);
      if (take_now(grant, now, in_front) || !may_wait) break;
      waiter.looks = false;
      line.push(mutex, waiter, in_front);
      if (free_places > 0) look_again = next_make;
      if (!in_front) ++counts.waiting, ++counts.waited;
    }
    if (!in_front) {
      began = now;
      caller.give_away();
    }
    in_front = true;
    const Woken woken = wait(waiter, caller, std::min(until, look_again));
    if (woken != Woken::kGranted) {
      const bool for_good = woken == Woken::kCancelled || caller.now() >= until;
      if (leave(waiter, for_good)) {
        if (for_good) break;
        continue;
      }
    }
    Line::await_settled(waiter, [&] { waiter.threads.relax(); });
    if (waiter.looks) continue;
    std::move(waiter.grant.expired.begin(), waiter.grant.expired.end(),
              std::back_inserter(grant.expired));
    grant.kind = waiter.grant.kind;
    grant.thing = std::move(waiter.grant.thing);
    grant.why = std::move(waiter.grant.why);
    break;
  }
  const TimePoint now = caller.now();
  const MutexLock lock(mutex);
  counts.taken += grant.kind == Kind::kThing;
  counts.busy += grant.kind == Kind::kBusy;
  if (began != TimePoint{}) {
    --counts.waiting;
    counts.wait_time += now - began;
  }
  return grant;
}

PoolCore::PoolCore(const PoolLimits& limits) : parts_(std::make_unique<Parts>(limits)) {
  CHECK(limits.count_max > 0, "PoolOptions::count_max must be at least 1");
  CHECK(limits.can_make, "PoolOptions::make must not be empty");
}
PoolCore::~PoolCore() = default;

PoolCore::TimePoint PoolCore::now() { return Caller().now(); }

PoolCore::TimePoint PoolCore::deadline(TimePoint until) {
  return std::min(until, Caller().deadline());
}

PoolCore::Grant PoolCore::take(TimePoint until, bool may_wait) {
  Caller caller;
  Waiter waiter(caller);
  return parts_->wait_in_line(waiter, caller, until, may_wait);
}

void PoolCore::made(PoolThing& thing) {
  const TimePoint now = Caller().now();
  Parts& parts = *parts_;
  Waiters called;
  {
    const MutexLock lock(parts.mutex);
    thing.made = thing.returned = now;
    thing.expires = kNever;
    if (const Duration age = parts.limits.age_max; age.count() > 0) {
      const auto tenth = static_cast<uint64_t>(age.count() / 10 + 1);
      const auto earlier = static_cast<int64_t>(parts.random.below(tenth));
      thing.expires = time_after(now, age - Duration(earlier));
    }
    --parts.making;
    ++parts.in_use;
    ++parts.counts.made;
    ++parts.counts.taken;
    parts.back_off = Duration(0);
    parts.next_make = TimePoint{};
    if (parts.free_places > 0) {  // who waits for the end of the back-off may go on
      --parts.free_places;
      parts.give_place(called, now);
    }
  }
  call(called);
}

void PoolCore::not_made(std::string why) {
  const TimePoint now = Caller().now();
  Parts& parts = *parts_;
  Waiters called;
  {
    const MutexLock lock(parts.mutex);
    --parts.making;
    ++parts.counts.make_failures;
    parts.last_failure = std::move(why);
    // Those that were at it together are one failure.
    if (now >= parts.next_make) {
      parts.back_off = std::clamp(parts.back_off * 2, parts.limits.back_off_min,
                                  std::max(parts.limits.back_off_min, parts.limits.back_off_max));
      const auto half = static_cast<uint64_t>(parts.back_off.count() / 2 + 1);
      const auto left_out = static_cast<int64_t>(parts.random.below(half));
      parts.next_make = time_after(now, parts.back_off - Duration(left_out));
    }
    if (parts.nothing_is_out() && parts.idle.empty()) {
      ++parts.free_places;
      parts.refuse_all(called, Kind::kFailed, parts.last_failure);
    } else {
      parts.give_place(called, now);
    }
    parts.call_drainers(called);
  }
  call(called);
}

void PoolCore::give_back(std::unique_ptr<PoolThing> thing) {
  const TimePoint now = Caller().now();
  Parts& parts = *parts_;
  std::vector<std::unique_ptr<PoolThing>> expired;  // destroyed last, without the mutex
  Waiters called;
  {
    const MutexLock lock(parts.mutex);
    --parts.in_use;
    if (thing != nullptr) {
      thing->returned = now;
      thing->is_new = false;
    }
    parts.counts.unhealthy += thing == nullptr;
    if (thing != nullptr && (parts.drains || now >= thing->expires)) {
      ++parts.counts.expired;
      expired.push_back(std::move(thing));
    }
    if (thing == nullptr) {
      parts.give_place(called, now);
    } else if (Waiter* const waiter = parts.line.pop(parts.mutex)) {
      waiter->grant.kind = Kind::kThing;
      waiter->grant.thing = std::move(thing);
      ++parts.in_use;
      called.push_back(waiter);
    } else {
      parts.idle.push_back(std::move(thing));
    }
    std::vector<std::unique_ptr<PoolThing>> stale;
    parts.expire_idle(stale, now);
    std::move(stale.begin(), stale.end(), std::back_inserter(expired));
    parts.call_drainers(called);
  }
  call(called);
}

bool PoolCore::drain(TimePoint until) {
  Caller caller;
  Parts& parts = *parts_;
  Waiter waiter(caller);
  std::vector<std::unique_ptr<PoolThing>> idle;
  Waiters called;
  bool is_empty = false;
  {
    const MutexLock lock(parts.mutex);
    parts.drains = true;
    idle.swap(parts.idle);
    parts.free_places += idle.size();
    parts.refuse_all(called, Kind::kBusy, {});
    is_empty = parts.nothing_is_out();
    if (!is_empty) parts.drainers.push(parts.mutex, waiter, false);
  }
  call(called);
  idle.clear();
  if (is_empty) return true;
  if (until > caller.now()) caller.give_away();
  if (wait(waiter, caller, until) != Woken::kGranted) {
    const MutexLock lock(parts.mutex);
    if (parts.drainers.remove(parts.mutex, waiter)) return false;
  }
  Line::await_settled(waiter, [&] { waiter.threads.relax(); });
  return true;
}

PoolStats PoolCore::stats() const {
  const MutexLock lock(parts_->mutex);
  PoolStats stats = parts_->counts;
  stats.in_use = parts_->in_use;
  stats.idle = parts_->idle.size();
  stats.making = parts_->making;
  return stats;
}

}}}  // namespace trireme::detail

#include "trireme/detail/pool_core.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "handling/pool_parts.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 { namespace detail {

PoolCore::PoolCore(const PoolLimits& limits) : parts_(std::make_unique<Parts>(limits)) {
  CHECK(limits.count_max > 0, "PoolOptions::count_max must be at least 1");
  CHECK(limits.can_make, "PoolOptions::make must not be empty");
  CHECK(limits.least_time.count() >= 0,
        "a time of PoolOptions is negative: hours::max() is more than nanoseconds can hold");
}
PoolCore::~PoolCore() = default;

bool PoolCore::is_loop_code() { return PoolCaller::is_loop_code(); }

PoolCore::TimePoint PoolCore::now() { return PoolCaller().now(); }

PoolCore::TimePoint PoolCore::until(Duration time) {
  PoolCaller::must_not_be_loop_code();
  const PoolCaller caller;
  return std::min(time_after(caller.now(), time), caller.deadline());
}

PoolCore::Grant PoolCore::take(TimePoint until) {
  PoolCaller::must_not_be_loop_code();
  PoolCaller caller;
  PoolWaiter waiter(caller);
  return parts_->take(waiter, caller, until);
}

std::unique_ptr<PoolThing> PoolCore::try_take() {
  PoolCaller::must_not_be_loop_code();
  const PoolCaller caller;
  Parts& parts = *parts_;
  const MutexLock lock(parts.mutex);
  const TimePoint now = parts.now_of(caller);
  const bool may_take = !parts.drains && !parts.is_looking && parts.line.empty(parts.mutex);
  const auto is_good = [&](const auto& thing) {
    return !thing->is_unchecked && !parts.is_over(*thing, now);
  };
  const auto found = std::find_if(parts.idle.rbegin(), parts.idle.rend(), is_good);
  if (!may_take || found == parts.idle.rend()) {
    ++parts.counts.busy;
    return nullptr;
  }
  std::unique_ptr<PoolThing> thing = std::move(*found);
  parts.idle.erase(std::next(found).base());
  ++parts.in_use;
  ++parts.counts.taken;
  return thing;
}

void PoolCore::made(PoolThing& thing) {
  const PoolCaller caller;
  Parts& parts = *parts_;
  PoolCalled called;
  {
    const MutexLock lock(parts.mutex);
    const TimePoint now = parts.now_of(caller);
    // Whoever gives one back needs no memory.
    const size_t count = parts.idle.size() + parts.in_use + 1;
    if (parts.idle.capacity() < count) parts.idle.reserve(2 * count);
    thing.returned = now;
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
    parts.serve_line(called);  // who waits for the end of the back-off may go on
  }
  called.call();
}

void PoolCore::not_made(std::string_view why) {
  const PoolCaller caller;
  Parts& parts = *parts_;
  PoolCalled called;
  {
    const MutexLock lock(parts.mutex);
    const TimePoint now = parts.now_of(caller);
    --parts.making;
    ++parts.free_places;
    ++parts.counts.make_failures;
    copy_if_possible(parts.last_failure, why);
    // Those that were at it together are one failure.
    if (now >= parts.next_make) {
      parts.back_off = std::clamp(parts.back_off * 2, parts.limits.back_off_min,
                                  std::max(parts.limits.back_off_min, parts.limits.back_off_max));
      const auto half = static_cast<uint64_t>(parts.back_off.count() / 2 + 1);
      const auto left_out = static_cast<int64_t>(parts.random.below(half));
      parts.next_make = time_after(now, parts.back_off - Duration(left_out));
    }
    if (parts.nothing_is_out() && parts.idle.empty()) parts.refuse_all(called, Kind::kFailed);
    parts.serve_line(called);
    parts.call_drainers(called);
  }
  called.call();
}

void PoolCore::give_back(std::unique_ptr<PoolThing> thing) {
  const PoolCaller caller;
  const bool may_block = !PoolCaller::is_loop_code();
  Parts& parts = *parts_;
  PoolCalled called;
  {
    const MutexLock lock(parts.mutex);
    const TimePoint now = parts.now_of(caller);
    --parts.in_use;
    if (thing == nullptr) {
      ++parts.counts.unhealthy;
      ++parts.free_places;
    } else if (may_block && (parts.drains || now >= thing->expires)) {
      ++parts.counts.expired;
      ++parts.destroying;
    } else {
      thing->returned = now;
      thing->is_new = false;
      parts.idle.push_back(std::move(thing));
    }
    parts.serve_line(called);
    parts.call_drainers(called);
  }
  called.call();
  if (thing != nullptr) {
    thing.reset();
    parts.destroyed(1);
  }
  if (may_block) parts.destroy_expired(caller);
}

bool PoolCore::drain(Duration time) {
  PoolCaller::must_not_be_loop_code();
  PoolCaller caller;
  Parts& parts = *parts_;
  const TimePoint until = time_after(caller.now(), time);
  PoolWaiter waiter(caller);
  Parts::Things idle;
  PoolCalled called;
  bool is_empty = false;
  {
    const MutexLock lock(parts.mutex);
    parts.drains = true;
    idle.swap(parts.idle);
    parts.free_places += idle.size();
    parts.refuse_all(called, Kind::kBusy);
    is_empty = parts.nothing_is_out();
    if (!is_empty) parts.drainers.push(parts.mutex, waiter, false);
  }
  called.call();
  idle.clear();
  if (!is_empty) {
    if (until > caller.now()) caller.give_away();
    if (waiter.wait(caller, until) != PoolWaiter::Woken::kGranted) {
      const MutexLock lock(parts.mutex);
      if (parts.drainers.remove(parts.mutex, waiter)) return false;
    }
    PoolLine::await_settled(waiter, [&] { waiter.threads.relax(); });
  }
  const MutexLock lock(parts.mutex);
  idle.swap(parts.idle);  // what loop code has given back; destroyed without the mutex
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

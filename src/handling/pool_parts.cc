#include "handling/pool_parts.h"

#include <algorithm>
#include <utility>

namespace trireme { inline namespace v0 { namespace detail {

void copy_if_possible(std::string& into, std::string_view from) noexcept {
  try {
    into = from;
  } catch (...) {
    into.clear();
  }
}

TimePoint PoolCore::Parts::now_of(const PoolCaller& caller) {
  if (caller.is_handler()) {
    has_manual_clock = &caller.platform().clock != &real_platform().clock;
    if (has_manual_clock) manual_now = caller.now();
  }
  return has_manual_clock ? manual_now : caller.now();
}

bool PoolCore::Parts::is_over(const PoolThing& thing, TimePoint now) const {
  const bool is_stale =
      limits.idle_time_max.count() > 0 && now >= time_after(thing.returned, limits.idle_time_max);
  return is_stale || now >= thing.expires;
}

bool PoolCore::Parts::take_now(Grant& grant, TimePoint now, bool in_front, PoolCalled& called) {
  grant.kind = Kind::kBusy;
  if (drains) return true;
  if (!in_front && (is_looking || !line.empty(mutex))) return false;
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
  copy_if_possible(grant.why, last_failure);
  refuse_all(called, Kind::kFailed);
  return true;
}

void PoolCore::Parts::serve_line(PoolCalled& called) {
  if (is_looking) return;  // it is the first, and sees all there is
  while (!idle.empty()) {
    PoolWaiter* const waiter = line.pop(mutex);
    if (waiter == nullptr) return;
    waiter->grant.kind = Kind::kThing;
    waiter->grant.thing = std::move(idle.back());
    idle.pop_back();
    ++in_use;
    called.add(*waiter);
  }
  if (free_places == 0) return;
  PoolWaiter* const waiter = line.pop(mutex);
  if (waiter == nullptr) return;
  waiter->looks = is_looking = true;
  called.add(*waiter);
}

void PoolCore::Parts::refuse_all(PoolCalled& called, Kind kind) {
  while (PoolWaiter* const waiter = line.pop(mutex)) {
    waiter->grant.kind = kind;
    if (kind == Kind::kFailed) copy_if_possible(waiter->grant.why, last_failure);
    called.add(*waiter);
  }
}

void PoolCore::Parts::call_drainers(PoolCalled& called) {
  if (!drains || !nothing_is_out()) return;
  while (PoolWaiter* const waiter = drainers.pop(mutex)) called.add(*waiter);
}

bool PoolCore::Parts::leave(PoolWaiter& waiter, bool for_good) {
  PoolCalled called;
  {
    const MutexLock lock(mutex);
    if (!line.remove(mutex, waiter)) return false;
    if (for_good) {
      serve_line(called);
    } else {
      is_looking = true;
    }
  }
  called.call();
  return true;
}

bool PoolCore::Parts::must_look(PoolWaiter& waiter, const PoolCaller& caller, TimePoint until,
                                TimePoint woken_at) {
  const PoolWaiter::Woken woken = waiter.wait(caller, std::min(until, woken_at));
  if (woken != PoolWaiter::Woken::kGranted) {
    const bool for_good = woken == PoolWaiter::Woken::kCancelled || caller.now() >= until;
    if (leave(waiter, for_good)) return !for_good;
  }
  PoolLine::await_settled(waiter, [&] { waiter.threads.relax(); });
  return waiter.looks;
}

PoolCore::Grant PoolCore::Parts::take(PoolWaiter& waiter, PoolCaller& caller, TimePoint until) {
  destroy_expired(caller);
  Grant grant;
  TimePoint began{};
  bool has_waited = false;
  for (bool in_front = false;; in_front = true) {
    PoolCalled called;
    TimePoint look_again = kNever;
    const TimePoint now = caller.now();
    bool is_served = false;
    {
      const MutexLock lock(mutex);
      if (in_front) is_looking = false;
      is_served = take_now(grant, now_of(caller), in_front, called);
      if (is_served) {
        serve_line(called);
      } else {
        waiter.looks = false;
        line.push(mutex, waiter, in_front);
        const bool is_first = line.is_first(mutex, waiter) && !is_looking;
        if (is_first && free_places > 0) look_again = next_make;
        if (!has_waited) ++counts.waiting, ++counts.waited;
      }
    }
    called.call();
    if (is_served) break;
    if (!has_waited) {
      has_waited = true;
      began = now;
      caller.give_away();
    }
    if (must_look(waiter, caller, until, look_again)) continue;
    grant = std::move(waiter.grant);
    break;
  }
  const TimePoint now = caller.now();
  const MutexLock lock(mutex);
  counts.taken += grant.kind == Kind::kThing;
  counts.busy += grant.kind == Kind::kBusy;
  if (has_waited) {
    --counts.waiting;
    counts.wait_time += now - began;
  }
  return grant;
}

void PoolCore::Parts::destroy_expired(const PoolCaller& caller) {
  Things expired;
  {
    const MutexLock lock(mutex);
    const TimePoint now = now_of(caller);
    const auto is_old = [&](const auto& thing) { return is_over(*thing, now); };
    const auto count = std::count_if(idle.begin(), idle.end(), is_old);
    if (count == 0) return;
    expired.reserve(static_cast<size_t>(count));
    for (auto& thing : idle) {
      if (is_old(thing)) expired.push_back(std::move(thing));
    }
    std::erase(idle, nullptr);
    counts.expired += expired.size();
    destroying += expired.size();
  }
  caller.give_away();
  const size_t count = expired.size();
  expired.clear();
  destroyed(count);
}

void PoolCore::Parts::destroyed(size_t count) {
  PoolCalled called;
  {
    const MutexLock lock(mutex);
    destroying -= count;
    free_places += count;
    serve_line(called);
    call_drainers(called);
  }
  called.call();
}

}}}  // namespace trireme::detail

// Step 4, handling: a pool of things that are dear to make and that one handler uses at a time,
// such as connections to a database (docs/pools.md).
//
//   tr::Pool<Connection> pool({.make = connect, .count_max = 16});
//   const auto handler = [&](const tr::Request& request) -> tr::Answer {
//     auto connection = pool.take();                       // may wait
//     if (!connection) return connection.refusal();        // busy(), or error(why)
//     return connection->ask(request.text());
//   };                                                     // goes back to the pool
//
// Waiting is a handler that blocks: it gives its loop away first. Under Dispatch::kInline it keeps
// the loop until its time is over, and is reported as a stall. Many more handlers may wait than
// things are in the pool; each that waits has a thread, so `data_workers` bounds them.
//
// Thread: any, but no loop code, such as a codec: there a call that may wait ends the process.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trireme/answer.h"
#include "trireme/blocking.h"
#include "trireme/detail/pool_core.h"
#include "trireme/detail/saturated.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// All functions may be called by several threads at once, for different things. They may block.
template <class T>
struct PoolOptions {
  // Makes one when it is needed, within this time: what its taker has left. Required.
  std::function<Result<T>(std::chrono::nanoseconds time_max)> make;
  // Whether one that was idle for `check_idle_time` or longer is still good; if not it is
  // destroyed, and the taker gets another one. Empty: it is.
  std::function<bool(T&)> check{};
  std::chrono::nanoseconds check_idle_time = std::chrono::seconds(1);
  // Whether one that comes back may be used again. It must have forgotten its last taker: an open
  // transaction is rolled back here. Empty: it may.
  std::function<bool(T&)> check_returned{};
  // Things that there are at once.
  size_t count_max = 16;
  // How long take() waits at most. A request with a deadline of its own, or whose client is gone,
  // ends the wait earlier.
  std::chrono::nanoseconds wait_time_max = std::chrono::seconds(5);
  // One that was idle for longer is destroyed when another is taken or given back: a pool that
  // nobody uses keeps what it has. Zero: never.
  std::chrono::nanoseconds idle_time_max = std::chrono::minutes(5);
  // One that is older is destroyed when it comes back, or instead of being taken; up to a tenth
  // earlier, so that not all go at once. Zero: never.
  std::chrono::nanoseconds age_max = std::chrono::hours(1);
  // After a failure of `make` none is made for this time. It doubles with every further one; a
  // random part of it, up to a half, is left out. Meanwhile takers wait for what is in use. If
  // nothing is, they hear of the failure at once.
  std::chrono::nanoseconds back_off_min = std::chrono::milliseconds(50);
  std::chrono::nanoseconds back_off_max = std::chrono::seconds(5);
};

template <class T>
class Pool;

// A thing that was taken, or why there is none. Moves, and gives back in its destructor. May
// outlive its pool.
template <class T>
class Taken {
 public:
  Taken() = default;
  Taken(Taken&& other) noexcept = default;
  Taken& operator=(Taken&& other) noexcept {
    give_back();
    core_ = std::move(other.core_);
    options_ = std::move(other.options_);
    thing_ = std::move(other.thing_);
    why_ = std::move(other.why_);
    return *this;
  }
  ~Taken() { give_back(); }

  // Any thread. Whether there is one; the functions below need it.
  explicit operator bool() const { return thing_ != nullptr; }
  T& operator*() const { return thing_->value; }
  T* operator->() const { return &thing_->value; }

  // Any thread. Gives it back now. May block as `check_returned` and its destructor do.
  void give_back() {
    if (thing_ == nullptr) return;
    // Loop code drops what owned it, such as a call of a session whose connection is gone. Nothing
    // may block there, so the next taker checks it.
    thing_->is_unchecked = options_->check_returned && detail::PoolCore::is_loop_code();
    if (!thing_->is_unchecked && !is_clean()) return throw_away();
    core_->give_back(std::move(thing_));
  }
  // Any thread. Destroys it: it is broken. The others stay. May block as its destructor does.
  void throw_away() {
    thing_.reset();
    core_->give_back(nullptr);
  }

  // Any thread. If there is none: what its client should hear. busy() when the time was over, the
  // request was cancelled or the pool drains; else error() with what `make` has said.
  Answer refusal() const { return why_.empty() ? busy() : error(why_); }
  const std::string& problem() const { return why_; }  // of `make`; empty: busy

 private:
  friend class Pool<T>;
  struct Thing final : detail::PoolThing {
    explicit Thing(T given) : value(std::move(given)) {}
    T value;
  };

  bool is_clean() const {
    try {
      return !options_->check_returned || options_->check_returned(thing_->value);
    } catch (...) {
      return false;
    }
  }

  // Owners: the pool, and all that was taken.
  std::shared_ptr<detail::PoolCore> core_{};
  std::shared_ptr<const PoolOptions<T>> options_{};
  std::unique_ptr<Thing> thing_{};
  std::string why_{};
};

// A bounded pool. What is idle is destroyed with it; what is taken, when it is given back.
template <class T>
class Pool {
 public:
  // Any thread.
  explicit Pool(PoolOptions<T> options)
      : options_(std::make_shared<const PoolOptions<T>>(std::move(options))),
        core_(std::make_shared<detail::PoolCore>(detail::PoolLimits{
            .count_max = options_->count_max,
            .can_make = options_->make != nullptr,
            .idle_time_max = options_->idle_time_max,
            .age_max = options_->age_max,
            .back_off_min = options_->back_off_min,
            .back_off_max = options_->back_off_max,
            .least_time = std::min({options_->check_idle_time, options_->wait_time_max,
                                    options_->idle_time_max, options_->age_max,
                                    options_->back_off_min, options_->back_off_max})})) {}
  // Any thread. Waits for nobody: what is taken is destroyed when it is given back.
  ~Pool() { core_->drain(std::chrono::nanoseconds(0)); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Any thread. Takes one that is idle, makes one, or waits, for `wait_time_max` or for `time_max`,
  // whichever is shorter. Takers are served in their order.
  Taken<T> take() { return take(options_->wait_time_max); }
  template <class Rep, class Period>
  Taken<T> take(std::chrono::duration<Rep, Period> time_max) {
    const auto time = std::min(detail::saturated(time_max), options_->wait_time_max);
    const auto until = detail::PoolCore::until(time);
    while (true) {
      Taken<T> taken = with(core_->take(until), until);
      if (!taken || is_good(taken)) return taken;
      taken.throw_away();
    }
  }
  // Any thread. Never waits and makes none: one that is idle, which `check` does not see, or none.
  Taken<T> try_take() {
    Taken<T> taken = nothing();
    taken.thing_.reset(static_cast<Thing*>(core_->try_take().release()));
    return taken;
  }

  // Any thread. From now on none is taken: takers that wait get busy(). Destroys what is idle.
  // Waits until all that is taken has come back, or `time_max` is over: then false.
  template <class Rep, class Period>
  bool drain(std::chrono::duration<Rep, Period> time_max) {
    return core_->drain(detail::saturated(time_max));
  }

  // Any thread.
  PoolStats stats() const { return core_->stats(); }

 private:
  using Thing = typename Taken<T>::Thing;
  using Grant = detail::PoolCore::Grant;
  using Kind = detail::PoolCore::Kind;

  Taken<T> nothing() const {
    Taken<T> taken;
    taken.core_ = core_;
    taken.options_ = options_;
    return taken;
  }
  Taken<T> with(Grant grant, std::chrono::steady_clock::time_point until) {
    Taken<T> taken = nothing();
    taken.why_ = std::move(grant.why);
    if (grant.kind == Kind::kThing) {
      taken.thing_.reset(static_cast<Thing*>(grant.thing.release()));
    } else if (grant.kind == Kind::kPlace) {
      make(taken, until);
    }
    return taken;
  }

  void make(Taken<T>& taken, std::chrono::steady_clock::time_point until) {
    blocking();
    try {
      Result<T> result = options_->make(until - detail::PoolCore::now());
      if (result) {
        taken.thing_ = std::make_unique<Thing>(std::move(result.value()));
        core_->made(*taken.thing_);
        return;
      }
      taken.why_ = result.error().message.empty() ? "unknown" : result.error().message;
    } catch (const std::exception& thrown) {
      taken.thing_.reset();
      core_->not_made(thrown.what());
      throw;
    } catch (...) {
      core_->not_made("an exception");
      throw;
    }
    core_->not_made(taken.why_);
  }

  bool is_good(const Taken<T>& taken) const {
    detail::PoolThing& thing = *taken.thing_;
    if (std::exchange(thing.is_unchecked, false)) {
      blocking();
      if (!taken.is_clean()) return false;
    }
    if (!options_->check || thing.is_new) return true;
    if (detail::PoolCore::now() - thing.returned < options_->check_idle_time) return true;
    blocking();
    try {
      return options_->check(*taken);
    } catch (...) {
      return false;
    }
  }

  const std::shared_ptr<const PoolOptions<T>> options_;
  const std::shared_ptr<detail::PoolCore> core_;
};

}}  // namespace trireme

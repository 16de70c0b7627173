// Who gets what of a pool, and when. All state is guarded by one mutex; nothing is called,
// destroyed or allocated that matters while it is held.
//
//   1. Takers are served in their order: who comes while somebody waits joins the end of the line.
//   2. What comes back goes to the first of the line (serve_line).
//   3. Of a free place the first of the line is told, and looks: it leaves the line and comes back
//      in front (`is_looking`: one at a time, and nobody overtakes it). It takes the place, or,
//      while making must wait after a failure, waits until the end of that time.
//   4. Whoever is through with looking, or leaves the line for good, sees to it that the next one
//      looks if a place is left. So a free place never stands beside a line that nobody wakes.
//   5. Where none can be made and none can come back, all that wait hear why, at once.
//   6. A place is free again only when what had it is destroyed: there are never more than
//      `count_max` things.
//
// Step 4. Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "handling/pool_waiter.h"
#include "runtime/system/clock.h"
#include "runtime/system/random.h"
#include "runtime/threads/mutex.h"
#include "trireme/detail/pool_core.h"

namespace trireme { inline namespace v0 { namespace detail {

struct PoolCore::Parts {
  using Things = std::vector<std::unique_ptr<PoolThing>>;

  explicit Parts(const PoolLimits& given) : limits(given), free_places(given.count_max) {}

  Grant take(PoolWaiter& waiter, PoolCaller& caller, TimePoint until);
  // True: `grant` is what the taker gets now. `in_front`: nobody was there before it.
  bool take_now(Grant& grant, TimePoint now, bool in_front, PoolCalled& called) REQUIRES(mutex);
  void serve_line(PoolCalled& called) REQUIRES(mutex);
  void refuse_all(PoolCalled& called, Kind kind) REQUIRES(mutex);
  void call_drainers(PoolCalled& called) REQUIRES(mutex);
  // After what the taker was woken for. True: it must look again, in front of all others. False:
  // its waiter's grant is the answer; that is kBusy if its time is over.
  bool must_look(PoolWaiter& waiter, const PoolCaller& caller, TimePoint until, TimePoint woken_at);
  // Takes the waiter out of the line. False: it is granted, or called to look, all the same.
  bool leave(PoolWaiter& waiter, bool for_good);
  // Destroys what is idle and over, without the mutex.
  void destroy_expired(const PoolCaller& caller);
  void destroyed(size_t count);
  bool is_over(const PoolThing& thing, TimePoint now) const;
  bool nothing_is_out() const REQUIRES(mutex) {
    return in_use == 0 && making == 0 && destroying == 0;
  }
  // Things live by the clock of the handlers that take them. Whoever gives one back elsewhere
  // knows only the real one.
  TimePoint now_of(const PoolCaller& caller) REQUIRES(mutex);

  const PoolLimits limits;
  mutable Mutex mutex;
  Things idle GUARDED_BY(mutex);  // the newest last; has room for all
  PoolLine line GUARDED_BY(mutex), drainers GUARDED_BY(mutex);
  bool is_looking GUARDED_BY(mutex) = false;
  size_t free_places GUARDED_BY(mutex);
  size_t in_use GUARDED_BY(mutex) = 0, making GUARDED_BY(mutex) = 0;
  size_t destroying GUARDED_BY(mutex) = 0;
  bool drains GUARDED_BY(mutex) = false;
  Duration back_off GUARDED_BY(mutex){0};
  TimePoint next_make GUARDED_BY(mutex){};  // not before
  std::string last_failure GUARDED_BY(mutex);
  Random random GUARDED_BY(mutex){static_cast<uint64_t>(now().time_since_epoch().count())};
  bool has_manual_clock GUARDED_BY(mutex) = false;
  TimePoint manual_now GUARDED_BY(mutex){};
  PoolStats counts GUARDED_BY(mutex);
};

// A sentence is worth no more than the memory there is.
void copy_if_possible(std::string& into, std::string_view from) noexcept;

}}}  // namespace trireme::detail

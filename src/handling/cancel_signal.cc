#include "handling/cancel_signal.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {
namespace {

// Of one look, where nobody can wake who waits: the system has no descriptor left.
constexpr Duration kSlice = std::chrono::milliseconds(10);

// Whole milliseconds, as poll(2) has them: never too early.
int timeout_ms(Duration time) {
  constexpr Duration kMs = std::chrono::milliseconds(1);
  if (time <= Duration(0)) return 0;
  return static_cast<int>(std::min<int64_t>((time - Duration(1)) / kMs + 1, INT_MAX));
}

}  // namespace

void CancelSignal::cancel(CancelReason reason, const Platform& platform) {
  uint8_t none = 0;
  // seq_cst: partners are open_stop and wait_ready.
  if (!reason_.compare_exchange_strong(none, static_cast<uint8_t>(reason))) return;
  platform.threads.unpark(spot_);
  wake_at_descriptor(platform);
}

void CancelSignal::wake_at_descriptor(const Platform& platform) {
  constexpr int kTries = 100;  // EINTR comes once, not for ever
  int fd = wake_fd_.load(std::memory_order_seq_cst);
  if (fd < 0 || !wake_fd_.compare_exchange_strong(fd, kSignalled)) return;
  for (int tries = 0; tries < kTries && platform.kernel.event_signal(fd) == -EINTR; ++tries) {
  }
  wake_fd_.store(kNoWait, std::memory_order_release);  // partner: retract
}

// The wait is over: nobody signals its descriptor any more.
void CancelSignal::retract(int wake_fd, const Platform& platform) {
  int is = wake_fd;
  while (!wake_fd_.compare_exchange_strong(is, kNoWait, std::memory_order_acq_rel,
                                           std::memory_order_acquire)) {
    if (is == kNoWait) return;
    platform.threads.relax();
    is = wake_fd;
  }
}

std::unique_ptr<detail::Stop> CancelSignal::take_twin() {
  detail::Stop* const stop = stop_.load(std::memory_order_seq_cst);  // partner: open_stop
  return stop == nullptr ? nullptr : std::move(stop->twin);
}

detail::Stop& CancelSignal::open_stop(std::unique_ptr<detail::Stop> (*make)(), bool& cancelled) {
  detail::Stop* stop = stop_.load(std::memory_order_acquire);
  if (stop == nullptr) {
    std::unique_ptr<detail::Stop> made = make();
    if (stop_.compare_exchange_strong(stop, made.get())) stop = made.release();
    // The token is of this request alone.
    run_no_more();
  }
  cancelled = is_cancelled();
  return *stop;
}

void CancelSignal::drop_stop() { take_stop(); }

// Seen by the thread that waits: it fires by itself, for the loop may stand still meanwhile.
void CancelSignal::miss_deadline(const Platform& platform) {
  cancel(CancelReason::kDeadline, platform);
  if (detail::Stop* stop = stop_.load(std::memory_order_acquire)) stop->fire();
}

bool CancelSignal::wait_until(const Platform& platform, TimePoint until) {
  while (!is_cancelled()) {
    const TimePoint now = platform.clock.now();
    if (has_expired(now)) {
      miss_deadline(platform);
    } else if (now >= until) {
      return true;
    } else {
      platform.threads.park(spot_, std::min(until, deadline_));
    }
  }
  return false;
}

WaitResult CancelSignal::wait_ready(const Platform& platform, int fd, short events,
                                    TimePoint until) {
  if (fd < 0) return WaitResult::kReady;  // to use it will tell what is wrong
  const int wake_fd = platform.kernel.event_create();
  if (wake_fd >= 0) wake_fd_.store(wake_fd, std::memory_order_seq_cst);
  const WaitResult result = wait_beside(platform, wake_fd, fd, events, until);
  if (wake_fd >= 0) {
    retract(wake_fd, platform);
    platform.kernel.close(wake_fd);
  }
  return result;
}

WaitResult CancelSignal::wait_beside(const Platform& platform, int wake_fd, int fd, short events,
                                     TimePoint until) {
  while (!is_cancelled()) {
    const TimePoint now = platform.clock.now();
    if (has_expired(now)) {
      miss_deadline(platform);
      break;
    }
    const TimePoint end = std::min(until, deadline_);
    Duration time = end > now ? end - now : Duration(0);
    if (wake_fd < 0) time = std::min(time, kSlice);
    if (platform.threads.waiting_moves_the_clock()) time = Duration(0);
    std::array<pollfd, 2> set{{{fd, events, 0}, {wake_fd, POLLIN, 0}}};
    const int ready = platform.kernel.poll(set, timeout_ms(time));
    if (ready > 0 && set[0].revents != 0) return WaitResult::kReady;
    if (now >= until) return is_cancelled() ? WaitResult::kCancelled : WaitResult::kTimeOver;
    // The system has no memory for a wait; or time passes only for who sleeps.
    if (ready < 0 && ready != -EINTR) platform.threads.sleep_until(std::min(end, now + kSlice));
    if (platform.threads.waiting_moves_the_clock()) platform.threads.sleep_until(end);
  }
  return WaitResult::kCancelled;
}

namespace detail {

Stop& open_stop(CancelSignal& signal, std::unique_ptr<Stop> (*make)(), bool& cancelled) {
  return signal.open_stop(make, cancelled);
}

}  // namespace detail
}}  // namespace trireme

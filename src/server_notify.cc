#include "server_notify.h"

#include <algorithm>
#include <charconv>

#include "accept/endpoint.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr size_t kNameBytesMax = 107;
constexpr Duration kBeatMin = std::chrono::milliseconds(1);
constexpr int kLooksAHalf = 8;  // at loops that are late

uint64_t whole_number(const std::string& text) {
  uint64_t number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && stop == text.data() + text.size() ? number : 0;
}

Duration watchdog_time_of(Kernel& kernel) {
  const std::string process = kernel.environment("WATCHDOG_PID");
  if (!process.empty() && process != std::to_string(kernel.process_id())) return Duration(0);
  constexpr uint64_t kMicrosecondsMax = uint64_t{1} << 50;
  const uint64_t time = whole_number(kernel.environment("WATCHDOG_USEC"));
  return std::chrono::microseconds(std::min(time, kMicrosecondsMax));
}

}  // namespace

Notifier::Notifier(Kernel& kernel) : kernel_(kernel) {
  const std::string name = kernel.environment("NOTIFY_SOCKET");
  const bool is_name = name.starts_with('/') || (name.starts_with('@') && name.size() > 1);
  if (!is_name || name.size() > kNameBytesMax) return;
  fd_ = kernel.socket(AF_UNIX, SOCK_DGRAM);
  if (fd_ < 0) return;
  address_ = unix_address(name);
  watchdog_time_ = watchdog_time_of(kernel);
}

Notifier::~Notifier() {
  if (fd_ >= 0) kernel_.close(fd_);
}

// Connected anew for each message: the service manager may have made its socket again.
bool Notifier::tell(const std::string& state) {
  if (fd_ < 0 || kernel_.connect(fd_, address_) < 0) return false;
  const iovec piece{const_cast<char*>(state.data()), state.size()};
  return kernel_.send(fd_, {&piece, 1}) == static_cast<ssize_t>(state.size());
}

void Heartbeat::begin(std::vector<EventLoop*> loops, TimePoint now) {
  if (notifier_.watchdog_time() == Duration(0)) return;
  for (EventLoop* loop : loops) watched_.push_back({loop, 0});
  wake_all();
  next_ = time_after(now, std::max(notifier_.watchdog_time() / 2, kBeatMin));
}

void Heartbeat::wake_all() {
  for (Watched& watched : watched_) {
    watched.turns = watched.loop->counters.loop_turns.get();
    watched.loop->wake_if_asleep();
  }
}

// Woken again: one that was about to sleep may not have been.
EventLoop* Heartbeat::find_late() {
  EventLoop* late = nullptr;
  for (const Watched& watched : watched_) {
    if (watched.loop->counters.loop_turns.get() != watched.turns) continue;
    watched.loop->wake_if_asleep();
    late = watched.loop;
  }
  return late;
}

void Heartbeat::look(TimePoint now, bool is_ending) {
  if (now < next_) return;
  const Duration half = std::max(notifier_.watchdog_time() / 2, kBeatMin);
  EventLoop* const late = is_ending ? nullptr : find_late();
  if (late != nullptr) {
    if (++late_looks_ == kLooksAHalf) {
      log_.warning("event loop " + std::to_string(late->index()) +
                   " does not turn: the watchdog of the service manager is not told that the "
                   "server lives");
    }
    next_ = time_after(now, std::max(half / kLooksAHalf, kBeatMin));
    return;
  }
  late_looks_ = 0;
  // What it could not be told, for its queue is full, is told soon.
  const bool told = notifier_.tell("WATCHDOG=1");
  if (told && !is_ending) wake_all();
  next_ = time_after(now, told ? half : std::max(half / kLooksAHalf, kBeatMin));
}

}}  // namespace trireme

#include "runtime/log.h"

#include <cstdio>
#include <utility>

namespace trireme::inline v0 {

Log::Log(LogSink sink, LogLevel level) : sink_(std::move(sink)), level_(level) {}

void Log::write(LogLevel level, std::string_view line) const {
  if (level < level_) return;
  if (sink_) return sink_(level, line);
  static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
  std::fprintf(stderr, "trireme %s: %.*s\n", kNames[static_cast<int>(level)],
               static_cast<int>(line.size()), line.data());
}

bool LogGate::open(TimePoint now, uint64_t& suppressed) {
  const int64_t now_ns = now.time_since_epoch().count();
  int64_t next = next_ns_.load(std::memory_order_relaxed);
  if (now_ns < next ||
      !next_ns_.compare_exchange_strong(next, now_ns + 1'000'000'000, std::memory_order_relaxed)) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  suppressed = suppressed_.exchange(0, std::memory_order_relaxed);
  return true;
}

}  // namespace trireme

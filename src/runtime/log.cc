#include "runtime/log.h"

#include <algorithm>
#include <utility>

#include "runtime/system/real_log.h"

namespace trireme { inline namespace v0 {

Log::Log(LogSink sink, LogLevel level) : sink_(std::move(sink)), level_(level) {}

void Log::write(LogLevel level, std::string_view line) const {
  if (level < level_) return;
  if (sink_) return sink_(level, line);
  log_to_standard_error(level, line);
}

void log_to_standard_error(LogLevel level, std::string_view line) {
  static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
  std::string text = "trireme ";
  text += kNames[static_cast<int>(level)];
  text.append(": ").append(line).append("\n");
  write_to_standard_error(text);  // one write: lines of several processes stay whole
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

void LogGate::write_counted(const Log& log, LogLevel level, std::string line, uint64_t suppressed) {
  if (suppressed > 0) line += " (" + std::to_string(suppressed) + " more)";
  log.write(level, line);
}

bool LogGates::open(const void* source, TimePoint now, uint64_t& suppressed) {
  MutexLock lock(mutex_);
  auto found = std::find_if(gates_.begin(), gates_.end(),
                            [source](const Gate& other) { return other.source == source; });
  Gate& of_source = found != gates_.end() ? *found : gates_.emplace_back(source);
  return of_source.gate.open(now, suppressed);
}

std::string printable(std::string_view text, size_t bytes_max) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string made;
  for (const char c : text.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      made += c;
    } else {
      made += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return text.size() > bytes_max ? made + "..." : made;
}

}}  // namespace trireme

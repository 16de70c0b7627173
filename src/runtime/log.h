// Log lines of the library: a level, a sentence, a limit on how often.
//
// Step: below all steps. Thread: any. Bytes that a peer chose never go into a line unescaped.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "runtime/clock.h"
#include "trireme/options.h"

namespace trireme::inline v0 {

class Log {
 public:
  // `sink` empty: standard error, one line a call.
  Log(LogSink sink, LogLevel level);

  // Any thread. May run the user's sink: never call it with a lock held.
  void write(LogLevel level, std::string_view line) const;
  void info(std::string_view line) const { write(LogLevel::kInfo, line); }
  void warning(std::string_view line) const { write(LogLevel::kWarning, line); }
  void error(std::string_view line) const { write(LogLevel::kError, line); }

 private:
  LogSink sink_;
  LogLevel level_;
};

// Lets one line a second through and counts the others.
class LogGate {
 public:
  // Any thread. True at most once a second; then `suppressed` is the number of calls refused since
  // the last time.
  bool open(TimePoint now, uint64_t& suppressed);

 private:
  std::atomic<int64_t> next_ns_{0};  // relaxed: a lost race lets a line more or less through
  std::atomic<uint64_t> suppressed_{0};
};

}  // namespace trireme

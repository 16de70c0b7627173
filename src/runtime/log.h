// Log lines of the library: a level, a sentence, a limit on how often.
//
// Step: below all steps. Thread: any. In a server the sink is the queue of a LogThread, so that
// nobody waits for who reads the log. Bytes that a peer chose never go into a line unescaped.
#pragma once

#include <atomic>
#include <deque>
#include <string>
#include <string_view>

#include "runtime/system/clock.h"
#include "runtime/threads/mutex.h"
#include "trireme/options.h"

namespace trireme { inline namespace v0 {

class Log {
 public:
  // `sink` empty: standard error, one line a call, written before the call returns.
  Log(LogSink sink, LogLevel level);

  // Any thread. May run the user's sink: never call it with a lock held.
  void write(LogLevel level, std::string_view line) const;
  // Any thread. False: lines of `level` go nowhere, so that nobody needs to make them.
  bool takes(LogLevel level) const { return level >= level_; }
  void debug(std::string_view line) const { write(LogLevel::kDebug, line); }
  void info(std::string_view line) const { write(LogLevel::kInfo, line); }
  void warning(std::string_view line) const { write(LogLevel::kWarning, line); }
  void error(std::string_view line) const { write(LogLevel::kError, line); }

 private:
  LogSink sink_;
  LogLevel level_;
};

// Any thread. What an empty sink stands for.
void log_to_standard_error(LogLevel level, std::string_view line);

// Lets one line a second through and counts the others.
class LogGate {
 public:
  // Any thread. True at most once a second; then `suppressed` is the number of calls refused since
  // the last time.
  bool open(TimePoint now, uint64_t& suppressed);
  // The same, and what `make_line()` returns is written, with the number of lines that were not. It
  // is called only then: in a flood most lines need not be made.
  template <class MakeLine>
  void write(const Log& log, LogLevel level, TimePoint now, MakeLine make_line) {
    uint64_t suppressed = 0;
    if (open(now, suppressed)) write_counted(log, level, make_line(), suppressed);
  }

 private:
  static void write_counted(const Log& log, LogLevel level, std::string line, uint64_t suppressed);

  std::atomic<int64_t> next_ns_{0};  // relaxed: a lost race lets a line more or less through
  std::atomic<uint64_t> suppressed_{0};
};

// A gate for each of a few sources, so that a flood from one hides no other.
class LogGates {
 public:
  // Any thread. As LogGate::open. `source` tells one from the other and is never looked into.
  bool open(const void* source, TimePoint now, uint64_t& suppressed);

 private:
  struct Gate {
    explicit Gate(const void* of) : source(of) {}
    const void* const source;
    LogGate gate;
  };
  Mutex mutex_;
  std::deque<Gate> gates_ GUARDED_BY(mutex_);
};

// Bytes that somebody else chose, as a part of a line: what is not a printable character is written
// as \xHH, bytes above 0x7f pass (UTF-8), and what is longer than `bytes_max` ends in "...".
std::string printable(std::string_view text, size_t bytes_max);

}}  // namespace trireme

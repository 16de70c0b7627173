// A log of what may happen a thousand times a second: one line a second at most.
//
// Part of the services. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "trireme/options.h"

namespace services {

namespace tr = trireme;

class RareLog {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RareLog(tr::LogSink sink) : sink_(std::move(sink)) {}

  // A line of something that has failed; it counts if a line was written within the last second.
  void failure(const std::string& line) {
    const auto now = Clock::now();
    if (failures_ > 0 && now - written_ < std::chrono::seconds(1)) {
      ++failures_;
      return;
    }
    const uint64_t before = std::exchange(failures_, 1);
    written_ = now;
    const std::string more =
        before > 1 ? " (and " + std::to_string(before - 1) + " more since the last line)" : "";
    write(tr::LogLevel::kError, line + more);
  }
  // It works again: a line if the last one was a failure.
  void success(const std::string& line) {
    if (failures_ == 0) return;
    const uint64_t unsaid = std::exchange(failures_, 0) - 1;
    write(tr::LogLevel::kInfo,
          line + (unsaid > 0 ? " (" + std::to_string(unsaid) + " more have failed)" : ""));
  }
  // A line of its own.
  void write(tr::LogLevel level, const std::string& line) const {
    if (sink_) sink_(level, line);
  }

 private:
  const tr::LogSink sink_;
  Clock::time_point written_{};
  uint64_t failures_ = 0;  // since the last line about them, which counts
};

}  // namespace services

// Many slow uploads at once beside quick requests, against one server: what each party has seen.
#pragma once

#include <chrono>
#include <cstddef>

namespace support {

struct SlowStreams {
  size_t uploads = 0;
  size_t pieces = 10;                 // of an upload
  std::chrono::milliseconds pause{};  // of each of its clients between two of them
};

struct SeenWithSlowStreams {
  size_t permits = 0;       // handlers that may wait on streams at once
  size_t most_at_work = 0;  // and that did
  size_t uploads_answered = 0;
  size_t quick_answered = 0;
  std::chrono::nanoseconds slowest_quick{0};
};

SeenWithSlowStreams run_slow_streams(const SlowStreams& wanted);

}  // namespace support

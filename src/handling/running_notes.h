// What a thread runs away from any loop, for reports.
//
// Step 4. Threads: written by the thread itself, or by the spare that takes the loop away from it,
// in TAKEN; read by any. Relaxed: they publish nothing but themselves.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/system/clock.h"
#include "trireme/connection_id.h"

namespace trireme { inline namespace v0 {

struct RunningNotes {
  std::atomic<const char*> service{nullptr};
  std::atomic<uint64_t> id{0};
  std::atomic<int64_t> since_ns{0};
  std::atomic<uint64_t> thread{0};  // Threads::current_id

  void note(const char* of, ConnectionId connection, TimePoint since) {
    id.store(connection.value, std::memory_order_relaxed);
    since_ns.store(since.time_since_epoch().count(), std::memory_order_relaxed);
    service.store(of, std::memory_order_relaxed);
  }
  void clear() { note(nullptr, {}, {}); }
  bool runs() const { return service.load(std::memory_order_relaxed) != nullptr; }
};

}}  // namespace trireme

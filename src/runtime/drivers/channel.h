// What a driver knows of one descriptor: a member of a connection, a Listener's socket or a watch.
//
// Step: below all steps. Thread: the holder of the loop.
#pragma once

#include <cstdint>

namespace trireme { inline namespace v0 {

struct Channel {
  Channel* next_closed = nullptr;  // the driver's list of closed channels
  enum class Role : uint8_t { kStream, kListener } role = Role::kStream;
  uint8_t flags = 0;       // the driver's
  uint8_t interest = 0;    // the driver's
  bool is_shared = false;  // with other processes: it is closed here, and never shut down
  int fd = -1;             // -1: not attached
  uint32_t place = 0;      // the driver's
};

}}  // namespace trireme

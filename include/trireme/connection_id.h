// A name of a connection that never dangles and never means another connection later.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <functional>

namespace trireme { inline namespace v0 {

// {home, slot, generation} in 64 bits. A value type that is safe to keep: a call for a connection
// that is gone does nothing, is counted, and is reported as closed. The generation is never 0. The
// home is the number of an I/O worker, unique in the process: two servers, or two conversations of
// tests, never share an id while both live. A server lives on in every Peer and Reply that is kept.
struct ConnectionId {
  uint64_t value = 0;  // 0: no connection

  // Any thread. The parts, which are at most 1,023, 4,194,303 and 2^32 - 1.
  static ConnectionId make(uint32_t home, uint32_t slot, uint32_t generation) {
    return {(uint64_t{home} << 54) | (uint64_t{slot} << 32) | generation};
  }
  uint32_t home() const { return static_cast<uint32_t>(value >> 54); }
  uint32_t slot() const { return static_cast<uint32_t>(value >> 32) & 0x3fffffu; }
  uint32_t generation() const { return static_cast<uint32_t>(value); }

  friend bool operator==(ConnectionId, ConnectionId) = default;
};

}}  // namespace trireme

template <>
struct std::hash<trireme::ConnectionId> {
  size_t operator()(trireme::ConnectionId id) const noexcept {
    return std::hash<uint64_t>{}(id.value);
  }
};

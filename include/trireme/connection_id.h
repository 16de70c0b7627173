// Names a connection for ever: never dangles, never means another connection later.
#pragma once

#include <cstdint>
#include <functional>

namespace trireme { inline namespace v0 {

// {home, slot, generation}, 64 bits. Value type, usable from any thread, safe to keep: using the id
// of a connection that is gone is harmless, counted, and reported as closed. The generation is
// never 0. The home is a number of the I/O worker, which no other one in the process has meanwhile:
// two servers, or conversations of tests, never share an id while both live. A server lives on in a
// Peer or a Reply that is kept.
struct ConnectionId {
  uint64_t value = 0;  // 0: no connection

  static ConnectionId make(uint32_t home, uint32_t slot, uint32_t generation) {
    return {(uint64_t{home} << 54) | (uint64_t{slot} << 32) | generation};
  }
  uint32_t home() const { return static_cast<uint32_t>(value >> 54); }  // at most 1,023
  uint32_t slot() const {
    return static_cast<uint32_t>(value >> 32) & 0x3fffffu;
  }  // at most 4,194,303
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

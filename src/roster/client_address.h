// The address of a client in three words, as other threads read it and as clients are counted by.
//
// Step: between the steps. Thread: any; a value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {

struct ClientAddress {
  uint64_t word = 0;  // {family: 16, port: 16, IPv4 address: 32}; 0: none of these two
  // Of IPv6, in the order of the network; of a unix socket the client's credentials.
  std::array<uint64_t, 2> wide{};

  // A client that comes over IPv4 to a socket of both families is the same as at one of IPv4.
  static ClientAddress of(const SocketAddress& address);
  static bool is_wide(uint64_t word);
  bool is_of_internet() const;
  // Of a client of a unix socket, if the kernel has told.
  std::optional<Credentials> credentials() const;

  // "127.0.0.1:4711", "unix:pid=4711,uid=1000,gid=1000"; empty when there is no address.
  std::string describe() const;
  // Equal for addresses that are counted as one client's: without the port, and of IPv6 the first
  // `prefix_bits`.
  std::string key(uint32_t prefix_bits) const;
};

}}  // namespace trireme

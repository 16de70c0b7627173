// A list of addresses and networks, and who is in one of them.
//
// Step 1: who may send a PROXY header. Thread: any; immutable once it is filled.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {

class Networks {
 public:
  // Before start(). "10.0.0.0/8", "192.0.2.1", "2001:db8::/32". Null, or a sentence that says what
  // is wrong with it; then nothing was added.
  const char* add(std::string_view text);
  bool empty() const { return networks_.empty(); }
  // Any thread. Over IPv4 at a socket of both families is over IPv4. Of other families: no.
  bool contains(const SocketAddress& address) const;

 private:
  struct Network {
    std::array<uint8_t, 16> host;  // of IPv4: as IPv6 has it
    uint32_t bits;                 // of these, that count
  };
  std::vector<Network> networks_;
};

}}  // namespace trireme

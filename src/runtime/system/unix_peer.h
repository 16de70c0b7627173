// The client of a unix socket as an address: its credentials stand where a path would be, for
// clients have none as a rule.
//
// Step: below all steps. Thread: any.
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>

#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {

inline SocketAddress unix_peer(const std::optional<Credentials>& known) {
  SocketAddress address;
  address.storage.ss_family = AF_UNIX;
  address.size = sizeof(sa_family_t);
  if (!known) return address;
  std::memcpy(reinterpret_cast<char*>(&address.storage) + sizeof(Credentials), &*known,
              sizeof(*known));
  address.size = 2 * sizeof(Credentials);
  return address;
}

// Nothing for an address that unix_peer has not made, or made without.
inline std::optional<Credentials> credentials_of(const SocketAddress& address) {
  if (address.storage.ss_family != AF_UNIX || address.size != 2 * sizeof(Credentials)) return {};
  Credentials known;
  std::memcpy(&known, reinterpret_cast<const char*>(&address.storage) + sizeof(Credentials),
              sizeof(known));
  return known;
}

}}  // namespace trireme

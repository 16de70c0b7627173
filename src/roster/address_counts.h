// How many connections the clients of one address have: the limit connections_per_address_max.
//
// Step 1, and the end of a connection. Threads: any.
#pragma once

#include <string>
#include <unordered_map>

#include "roster/client_address.h"
#include "runtime/threads/mutex.h"

namespace trireme { inline namespace v0 {

class AddressCounts {
 public:
  // `prefix_bits`: so many of an IPv6 address name a client.
  explicit AddressCounts(uint32_t prefix_bits) : prefix_bits_(prefix_bits) {}

  // Any thread. One connection more; false: the client of `address` has `limit`, or there is no
  // memory to count one more. Clients of unix sockets are not counted.
  bool enter(const ClientAddress& address, size_t limit);
  // Any thread. One that has entered has gone.
  void leave(const ClientAddress& address);

 private:
  const uint32_t prefix_bits_;
  Mutex mutex_;
  std::unordered_map<std::string, size_t> counts_ GUARDED_BY(mutex_);  // by ClientAddress::key
};

}}  // namespace trireme

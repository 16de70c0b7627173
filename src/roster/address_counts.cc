#include "roster/address_counts.h"

#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

bool AddressCounts::enter(const ClientAddress& address, size_t limit) {
  if (!address.is_of_internet()) return true;
  bool fits = false;
  const auto try_enter = [&] {
    const std::string key = address.key(prefix_bits_);
    MutexLock lock(mutex_);
    size_t& count = counts_[key];
    fits = count < limit;
    if (fits) ++count;
  };
  return with_memory(try_enter) && fits;
}

void AddressCounts::leave(const ClientAddress& address) {
  if (!address.is_of_internet()) return;
  const std::string key = address.key(prefix_bits_);
  MutexLock lock(mutex_);
  auto found = counts_.find(key);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

}}  // namespace trireme

// The keys that tickets are made and read with: from a file that processes share, or of this
// process alone.
//
// Thread: any.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 { namespace tls {

struct TicketKey {
  std::array<unsigned char, 16> name{};
  std::array<unsigned char, 32> mac{};
  std::array<unsigned char, 32> cipher{};
  size_t bytes = 32;  // of the other two: 32, or 16 of a file of 48 bytes

  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  // Leaves nothing in memory: who reads it later must not read old tickets.
  ~TicketKey();
};

// What a file of keys holds: N * 80 bytes (name, MAC key, AES-256 key), or 48 (the same with 16
// bytes each, AES-128), or lines of such keys in base64. The format of nginx and HAProxy.
Result<std::vector<TicketKey>> parse_ticket_keys(const std::string& file, std::string_view bytes);

class TicketKeys {
 public:
  // Own keys: a new one when one is as old as a ticket may become.
  explicit TicketKeys(std::chrono::seconds ticket_time_max) : time_max_(ticket_time_max) {}

  // Those of a file, from now on; the first makes tickets. Not, if those of a later `load` are in
  // use.
  void use(std::vector<TicketKey> keys, uint64_t load);
  // The key for a new ticket. None: there are no random numbers.
  std::optional<TicketKey> current();
  // The key of that name. `is_current`: a ticket of today would have the same.
  std::optional<TicketKey> find(const unsigned char* name, bool& is_current);
  // For so long a session resumes, counted from its full handshake.
  std::chrono::seconds time_max() const { return time_max_; }

 private:
  bool renew() REQUIRES(mutex_);

  const std::chrono::seconds time_max_;
  Mutex mutex_;
  std::vector<TicketKey> keys_ GUARDED_BY(mutex_);  // the current one comes first
  bool is_own_ GUARDED_BY(mutex_) = true;
  uint64_t load_ GUARDED_BY(mutex_) = 0;
  int64_t made_at_ GUARDED_BY(mutex_) = 0;  // seconds of the wall clock, as OpenSSL counts tickets
};

}}}  // namespace trireme::tls

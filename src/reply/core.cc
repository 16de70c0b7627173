#include "reply/core.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

CoreRef::CoreRef(Core* core) : core_(core) {
  if (core_ != nullptr) core_->add_reference();
}

CoreRef::~CoreRef() {
  if (core_ != nullptr) core_->drop_reference();
}

Core::Core(const Platform& given_platform, const ServerOptions& given_options, uint32_t io_workers,
           size_t connections_max)
    : platform(given_platform),
      options(given_options),
      log(given_options.log, given_options.log_level),
      buffers(given_options.buffer_bytes_max > 0 ? given_options.buffer_bytes_max
                                                 : kBudgetStandard),
      io_workers_(io_workers),
      homes_((platform.home_numbers != nullptr ? platform : real_platform())
                 .home_numbers->lease(io_workers)),
      connections_max_(connections_max),
      accept_waits_(std::make_unique<std::atomic<AcceptWait>[]>(io_workers + 1)) {
  for (uint32_t index = 0; index < io_workers; ++index) {
    records_.push_back(
        std::make_unique<std::atomic<SlotRecord*>[]>(connections_max / kRecordsPerChunk + 1));
    wide_addresses_.push_back(
        std::make_unique<std::atomic<WideAddress*>[]>(connections_max / kRecordsPerChunk + 1));
  }
  for (uint32_t index = 0; index <= io_workers; ++index) {
    loops_.push_back(std::make_unique<EventLoop>(platform, index));
  }
}

Core::~Core() {
  for (uint32_t index = 0; index < io_workers_; ++index) {
    for (size_t chunk = 0; chunk <= connections_max_ / kRecordsPerChunk; ++chunk) {
      delete[] records_[index][chunk].load();
      delete[] wide_addresses_[index][chunk].load();
    }
  }
}

void Core::make_record(uint32_t index, uint32_t slot, const SocketAddress& address) {
  std::atomic<SlotRecord*>& chunk = records_[index][slot / kRecordsPerChunk];
  // Release: partner is the acquire in record(ConnectionId).
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    chunk.store(new SlotRecord[kRecordsPerChunk], std::memory_order_release);
  }
  std::atomic<WideAddress*>& wide = wide_addresses_[index][slot / kRecordsPerChunk];
  const bool is_wide = address_of(address).word >> 48 == AF_INET6;
  if (is_wide && wide.load(std::memory_order_relaxed) == nullptr) {
    // Release: partner is the acquire in read_address.
    wide.store(new WideAddress[kRecordsPerChunk]{}, std::memory_order_release);
  }
}

void Core::drop_reference() {
  // Release: what this thread did to the core; acquire: the last one sees what all others did.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

SlotRecord* Core::record(ConnectionId id) const {
  if (id.generation() == 0 || !owns(id) || id.slot() >= connections_max_) return nullptr;
  SlotRecord* chunk =
      records_[index_of(id)][id.slot() / kRecordsPerChunk].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &chunk[id.slot() % kRecordsPerChunk];
}

bool Core::connected(ConnectionId id) const {
  const SlotRecord* slot = record(id);
  return slot != nullptr && slot->generation.load(std::memory_order_relaxed) == id.generation();
}

bool Core::enter_connection() {
  uint64_t live = live_connections_.load();
  while (live < connections_max_) {
    if (live_connections_.compare_exchange_weak(live, live + 1)) return true;
  }
  return false;
}

void Core::give_back_place() {
  const uint64_t before = live_connections_.fetch_sub(1);
  CHECK(before > 0, "more connections have gone than came");
}

void Core::leave_connection() {
  give_back_place();
  give_turn(AcceptWait::kPlace);
}

void Core::give_turn(AcceptWait freed) {
  std::atomic<int32_t>& waiting = accept_waits_count_[static_cast<size_t>(freed)];
  if (waiting.load() == 0) return;
  const auto count = static_cast<uint32_t>(loops_.size());
  const uint32_t first = next_turn_.load(std::memory_order_relaxed);
  for (uint32_t tries = 0; tries < count; ++tries) {
    const uint32_t index = (first + tries) % count;
    AcceptWait expected = freed;
    if (accept_waits_[index].load() != freed ||
        !accept_waits_[index].compare_exchange_strong(expected, AcceptWait::kNothing)) {
      continue;
    }
    waiting.fetch_sub(1);
    next_turn_.store(index + 1, std::memory_order_relaxed);
    return loops_[index]->post(std::make_unique<PlainMail>(kMailResume));
  }
}

void Core::note_accept_waits(uint32_t index, AcceptWait waits_for) {
  // The counts are never less than the loops that wait: who makes room must not find nobody.
  if (waits_for != AcceptWait::kNothing) {
    accept_waits_count_[static_cast<size_t>(waits_for)].fetch_add(1);
  }
  const AcceptWait before = accept_waits_[index].exchange(waits_for);
  if (before != AcceptWait::kNothing) {
    accept_waits_count_[static_cast<size_t>(before)].fetch_sub(1);
  }
}

Core::Address Core::address_of(const SocketAddress& address) {
  Address made;
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    made.word = (uint64_t{AF_INET} << 48) | (uint64_t{ntohs(in.sin_port)} << 32) |
                ntohl(in.sin_addr.s_addr);
  } else if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    const uint64_t port = uint64_t{ntohs(in.sin6_port)} << 32;
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      // At a socket of both families: the same client as at one of IPv4.
      uint32_t ipv4;
      std::memcpy(&ipv4, &in.sin6_addr.s6_addr[12], sizeof(ipv4));
      made.word = (uint64_t{AF_INET} << 48) | port | ntohl(ipv4);
    } else {
      made.word = (uint64_t{AF_INET6} << 48) | port;
      std::memcpy(made.wide.data(), &in.sin6_addr, sizeof(in.sin6_addr));
    }
  }
  return made;
}

void Core::publish_address(ConnectionId id, const SocketAddress& address) {
  const Address made = address_of(address);
  SlotRecord& slot = record(index_of(id), id.slot());
  if (made.word >> 48 == AF_INET6) {
    WideAddress* const all =
        wide_addresses_[index_of(id)][id.slot() / kRecordsPerChunk].load(std::memory_order_relaxed);
    WideAddress& wide = all[id.slot() % kRecordsPerChunk];
    for (size_t i = 0; i < wide.size(); ++i) wide[i].store(made.wide[i], std::memory_order_relaxed);
  }
  slot.address.store(made.word, std::memory_order_relaxed);
}

Core::Address Core::read_address(ConnectionId id) const {
  Address read;
  const SlotRecord* slot = record(id);
  if (slot == nullptr) return read;
  read.word = slot->address.load(std::memory_order_relaxed);
  const WideAddress* wide =
      wide_addresses_[index_of(id)][id.slot() / kRecordsPerChunk].load(std::memory_order_acquire);
  if (read.word >> 48 != AF_INET6 || wide == nullptr) return read;
  for (size_t i = 0; i < read.wide.size(); ++i) {
    read.wide[i] = wide[id.slot() % kRecordsPerChunk][i].load(std::memory_order_relaxed);
  }
  return read;
}

std::string Core::describe(ConnectionId id) const { return describe(read_address(id)); }

std::string Core::describe(const SocketAddress& address) { return describe(address_of(address)); }

std::string Core::describe(const Address& address) {
  const std::string port = std::to_string((address.word >> 32) & 0xffff);
  char text[INET6_ADDRSTRLEN] = "";
  if (address.word >> 48 == AF_INET) {
    const in_addr in{htonl(static_cast<uint32_t>(address.word))};
    inet_ntop(AF_INET, &in, text, sizeof(text));
    return std::string(text) + ":" + port;
  }
  if (address.word >> 48 != AF_INET6) return {};
  inet_ntop(AF_INET6, address.wide.data(), text, sizeof(text));
  return std::string("[") + text + "]:" + port;
}

std::string Core::key_of(const Address& address) const {
  const uint64_t word = address.word & ~(uint64_t{0xffff} << 32);
  std::array<uint8_t, sizeof(address.wide)> wide;  // in the order of the network, as it came
  std::memcpy(wide.data(), address.wide.data(), wide.size());
  for (uint32_t i = 0; i < wide.size(); ++i) {
    const uint32_t bits = options.address_prefix_bits;
    const uint32_t kept = bits > 8 * i ? std::min(bits - 8 * i, 8u) : 0;
    wide[i] = static_cast<uint8_t>(wide[i] & (0xff00u >> kept));
  }
  std::string key(sizeof(word) + wide.size(), '\0');
  std::memcpy(key.data(), &word, sizeof(word));
  std::memcpy(key.data() + sizeof(word), wide.data(), wide.size());
  return key;
}

bool Core::enter_address(const SocketAddress& address, size_t limit) {
  bool fits = false;
  const auto enter = [&] {
    const std::string key = key_of(address_of(address));
    MutexLock lock(addresses_mutex_);
    size_t& count = addresses_[key];
    fits = count < limit;
    if (fits) ++count;
  };
  return with_memory(enter) && fits;
}

void Core::leave_address(ConnectionId id) { leave_address(read_address(id)); }

void Core::leave_address(const SocketAddress& address) { leave_address(address_of(address)); }

void Core::leave_address(const Address& address) {
  const std::string key = key_of(address);
  MutexLock lock(addresses_mutex_);
  auto found = addresses_.find(key);
  if (found != addresses_.end() && --found->second == 0) addresses_.erase(found);
}

}}  // namespace trireme

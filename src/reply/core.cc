#include "reply/core.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace trireme::inline v0 {

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
      buffers(given_options.buffer_bytes_max),
      io_workers_(io_workers),
      connections_max_(connections_max) {
  for (uint32_t home = 0; home < io_workers; ++home) {
    records_.push_back(
        std::make_unique<std::atomic<SlotRecord*>[]>(connections_max / kRecordsPerChunk + 1));
  }
  for (uint32_t index = 0; index <= io_workers; ++index) {
    loops_.push_back(std::make_unique<EventLoop>(platform, index));
  }
}

Core::~Core() {
  for (const auto& chunks : records_) {
    for (size_t chunk = 0; chunk <= connections_max_ / kRecordsPerChunk; ++chunk)
      delete[] chunks[chunk].load();
  }
}

void Core::make_record(uint32_t home, uint32_t slot) {
  std::atomic<SlotRecord*>& chunk = records_[home][slot / kRecordsPerChunk];
  // Release: partner is the acquire in record(ConnectionId).
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    chunk.store(new SlotRecord[kRecordsPerChunk], std::memory_order_release);
  }
}

void Core::drop_reference() {
  // Release: what this thread did to the core; acquire: the last one sees what all others did.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

SlotRecord* Core::record(ConnectionId id) const {
  if (id.generation() == 0 || id.home() >= io_workers_ || id.slot() >= connections_max_)
    return nullptr;
  SlotRecord* chunk =
      records_[id.home()][id.slot() / kRecordsPerChunk].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &chunk[id.slot() % kRecordsPerChunk];
}

bool Core::connected(ConnectionId id) const {
  const SlotRecord* slot = record(id);
  return slot != nullptr && slot->generation.load(std::memory_order_relaxed) == id.generation();
}

// Three words: {family: 32, port: 32}, then 16 bytes of address, as atomics, since any thread reads
// them.
void Core::publish_address(SlotRecord& slot, const SocketAddress& address) {
  std::array<uint64_t, 3> words{};
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    words[0] = (uint64_t{AF_INET} << 32) | ntohs(in.sin_port);
    std::memcpy(&words[1], &in.sin_addr, sizeof(in.sin_addr));
  } else if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    words[0] = (uint64_t{AF_INET6} << 32) | ntohs(in.sin6_port);
    std::memcpy(&words[1], &in.sin6_addr, sizeof(in.sin6_addr));
  }
  for (size_t i = 0; i < words.size(); ++i)
    slot.address[i].store(words[i], std::memory_order_relaxed);
}

std::string Core::describe(const SlotRecord& slot) const {
  std::array<uint64_t, 3> words{};
  for (size_t i = 0; i < words.size(); ++i)
    words[i] = slot.address[i].load(std::memory_order_relaxed);
  const int family = static_cast<int>(words[0] >> 32);
  char text[INET6_ADDRSTRLEN] = "";
  if (family != AF_INET && family != AF_INET6) return {};
  inet_ntop(family, &words[1], text, sizeof(text));
  const std::string port = std::to_string(words[0] & 0xffff);
  return family == AF_INET6 ? "[" + std::string(text) + "]:" + port
                            : std::string(text) + ":" + port;
}

namespace {

// The address without the port, of the words that publish_address writes.
std::string key_of(const SlotRecord& record) {
  std::string key(sizeof(uint64_t) * 2, '\0');
  for (size_t i = 0; i < 2; ++i) {
    const uint64_t word = record.address[i + 1].load(std::memory_order_relaxed);
    std::memcpy(key.data() + i * sizeof(word), &word, sizeof(word));
  }
  return key;
}

}  // namespace

bool Core::enter_address(const SocketAddress& address, size_t limit) {
  SlotRecord words;
  publish_address(words, address);
  const std::string key = key_of(words);
  MutexLock lock(addresses_mutex_);
  size_t& count = addresses_[key];
  if (count >= limit) return false;
  ++count;
  return true;
}

void Core::leave_address(const SlotRecord& record) {
  const std::string key = key_of(record);
  MutexLock lock(addresses_mutex_);
  auto found = addresses_.find(key);
  if (found != addresses_.end() && --found->second == 0) addresses_.erase(found);
}

}  // namespace trireme

#include "roster/roster.h"

namespace trireme { inline namespace v0 {

Roster::Roster(const Platform& platform, uint32_t io_workers, size_t connections_max)
    : io_workers_(io_workers),
      homes_((platform.home_numbers != nullptr ? platform : real_platform())
                 .home_numbers->lease(io_workers)),
      connections_max_(connections_max) {
  for (uint32_t index = 0; index < io_workers; ++index) {
    records_.push_back(
        std::make_unique<std::atomic<SlotRecord*>[]>(connections_max / kRecordsPerChunk + 1));
    wide_addresses_.push_back(
        std::make_unique<std::atomic<WideAddress*>[]>(connections_max / kRecordsPerChunk + 1));
  }
}

Roster::~Roster() {
  for (uint32_t index = 0; index < io_workers_; ++index) {
    for (size_t chunk = 0; chunk <= connections_max_ / kRecordsPerChunk; ++chunk) {
      delete[] records_[index][chunk].load();
      delete[] wide_addresses_[index][chunk].load();
    }
  }
}

void Roster::make_record(uint32_t index, uint32_t slot, const SocketAddress& address) {
  std::atomic<SlotRecord*>& chunk = records_[index][slot / kRecordsPerChunk];
  // Release: partner is the acquire in record(ConnectionId).
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    chunk.store(new SlotRecord[kRecordsPerChunk], std::memory_order_release);
  }
  std::atomic<WideAddress*>& wide = wide_addresses_[index][slot / kRecordsPerChunk];
  const bool is_wide = ClientAddress::is_wide(ClientAddress::of(address).word);
  if (is_wide && wide.load(std::memory_order_relaxed) == nullptr) {
    // Release: partner is the acquire in address(ConnectionId).
    wide.store(new WideAddress[kRecordsPerChunk]{}, std::memory_order_release);
  }
}

SlotRecord* Roster::record(ConnectionId id) const {
  if (id.generation() == 0 || !owns(id) || id.slot() >= connections_max_) return nullptr;
  SlotRecord* chunk =
      records_[index_of(id)][id.slot() / kRecordsPerChunk].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &chunk[id.slot() % kRecordsPerChunk];
}

bool Roster::connected(ConnectionId id) const {
  const SlotRecord* slot = record(id);
  return slot != nullptr && slot->generation.load(std::memory_order_relaxed) == id.generation();
}

void Roster::publish_address(ConnectionId id, const SocketAddress& address) {
  const ClientAddress made = ClientAddress::of(address);
  SlotRecord& slot = record(index_of(id), id.slot());
  if (ClientAddress::is_wide(made.word)) {
    WideAddress* const all =
        wide_addresses_[index_of(id)][id.slot() / kRecordsPerChunk].load(std::memory_order_relaxed);
    WideAddress& wide = all[id.slot() % kRecordsPerChunk];
    for (size_t i = 0; i < wide.size(); ++i) wide[i].store(made.wide[i], std::memory_order_relaxed);
  }
  slot.address.store(made.word, std::memory_order_relaxed);
}

ClientAddress Roster::address(ConnectionId id) const {
  ClientAddress read;
  const SlotRecord* slot = record(id);
  if (slot == nullptr) return read;
  read.word = slot->address.load(std::memory_order_relaxed);
  const WideAddress* wide =
      wide_addresses_[index_of(id)][id.slot() / kRecordsPerChunk].load(std::memory_order_acquire);
  if (!ClientAddress::is_wide(read.word) || wide == nullptr) return read;
  for (size_t i = 0; i < read.wide.size(); ++i) {
    read.wide[i] = wide[id.slot() % kRecordsPerChunk][i].load(std::memory_order_relaxed);
  }
  return read;
}

}}  // namespace trireme

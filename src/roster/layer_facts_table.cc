#include "roster/layer_facts_table.h"

#include <utility>

#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

bool LayerFactsTable::put(ConnectionId id, LayerFacts facts) {
  const size_t bytes = facts.bytes() + sizeof(Told);
  if (!buffers_.charge(bytes)) return false;
  Told told{std::move(facts), Charge(buffers_, bytes)};
  Shard& shard = shards_[roster_.index_of(id)];
  return with_memory([&] {
    MutexLock lock(shard.mutex);
    shard.told.insert_or_assign(id, std::move(told));
  });
}

void LayerFactsTable::erase(ConnectionId id) {
  Told gone;
  Shard& shard = shards_[roster_.index_of(id)];
  MutexLock lock(shard.mutex);
  const auto found = shard.told.find(id);
  if (found == shard.told.end()) return;
  gone = std::move(found->second);
  shard.told.erase(found);
}

LayerFacts LayerFactsTable::of(ConnectionId id) const {
  if (id.generation() == 0 || !roster_.owns(id)) return {};
  Shard& shard = shards_[roster_.index_of(id)];
  MutexLock lock(shard.mutex);
  const auto found = shard.told.find(id);
  return found == shard.told.end() ? LayerFacts() : found->second.facts;
}

}}  // namespace trireme

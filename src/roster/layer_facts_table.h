// What transport layers have told of connections, for every thread that asks a Peer. Beside the
// slots: a connection without layers has nothing here.
//
// Step: between the steps. Threads: the holder of a loop writes what is of its connections, any
// thread reads. Bounded by connections_max and what a layer may tell, charged to the budget.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "roster/roster.h"
#include "runtime/memory/buffers.h"
#include "runtime/threads/mutex.h"
#include "trireme/layer_facts.h"

namespace trireme { inline namespace v0 {

class LayerFactsTable {
 public:
  // All outlive it.
  LayerFactsTable(const Roster& roster, Buffers& buffers, uint32_t io_workers)
      : roster_(roster), buffers_(buffers), shards_(std::make_unique<Shard[]>(io_workers)) {}

  // The holder of its loop. False: the budget refuses, or the system has no memory.
  [[nodiscard]] bool put(ConnectionId id, LayerFacts facts);
  // The holder of its loop. Its slot is about to be free.
  void erase(ConnectionId id);
  // Any thread. A copy; empty if there are none.
  LayerFacts of(ConnectionId id) const;

 private:
  struct Told {
    LayerFacts facts;
    Charge charge;
  };
  // Of one loop. No two share a line of the cache.
  struct alignas(64) Shard {
    mutable Mutex mutex;
    std::unordered_map<ConnectionId, Told> told GUARDED_BY(mutex);
  };

  const Roster& roster_;
  Buffers& buffers_;
  const std::unique_ptr<Shard[]> shards_;
};

}}  // namespace trireme

#include "connection/slots.h"

#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

// False: there is no memory for the slot, or its record.
bool Slots::prepare(uint32_t slot, const SocketAddress& peer) {
  return with_memory([&] {
    context_.roster.make_record(loop_.index(), slot, peer);
    if (slot / kPerChunk >= chunks_.size()) chunks_.push_back(std::make_unique<Chunk>());
  });
}

Connection* Slots::take(const SocketAddress& peer) {
  const bool has_unused = used_ < context_.places.connections_max();
  const bool prefers_unused = has_unused && free_.size() <= kPerChunk;
  uint32_t slot = 0;
  if (prefers_unused && prepare(used_, peer)) {
    slot = used_++;
  } else if (!free_.empty() && prepare(free_.front(), peer)) {
    slot = free_.front();
    free_.pop_front();
  } else {
    return nullptr;
  }
  Connection& connection = at(slot);
  uint32_t generation = connection.id.generation() + 1;
  if (generation == 0) generation = 1;
  connection = Connection();
  connection.id = ConnectionId::make(context_.roster.home(loop_.index()), slot, generation);
  ++taken_;
  books_.slots_made.add();
  return &connection;
}

Connection* Slots::find(ConnectionId id) {
  Connection* const connection = id.slot() < used_ ? &at(id.slot()) : nullptr;
  if (connection != nullptr && connection->id == id && connection->is_live()) return connection;
  books_.stale_ids.add();
  return nullptr;
}

void Slots::release(Connection& connection) {
  const bool started_layer = connection.rare != nullptr && connection.rare->started_layer;
  if (started_layer || (connection.listening != nullptr && connection.listening->has_layers()))
    context_.layer_facts.erase(connection.id);
  connection.life.release();
  connection.input.reset();
  connection.rare.reset();
  free_.push_back(connection.id.slot());
  --taken_;
  books_.slots_gone.add();
}

}}  // namespace trireme

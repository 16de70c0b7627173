// The slots of one loop: the memory of its connections, and the ids that they get.
//
// Steps 1 and 6. Thread: the holder of the loop. A slot outlives its socket until nothing refers to
// it any more. Slots come in chunks that are never freed before the server ends. Free ones are used
// again first-in first-out, so that a stale id meets an old generation as late as possible. Bounded
// by connections_max.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "connection/connection.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Slots {
 public:
  Slots(ServerContext& context, EventLoop& loop)
      : context_(context), loop_(loop), books_(context.books(loop.index())) {}

  // A free slot with a new generation, for a client at `peer`. Null: all of them are taken, or
  // there is no memory.
  Connection* take(const SocketAddress& peer);
  // Null, and counted, when the connection is gone.
  Connection* find(ConnectionId id);
  // The end of a connection: nothing refers to its slot any more.
  void release(Connection& connection);

  // Every slot is taken: none is free, and no more may be made.
  bool all_taken() const { return used_ == context_.places.connections_max() && free_.empty(); }
  uint32_t taken_count() const { return taken_; }
  // Calls `visit` for each connection that lives, in the order of slots. `visit` may close them.
  template <class Visit>
  void for_each_live(Visit visit) {
    for (uint32_t slot = 0; slot < used_; ++slot) {
      if (at(slot).is_live()) visit(at(slot));
    }
  }

 private:
  static constexpr size_t kPerChunk = 64;
  using Chunk = std::array<Connection, kPerChunk>;

  Connection& at(uint32_t slot) { return (*chunks_[slot / kPerChunk])[slot % kPerChunk]; }
  bool prepare(uint32_t slot, const SocketAddress& peer);

  ServerContext& context_;
  EventLoop& loop_;
  Books& books_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::deque<uint32_t> free_;
  uint32_t used_ = 0;  // have been taken once
  uint32_t taken_ = 0;
};

}}  // namespace trireme

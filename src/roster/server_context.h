// The part of a server that every thread may touch, and that lives as long as the last Peer or
// Reply.
//
// Step: between the steps. Threads: any. It owns the event loops (not the I/O workers around them):
// so a mailbox and the descriptor that wakes its loop never die before their last sender.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "roster/address_counts.h"
#include "roster/books.h"
#include "roster/layer_facts_table.h"
#include "roster/places.h"
#include "roster/roster.h"
#include "runtime/event_loop.h"
#include "runtime/log.h"
#include "runtime/memory/buffers.h"
#include "trireme/options.h"
#include "trireme/peer.h"

namespace trireme { inline namespace v0 {
namespace detail {

// The temporary files of long bodies, of all loops.
struct SpoolBooks {
  std::atomic<uint64_t> spool_bytes{0};   // relaxed: a count, it publishes nothing
  std::atomic<bool> spool_warned{false};  // likewise: that they are in memory
  SharedCounter spool_opened, spool_closed;
  LogGate spool_gate;  // one that could not be written
};

class ServerContext : public SpoolBooks {
 public:
  ServerContext(const Platform& platform, const ServerOptions& options, uint32_t io_workers,
                size_t connections_max);

  // References are counted by ContextRef; the last one destroys.
  void add_reference() { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference();

  // Any thread. To the home of `id`.
  void post(ConnectionId id, std::unique_ptr<Mail> mail) {
    loop(roster.index_of(id)).post(std::move(mail));
  }

  // Any thread. One line a second for clients over connections_per_address_max.
  void note_address_full(const ClientAddress& address, TimePoint now);

  EventLoop& loop(uint32_t index) { return *loops_[index]; }
  EventLoop& listener_loop() { return *loops_.back(); }
  // Of the loop `index`, the Listener's included.
  Books& books(uint32_t index) { return books_[index]; }
  uint32_t io_workers() const { return static_cast<uint32_t>(loops_.size() - 1); }

  const Platform platform;
  const ServerOptions options;
  const Log log;
  Buffers buffers;

  SharedCounter stale_ids;
  LogGate accept_gate;    // of all loops that accept
  LogGates thrown_gates;  // by service: what its handlers throw
  LogGate switch_gate;    // for answers that switch the codec where that cannot be
  LogGate codec_gate;     // of all loops: mistakes of codecs
  LogGate layer_gate;     // likewise: connections that their layers, or their doors, refuse
  // Of limits that were reached: of all clients, of one address, of memory.
  LogGate full_gate, address_gate, memory_gate;
  Roster roster;
  LayerFactsTable layer_facts;
  AddressCounts addresses;
  Places places;

 private:
  ~ServerContext() = default;

  std::atomic<uint64_t> references_{0};
  const std::unique_ptr<Books[]> books_;
  const std::vector<std::unique_ptr<EventLoop>> loops_;  // I/O workers', then the Listener's
};

}  // namespace detail

using detail::ContextRef;
using detail::ServerContext;

}}  // namespace trireme

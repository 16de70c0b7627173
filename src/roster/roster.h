// Who is connected: what every thread may know of the slots of all loops.
//
// Step: between the steps. Threads: the holder of a loop writes the records of its slots, any
// thread reads them.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "roster/client_address.h"
#include "roster/return_flag.h"
#include "roster/small_count.h"
#include "runtime/system/home_numbers.h"
#include "runtime/threads/threads.h"
#include "trireme/connection_id.h"
#include "trireme/detail/session_call.h"

namespace trireme { inline namespace v0 {

// What other threads may know of a slot. Written by the holder of its loop, read by any.
struct SlotRecord {
  std::atomic<uint32_t> generation{
      0};  // of the connection that lives here; 0: none. Relaxed: a stale answer is legal
  // In the write queue, published by the holder; 4 GiB - 1 stands for more.
  std::atomic<uint32_t> unsent_bytes{0};
  std::atomic<uint16_t> listener{0};    // of the connection: Roster::listener
  SmallCount<uint16_t> calls;           // of its session: on their way, or not begun
  SmallCount<uint8_t> timers;           // likewise: on their way, or set
  ReturnFlag return_flag;               // of the job that may write; see Job
  std::atomic<bool> asked_room{false};  // a RoomMail is on its way, or room is waited for
  // It counts for connections_per_address_max, with `address`. Of the holder alone.
  bool counts_address = false;
  std::atomic<uint64_t> transit_bytes{0};  // pushes on their way to the loop
  std::atomic<uint64_t> address{0};        // ClientAddress::word
};

// What every thread may know of a listener.
struct ListenerFacts {
  detail::SessionTraits session;  // no type: it has handlers, not sessions
  uint32_t write_bytes_high = 0;
  uint32_t write_bytes_low = 0;
  uint16_t calls_max = 0;
  uint8_t timers_max = 0;
};

class Roster {
 public:
  // For `io_workers` loops, each with up to `connections_max` slots.
  Roster(const Platform& platform, uint32_t io_workers, size_t connections_max);
  ~Roster();

  // False: all numbers that connection ids have for loops are taken, and no server can start.
  bool has_home_numbers() const { return homes_.ok(); }
  // Any thread. The first part of the ids of connections of a loop, and the loop of an id: not
  // below the number of loops for one of another server.
  uint32_t home(uint32_t index) const { return homes_.first() + index; }
  uint32_t index_of(ConnectionId id) const { return id.home() - homes_.first(); }
  bool owns(ConnectionId id) const { return index_of(id) < io_workers_; }

  // Before start(). One listener more.
  void add_listener(const ListenerFacts& facts) { listeners_.push_back(facts); }
  size_t listeners_count() const { return listeners_.size(); }
  // Any thread. Of the listener of a connection.
  const ListenerFacts& listener(const SlotRecord& record) const {
    return listeners_[record.listener.load(std::memory_order_relaxed)];
  }

  // Any thread. A hint: the server has begun to drain.
  void note_draining() { draining_.store(true, std::memory_order_relaxed); }
  bool is_draining() const { return draining_.load(std::memory_order_relaxed); }

  // Any thread. False when the connection is gone or the id was never given out.
  bool connected(ConnectionId id) const;
  // Any thread. Null when the id was never given out.
  SlotRecord* record(ConnectionId id) const;
  // The holder of the loop `index`, for a slot that it has made.
  SlotRecord& record(uint32_t index, uint32_t slot) const {
    return records_[index][slot / kRecordsPerChunk].load(
        std::memory_order_relaxed)[slot % kRecordsPerChunk];
  }
  // The holder of the loop `index`, before it gives a slot to a client at `address`. Throws where
  // the system has no memory.
  void make_record(uint32_t index, uint32_t slot, const SocketAddress& address);

  // The holder of its loop. The slot of `id` has a record.
  void publish_address(ConnectionId id, const SocketAddress& address);
  // Any thread. As it was published; none when the id was never given out.
  ClientAddress address(ConnectionId id) const;
  std::string describe(ConnectionId id) const { return address(id).describe(); }

 private:
  // The address of a slot whose client speaks IPv6, not one that came over IPv4 to a socket of
  // both; or the credentials of a client of a unix socket.
  using WideAddress = std::array<std::atomic<uint64_t>, 2>;
  static constexpr uint32_t kRecordsPerChunk = 1024;

  std::vector<ListenerFacts> listeners_;  // immutable after start
  std::atomic<bool> draining_{false};     // relaxed: it publishes nothing
  const uint32_t io_workers_;
  const HomeNumbers::Lease homes_;  // of the loops: as long as anybody may have an id of theirs
  const size_t connections_max_;
  // By loop: a table of chunks, made when they are needed, that lives as long as this.
  std::vector<std::unique_ptr<std::atomic<SlotRecord*>[]>> records_;
  std::vector<std::unique_ptr<std::atomic<WideAddress*>[]>> wide_addresses_;  // likewise
};

}}  // namespace trireme

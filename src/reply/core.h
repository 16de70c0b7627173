// The part of a server that every thread may touch, and that lives as long as the last Peer or
// Reply.
//
// Step 5. Threads: any. It owns the event loops (not the I/O workers around them): so a mailbox and
// the descriptor that wakes its loop never die before their last sender.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "reply/mail.h"
#include "reply/return_flag.h"
#include "runtime/memory/buffers.h"
#include "runtime/event_loop.h"
#include "runtime/system/home_numbers.h"
#include "runtime/log.h"
#include "runtime/threads/mutex.h"
#include "trireme/options.h"

namespace trireme { inline namespace v0 {

// What other threads may know of a slot. Written by the holder of its loop, read by any.
struct SlotRecord {
  std::atomic<uint32_t> generation{
      0};  // of the connection that lives here; 0: none. Relaxed: a stale answer is legal
  std::atomic<uint32_t> write_bytes_high{0};
  // In the write queue, published by the holder; 4 GiB - 1 stands for more.
  std::atomic<uint32_t> unsent_bytes{0};
  ReturnFlag return_flag;                  // of the job that may write; see Job
  std::atomic<uint64_t> transit_bytes{0};  // pushes on their way to the loop
  std::atomic<uint64_t> address{0};        // {family: 16, port: 16, IPv4 address: 32}
};

// What a loop waits for that accepts and has paused.
enum class AcceptWait : uint8_t { kNothing, kPlace, kDescriptor };

// The address of a slot whose client speaks IPv6. Not one that came over IPv4 to a socket of both.
using WideAddress = std::array<std::atomic<uint64_t>, 2>;

class Core {
 public:
  Core(const Platform& platform, const ServerOptions& options, uint32_t io_workers,
       size_t connections_max);

  // References are counted by CoreRef; the last one destroys.
  void add_reference() { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_reference();

  // Any thread. False, and nothing happens, when the connection is gone or the id was never given
  // out.
  bool connected(ConnectionId id) const;
  // Any thread. To the home of `id`.
  void post(ConnectionId id, std::unique_ptr<Mail> mail) {
    loop(index_of(id)).post(std::move(mail));
  }

  // False: all numbers that connection ids have for loops are taken, and no server can start.
  bool has_home_numbers() const { return homes_.ok(); }
  // Any thread. The first part of the ids of connections of a loop, and the loop of an id: not
  // below io_workers() for one of another server.
  uint32_t home(uint32_t index) const { return homes_.first() + index; }
  uint32_t index_of(ConnectionId id) const { return id.home() - homes_.first(); }
  bool owns(ConnectionId id) const { return index_of(id) < io_workers_; }

  EventLoop& loop(uint32_t index) { return *loops_[index]; }
  EventLoop& listener_loop() { return *loops_.back(); }
  uint32_t io_workers() const { return io_workers_; }
  // Null when the id was never given out.
  SlotRecord* record(ConnectionId id) const;
  // The holder of the loop `index`, for a slot that it has made.
  SlotRecord& record(uint32_t index, uint32_t slot) const {
    return records_[index][slot / kRecordsPerChunk].load(
        std::memory_order_relaxed)[slot % kRecordsPerChunk];
  }
  // The holder of the loop `index`, before it gives a slot to a client at `address`. Throws where
  // the system has no memory.
  void make_record(uint32_t index, uint32_t slot, const SocketAddress& address);
  size_t connections_max() const { return connections_max_; }

  // The holder of its loop. The slot of `id` has a record.
  void publish_address(ConnectionId id, const SocketAddress& address);
  // Any thread. "127.0.0.1:4711"; empty when the id was never given out, or has no such address.
  std::string describe(ConnectionId id) const;
  static std::string describe(const SocketAddress& address);

  // Per-address limit. Any thread. False: the client of `address` has `limit` connections, or there
  // is no memory to count one more.
  bool enter_address(const SocketAddress& address, size_t limit);
  void leave_address(ConnectionId id);               // as it was published
  void leave_address(const SocketAddress& address);  // that was never published

  // Any thread. A place for one more connection; false: as many are open, or on their way to a
  // loop, as are allowed.
  [[nodiscard]] bool enter_connection();
  bool is_full() const { return live_connections_.load() >= connections_max_; }
  // Any thread. The place is free again, and one of the loops that wait for one is told.
  void leave_connection();
  // Any thread. The same for a place that was of no use, because accept(2) has failed: nobody is
  // told, for the next loop would fail as this one did.
  void give_back_place();
  // Any thread. One `freed` has become free: one of the loops that wait for it has its turn to look
  // (kMailResume), each after the others. Which of them has clients that wait, only its own socket
  // knows: a loop that finds nobody calls this again, and so the turn goes on.
  void give_turn(AcceptWait freed);
  // The holder of the loop `index`, which accepts: what give_turn is to tell it of. It asks for
  // room after it has said so, or it may miss the last who makes some.
  void note_accept_waits(uint32_t index, AcceptWait waits_for);

  const Platform platform;
  const ServerOptions options;
  const Log log;
  Buffers buffers;
  SharedCounter stale_ids;
  LogGate accept_gate;    // of all loops that accept
  LogGates thrown_gates;  // by service: what its handlers throw
  LogGate switch_gate;    // for answers that switch the codec where that cannot be
  LogGate codec_gate;     // of all loops: mistakes of codecs
  // Of limits that were reached: of all clients, of one address, of memory.
  LogGate full_gate, address_gate, memory_gate;

 private:
  struct Address {
    uint64_t word = 0;  // SlotRecord::address
    std::array<uint64_t, 2> wide{};
  };
  static std::string describe(const Address& address);
  void leave_address(const Address& address);
  static Address address_of(const SocketAddress& address);
  // Equal for addresses that are counted as one client's: without the port, and of IPv6 the prefix.
  std::string key_of(const Address& address) const;
  Address read_address(ConnectionId id) const;

  ~Core();

  const uint32_t io_workers_;
  const HomeNumbers::Lease homes_;  // of the loops: as long as anybody may have an id of theirs
  const size_t connections_max_;
  // These three seq_cst: who makes room asks for pauses after its decrement, who pauses asks for
  // room after its note.
  std::atomic<uint64_t> live_connections_{0};                 // adopted or on their way to a loop
  std::array<std::atomic<int32_t>, 3> accept_waits_count_{};  // by AcceptWait
  std::unique_ptr<std::atomic<AcceptWait>[]> accept_waits_;   // by loop
  std::atomic<uint32_t> next_turn_{0};                        // a hint: relaxed
  std::atomic<uint64_t> references_{0};
  // By loop: a table of chunks, made when they are needed, that lives as long as this.
  static constexpr uint32_t kRecordsPerChunk = 1024;
  std::vector<std::unique_ptr<std::atomic<SlotRecord*>[]>> records_;
  std::vector<std::unique_ptr<std::atomic<WideAddress*>[]>> wide_addresses_;  // likewise
  std::vector<std::unique_ptr<EventLoop>> loops_;  // I/O workers', then the Listener's
  Mutex addresses_mutex_;
  std::unordered_map<std::string, size_t> addresses_ GUARDED_BY(addresses_mutex_);
};

}}  // namespace trireme

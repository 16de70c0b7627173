// The driver on io_uring: the kernel receives into buffers of the driver's, and takes what is to be
// sent in the call that waits. A turn of a busy loop is one system call.
//
// Step: below steps 2 and 6. Thread: the one that waits first, which is the holder of the loop for
// as long as that lives; `wake` any. Files: uring_driver.cc waits and gives out completions,
// uring_channel.cc does what is done to one channel, uring_accept.cc what listening sockets need.
//
// 1. A channel that reads has one multishot receive in the kernel. It ends by an end of stream, an
//    error, a cancellation, or because there was no free buffer; then it is started anew at the
//    next wait.
// 2. A buffer is the kernel's again before the next completion is given out. What cannot be given
//    out now (the channel is paused, or reads in small pieces) is copied into memory of the budget,
//    so channels that do not read never keep buffers from those that do.
// 3. pause() only notes that nothing may be told. The receive is cancelled when something comes.
// 4. send() copies little sends into the arena of this turn, and wait() starts them. Nothing is
//    pending in between: they are not allowed to wait, so the call that starts them ends them, and
//    a completion comes only for those that did not fit the socket: kUnsent gives the rest back.
//    Larger sends are made at once.
// 5. A closed channel is told as kClosed when the kernel has ended all that it did for it.
// 6. A listening socket has one multishot accept in the kernel, which takes clients out of the
//    backlog as they come: each is told as kAccepted, with the address that getpeername(2) has
//    said; where the client has reset meanwhile there is none, and it is closed, untold. pause()
//    and close() cancel the accept; whoever comes out of it until it has ended is told all the
//    same. After a pause clients are taken one at a time, until that has gone well for a while: so
//    a server that is full takes one too many, not all who wait
//    (docs/decisions/0014-what-the-ring-leaves-out.md).
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "runtime/counters.h"
#include "runtime/drivers/driver.h"
#include "uring/ring.h"

namespace trireme { inline namespace v0 { namespace uring {

class UringDriver final : public Driver {
 public:
  using Sizes = RingSizes;

  // Before start(). `open` must succeed before any other call. `opened`: null, or a ring of these
  // sizes that is open already.
  UringDriver(Kernel& kernel, Buffers& buffers, LoopCounters& counters, const Sizes& sizes,
              Faults* faults = nullptr, std::unique_ptr<BufferedRing> opened = nullptr);
  ~UringDriver() override;
  int open();  // 0 or -errno

  Traits traits() const override;
  void wait(TimePoint now, TimePoint until) override;
  bool next(Completion& out) override;
  bool ready() const override {
    return event_cursor_ < events_.size() || !reads_now_.empty() || !closed_.empty();
  }
  bool drained() const override { return events_.size() < kEventsMax && !starved_; }
  int attach(Channel& channel, Channel::Role role, int fd) override;
  void receive(Channel& channel) override;
  void pause(Channel& channel) override;
  Sent send(Channel& channel, std::span<const iovec> pieces) override;
  Unsent settle(Channel& channel) override;
  void shutdown_write(Channel& channel) override;
  void close(Channel& channel) override;
  size_t bytes_readable(const Channel& channel) override;
  size_t bytes_unsent(const Channel& channel) override;
  Waiting waiting(const Channel& channel) override;
  Duration quiet_time(const Channel& channel) override {
    return quiet_time_of(kernel_, channel.fd);
  }
  Block swap_read_buffer(Block fresh) override;
  void set_receive_bytes_max(size_t bytes) override;
  bool wake() noexcept override;

 private:
  static constexpr size_t kEventsMax = 256;           // more in a turn: the loop is late
  static constexpr size_t kArenaBytes = 64 << 10;     // sent in one wait
  static constexpr size_t kGatherBytesMax = 8 << 10;  // larger sends are made at once
  static constexpr uint32_t kFullReads = 4;           // in a row, then larger buffers
  static constexpr uint32_t kLittleReads = 16;        // in a row, then small ones again
  static constexpr uint8_t kSingleAccepts = 16;       // in a row, then many by one operation again

  // What is known of a channel; Channel::place is its index.
  struct State {
    Channel* channel = nullptr;
    uint8_t operations = 0;  // that the kernel has not ended
    bool wants_read : 1 = false;
    bool wants_write : 1 = false;
    bool over : 1 = false;    // an end or an error has come from the kernel
    bool ended : 1 = false;   // and was told
    bool failed : 1 = false;  // as an error
    bool end_due : 1 = false;
    bool closing : 1 = false;
    bool release_queued : 1 = false;
    bool receiving : 1 = false;  // (or accepting) the kernel is, and...
    bool stopping : 1 = false;   // ...was told not to
    bool start_queued : 1 = false;
    bool read_queued : 1 = false;
    bool stage_queued : 1 = false;
    bool waits_writable : 1 = false;  // in the kernel
    bool waits_hang_up : 1 = false;   // in the kernel
    bool reads_large : 1 = false;     // from now on
    bool in_large : 1 = false;        // the receive in the kernel
    bool accepts_one : 1 = false;     // at a time, from now on
    uint8_t run_of_reads = 0;         // or of accepts
    uint32_t undelivered = 0;         // bytes in events_
    uint32_t held_begin = 0, held_end = 0;
    Block held;
    // In the arena of this turn, and what came back from the last one.
    uint32_t staged_at = 0, staged_bytes = 0;
    char* unsent = nullptr;
    uint32_t unsent_bytes = 0;
    int unsent_error = 0;
    int error_due = 0;  // to be told behind what is held
  };
  struct Event {
    enum class Kind : uint8_t { kData, kEnd, kError, kWritable, kHangUp, kUnsent, kAccepted } kind;
    uint32_t who;
    int32_t result = 0;
    uint16_t buffer = 0;
    bool large = false;
  };

  // --- uring_driver.cc ---
  void start_all();
  void enter(TimePoint now, TimePoint until);
  void finish_starting();
  void take_in(const Done& done);
  void take_received(State& state, uint32_t who, const Done& done);
  void take_unsent(State& state, uint32_t who, int32_t result);
  bool next_of_event(const Event& event, Completion& out);
  bool give_data(State& state, const Event& event, Completion& out);
  bool give_held(State& state, uint32_t who, Completion& out);
  bool give_end(State& state, int32_t result, Completion& out);
  void choose_group(State& state, uint32_t who, const Event& event);
  [[nodiscard]] bool hold(State& state, std::span<const char> bytes);
  void give_back_last();
  BufferGroup& group_of(bool large) { return large ? own_->large : own_->small; }

  // --- uring_channel.cc ---
  State& state_of(const Channel& channel) { return states_[channel.place]; }
  uint32_t take_state(Channel& channel);
  void queue_start(State& state, uint32_t who);
  void queue_read(State& state, uint32_t who);
  void start_receive(State& state, uint32_t who);
  void stop_receiving(State& state, uint32_t who);
  void watch_hang_up(State& state, uint32_t who);
  void wait_writable(State& state, uint32_t who);
  void try_release(State& state, uint32_t who);
  bool stage(State& state, uint32_t who, std::span<const iovec> pieces, size_t total);
  void send_staged(State& state);
  Sent send_now(State& state, std::span<const iovec> pieces, size_t total);

  // --- uring_accept.cc ---
  void start_accept(State& state, uint32_t who);
  void take_accepted(State& state, uint32_t who, const Done& done);
  bool give_accepted(const State& state, int32_t result, Completion& out);

  Kernel& kernel_;
  Buffers& buffers_;
  LoopCounters& counters_;
  Faults* const faults_;
  int wake_fd_ = -1;
  bool wake_watched_ = false;
  bool accepts_many_;  // by one operation: the kernel can
  size_t receive_bytes_max_ = SIZE_MAX;

  const std::unique_ptr<BufferedRing> own_;
  Ring& ring_;  // of `own_`

  std::vector<State> states_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> starts_;                  // whose receive is to be started
  std::vector<uint32_t> reads_now_, reads_next_;  // held bytes, or an end, may be told
  size_t reads_cursor_ = 0;
  std::vector<Event> events_;
  size_t event_cursor_ = 0;
  bool starved_ = false;  // something came that found no buffer
  bool has_grown_ = false;
  std::vector<uint32_t> closed_;  // to be told

  // What send() gathers in a turn; the other one holds what came back from the last wait.
  std::array<std::unique_ptr<char[]>, 2> arenas_;
  uint32_t arena_ = 0, arena_used_ = 0;
  std::vector<uint32_t> staged_;
  bool sends_open_ = true;  // false: the kernel has not started all of the last wait

  bool has_last_ = false;  // the buffer of the completion before
  bool last_large_ = false;
  uint16_t last_buffer_ = 0;
  Block last_held_;
  SocketAddress last_peer_;
};

}}}  // namespace trireme::uring

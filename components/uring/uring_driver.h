// The driver on io_uring: the kernel receives into buffers of the driver's, and takes what is to be
// sent in the call that waits. A turn of a busy loop is one system call.
//
// Step: below steps 2 and 6. Thread: the one that waits first, which is the holder of the loop for
// as long as that lives; `wake` any. Receives, Accepts and Sends have the operations of channels;
// the driver waits (uring_driver.cc), is told what to do with a channel (uring_channel.cc), and
// gives out what has come, or holds it (uring_given.cc).
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

#include <memory>
#include <vector>

#include "runtime/counters.h"
#include "runtime/drivers/driver.h"
#include "uring/accepts.h"
#include "uring/channel_table.h"
#include "uring/events.h"
#include "uring/receives.h"
#include "uring/ring.h"
#include "uring/sends.h"

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
    return events_.has_more() || !reads_now_.empty() || channels_.has_closed();
  }
  bool drained() const override { return !events_.were_many() && !receives_.is_starved(); }
  int attach(Channel& channel, Channel::Role role, int fd) override;
  void receive(Channel& channel) override;
  void pause(Channel& channel) override;
  Sent send(Channel& channel, std::span<const iovec> pieces) override;
  Sent send_file(Channel& channel, const FilePart& part) override;
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
  // --- uring_driver.cc ---
  void start_all();
  void enter(TimePoint now, TimePoint until);
  void finish_starting();
  void take_in(const Done& done);
  void take_received(ChannelState& state, uint32_t who, const Done& done);

  // --- uring_given.cc ---
  bool give(const Event& event, Completion& out);
  bool give_data(ChannelState& state, const Event& event, Completion& out);
  bool give_held(ChannelState& state, uint32_t who, Completion& out);
  bool give_end(ChannelState& state, int32_t result, Completion& out);
  bool give_error(ChannelState& state, const Event& event, Completion& out);
  void give_back_last();

  // --- uring_channel.cc ---
  void queue_start(ChannelState& state, uint32_t who);
  void queue_read(ChannelState& state, uint32_t who);
  void stop_receiving(ChannelState& state, uint32_t who);
  void watch_hang_up(ChannelState& state, uint32_t who);

  Kernel& kernel_;
  Buffers& buffers_;
  LoopCounters& counters_;
  Faults* const faults_;
  int wake_fd_ = -1;
  bool wake_watched_ = false;
  size_t receive_bytes_max_ = SIZE_MAX;

  const std::unique_ptr<BufferedRing> own_;
  Ring& ring_;  // of `own_`

  ChannelTable channels_;
  Events events_;
  Receives receives_;
  Accepts accepts_;
  Sends sends_;

  std::vector<uint32_t> starts_;                  // whose receive is to be started
  std::vector<uint32_t> reads_now_, reads_next_;  // held bytes, or an end, may be told
  size_t reads_cursor_ = 0;
  Block last_held_;  // of the completion before
};

}}}  // namespace trireme::uring

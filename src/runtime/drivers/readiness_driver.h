// The driver of all system calls that tell readiness: epoll, poll, select. What waiting is differs
// (runtime/drivers/poller.h), all else is here: it receives and sends itself.
//
// Step: below steps 1, 2 and 6. Thread: the holder of the loop, `wake` excepted.
//
// Level-triggered: interest follows what the caller wants, one call of the poller a change.
// Edge-triggered: everything is registered once, readiness is remembered in the channel, and a
// short read means drained only if the event carried none of RDHUP, HUP, ERR, PRI (epoll(7)).
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "runtime/counters.h"
#include "runtime/drivers/driver.h"
#include "runtime/drivers/poller.h"
#include "runtime/drivers/queued_reads.h"
#include "runtime/drivers/sole_speaker.h"

namespace trireme { inline namespace v0 {

class ReadinessDriver final : public Driver {
 public:
  static constexpr size_t kReadBufferBytes = 64 << 10;

  // Before start(). `open` must succeed before any other call.
  ReadinessDriver(Kernel& kernel, Buffers& buffers, LoopCounters& counters, DriverKind kind);
  ~ReadinessDriver() override;
  int open();  // 0 or -errno

  Traits traits() const override;
  void wait(TimePoint now, TimePoint until) override;
  void look(TimePoint now) override;
  bool next(Completion& out) override;
  bool ready() const override {
    return has_early_ || event_count_ > 0 || reads_.has_now() || closed_ != nullptr;
  }
  bool drained() const override { return event_count_ < kEventsMax; }
  int attach(Channel& channel, Channel::Role role, int fd) override;
  void receive(Channel& channel) override;
  void pause(Channel& channel) override;
  Sent send(Channel& channel, std::span<const iovec> pieces) override;
  Sent send_file(Channel& channel, const FilePart& part) override;
  void shutdown_write(Channel& channel) override;
  void close(Channel& channel) override;
  size_t bytes_readable(const Channel& channel) override {
    return bytes_of(kernel_.bytes_readable(channel.fd));
  }
  size_t bytes_unsent(const Channel& channel) override {
    return bytes_of(kernel_.bytes_unsent(channel.fd));
  }
  Waiting waiting(const Channel& channel) override { return waiting_at(kernel_, channel.fd); }
  Duration quiet_time(const Channel& channel) override {
    return quiet_time_of(kernel_, channel.fd);
  }
  Block swap_read_buffer(Block fresh) override;
  void set_receive_bytes_max(size_t bytes) override {
    receive_bytes_max_ = std::clamp<size_t>(bytes, 1, read_buffer_.capacity());
  }
  bool wake() noexcept override;

 private:
  static constexpr size_t kEventsMax = 256;  // events a turn

  bool next_of_event(Channel& channel, Completion& out);
  bool receive_one(Channel& channel, Completion& out);
  bool hung_up(Channel& channel, Completion& out);
  bool failed_while_paused(Channel& channel, Completion& out);
  Sent send_rest(Channel& channel, std::span<const iovec> pieces, size_t total, ssize_t result);
  static size_t bytes_of(ssize_t result) { return result > 0 ? static_cast<size_t>(result) : 0; }
  void queue_read(Channel& channel);
  void want_write(Channel& channel);
  void update_interest(Channel& channel);
  void leave_set(Channel& channel);
  void return_lost(TimePoint now);

  Kernel& kernel_;
  LoopCounters& counters_;
  const std::unique_ptr<Poller> poller_;
  const bool edge_triggered_, clears_signals_;
  int wake_fd_ = -1;
  Block read_buffer_;
  size_t receive_bytes_max_ = kReadBufferBytes;

  std::array<epoll_event, kEventsMax> events_;
  size_t event_count_ = 0;
  size_t event_cursor_ = 0;
  uint32_t event_bits_ = 0;  // what is left of the event at the cursor; 0: it was not begun

  QueuedReads reads_;
  SoleSpeaker sole_speaker_;  // of looks
  bool has_early_ = false;    // a look has received already:
  Completion early_;
  std::vector<Channel*> lost_;   // thrown out of the set by a failed change; tried again soon
  std::vector<Channel*> ended_;  // of this turn; they must not be told again: rule 3 of driver.h
  TimePoint return_at_ = TimePoint::min();
  Channel* closed_ =
      nullptr;  // list by Channel::next_closed, told as kClosed at the end of the turn
};

}}  // namespace trireme

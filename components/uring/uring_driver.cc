#include "uring/uring_driver.h"

#include <poll.h>

#include <cerrno>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 { namespace uring {

UringDriver::UringDriver(Kernel& kernel, Buffers& buffers, LoopCounters& counters,
                         const Sizes& sizes, Faults* faults, std::unique_ptr<BufferedRing> opened)
    : kernel_(kernel),
      buffers_(buffers),
      counters_(counters),
      faults_(faults),
      own_(opened ? std::move(opened) : std::make_unique<BufferedRing>(sizes)),
      ring_(own_->ring),
      receives_(*own_, events_),
      accepts_(kernel, ring_, events_, sizes.accepts_many),
      sends_(kernel, counters, ring_, channels_, events_) {}

UringDriver::~UringDriver() {
  ring_.close();
  if (wake_fd_ >= 0) kernel_.close(wake_fd_);
}

int UringDriver::open() {
  wake_fd_ = kernel_.event_create();
  if (wake_fd_ < 0) return wake_fd_;
  return ring_.is_open() ? 0 : own_->open(faults_);
}

Driver::Traits UringDriver::traits() const {
  return {.name = "io_uring",
          .loop_may_move = false,
          .worker_may_write = true,
          .gathers_sends = true,
          .listens = true};
}

void UringDriver::wait(TimePoint now, TimePoint until) {
  CHECK(!events_.has_more(), "wait before all completions of the last turn were taken");
  give_back_last();
  events_.begin_turn();
  receives_.begin_turn();
  if (!ring_.enabled()) {
    const int result = ring_.enable();
    CHECK(result == 0, "io_uring refuses to begin");
  }
  start_all();
  enter(now, until);
  reads_now_.swap(reads_next_);
  reads_next_.clear();
  reads_cursor_ = 0;
}

// Receives of this turn, and what was gathered to send.
void UringDriver::start_all() {
  if (!wake_watched_) {
    // An edge each time somebody signals; it is never read, and would be full after 2^64 of them.
    ring_.start(Op::kWake, 0, 0,
                [this](io_uring_sqe* sqe) { io_uring_prep_poll_multishot(sqe, wake_fd_, POLLIN); });
    wake_watched_ = true;
  }
  for (const uint32_t who : std::exchange(starts_, {})) {
    ChannelState& state = channels_.at(who);
    if (!state.receiving.start_queued) continue;  // another channel's by now
    state.receiving.start_queued = false;
    if (!state.wants_read || state.over || state.closing || state.receiving.runs) continue;
    state.receiving.runs = true;
    ++state.operations;
    if (state.channel->role == Channel::Role::kListener) {
      accepts_.start(state, who);
    } else {
      receives_.start(state, who);
    }
  }
  sends_.start_all();
}

void UringDriver::enter(TimePoint now, TimePoint until) {
  Duration time = until == kNever ? Ring::kForEver : until - now;
  if (!reads_next_.empty() || channels_.has_closed()) time = Duration(0);
  const int result = ring_.enter(time);
  CHECK(result == 0 || result == -EINTR || result == -ETIME || result == -EBUSY ||
            result == -EAGAIN || result == -ENOMEM,
        "waiting failed");
  // -EAGAIN, -ENOMEM: the kernel had no memory for all; the rest is started in the next turn.
  ring_.reap([this](const Done& done) { take_in(done); });
  sends_.shut();
  finish_starting();
}

void UringDriver::finish_starting() {
  for (int tries = 0; tries < 16 && !ring_.all_started(); ++tries) {
    ring_.enter(Duration(0));
    ring_.reap([this](const Done& done) { take_in(done); });
  }
  if (ring_.all_started()) sends_.open();
}

void UringDriver::take_in(const Done& done) {
  if (done.op == Op::kCancel) return;  // it came too late: what it was for has ended by itself
  if (done.op == Op::kWake) {
    if (!(done.flags & IORING_CQE_F_MORE)) wake_watched_ = false;
    return;
  }
  ChannelState& state = channels_.at(done.who);
  switch (done.op) {
    case Op::kReceive:
      take_received(state, done.who, done);
      break;
    case Op::kAccept:
      accepts_.take(state, done.who, done);
      queue_start(state, done.who);
      break;
    case Op::kSend:
      sends_.take_unsent(state, done.who, done.result);
      break;
    case Op::kWritable:
      sends_.take_writable(state, done.who, done);
      break;
    case Op::kHangUp:
      if (!(done.flags & IORING_CQE_F_MORE)) {
        state.waits_hang_up = false;
        --state.operations;
      }
      if (done.result > 0 && (done.result & (POLLERR | POLLHUP)) != 0)
        events_.add({Event::Kind::kHangUp, done.who});
      break;
    default:
      CHECK(false, "a completion that nobody asked for");
  }
  channels_.try_release(state, done.who);
}

void UringDriver::take_received(ChannelState& state, uint32_t who, const Done& done) {
  receives_.take(state, who, done);
  if (state.closing || state.receiving.runs) return;
  if (state.wants_read) {
    queue_start(state, who);
  } else if (!state.over) {
    watch_hang_up(state, who);
  }
}

}}}  // namespace trireme::uring

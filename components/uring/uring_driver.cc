#include "uring/uring_driver.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 { namespace uring {

UringDriver::UringDriver(Kernel& kernel, Buffers& buffers, LoopCounters& counters,
                         const Sizes& sizes, Faults* faults, std::unique_ptr<BufferedRing> opened)
    : kernel_(kernel),
      buffers_(buffers),
      counters_(counters),
      faults_(faults),
      accepts_many_(sizes.accepts_many),
      own_(opened ? std::move(opened) : std::make_unique<BufferedRing>(sizes)),
      ring_(own_->ring) {
  for (auto& arena : arenas_) arena.reset(new char[kArenaBytes]);
}

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
  CHECK(event_cursor_ == events_.size(), "wait before all completions of the last turn were taken");
  give_back_last();
  events_.clear();
  starved_ = has_grown_ = false;
  event_cursor_ = 0;
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
    State& state = states_[who];
    if (!state.start_queued) continue;  // another channel's by now
    state.start_queued = false;
    if (!state.wants_read || state.over || state.closing || state.receiving) continue;
    state.receiving = true;
    ++state.operations;
    if (state.channel->role == Channel::Role::kListener) {
      start_accept(state, who);
    } else {
      start_receive(state, who);
    }
  }
  if (!sends_open_) return;
  for (const uint32_t who : staged_) {
    State& state = states_[who];
    state.stage_queued = false;
    if (state.staged_bytes == 0) continue;  // was sent meanwhile
    // WAITALL: a short send counts as failed, so it is told.
    ring_.start(Op::kSend, who, IOSQE_CQE_SKIP_SUCCESS, [&](io_uring_sqe* sqe) {
      io_uring_prep_send(sqe, state.channel->fd, arenas_[arena_].get() + state.staged_at,
                         state.staged_bytes, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    });
  }
}

void UringDriver::enter(TimePoint now, TimePoint until) {
  Duration time = until == kNever ? Ring::kForEver : until - now;
  if (!reads_next_.empty() || !closed_.empty()) time = Duration(0);
  const int result = ring_.enter(time);
  CHECK(result == 0 || result == -EINTR || result == -ETIME || result == -EBUSY ||
            result == -EAGAIN || result == -ENOMEM,
        "waiting failed");
  // -EAGAIN, -ENOMEM: the kernel had no memory for all; the rest is started in the next turn.
  ring_.reap([this](const Done& done) { take_in(done); });
  sends_open_ = false;
  finish_starting();
}

// When all is started, all that was gathered has left, or was told not to.
void UringDriver::finish_starting() {
  for (int tries = 0; tries < 16 && !ring_.all_started(); ++tries) {
    ring_.enter(Duration(0));
    ring_.reap([this](const Done& done) { take_in(done); });
  }
  sends_open_ = ring_.all_started();
  if (!sends_open_) return;
  for (const uint32_t who : staged_) {
    State& state = states_[who];
    counters_.bytes_out.add(state.staged_bytes);
    state.staged_bytes = 0;
    if (state.wants_write && !state.waits_writable && state.unsent_bytes == 0 && !state.closing) {
      events_.push_back({Event::Kind::kWritable, who});
    }
  }
  staged_.clear();
  arena_ ^= 1;
  arena_used_ = 0;
}

void UringDriver::take_in(const Done& done) {
  if (done.op == Op::kCancel) return;  // it came too late: what it was for has ended by itself
  if (done.op == Op::kWake) {
    if (!(done.flags & IORING_CQE_F_MORE)) wake_watched_ = false;
    return;
  }
  State& state = states_[done.who];
  switch (done.op) {
    case Op::kReceive:
      take_received(state, done.who, done);
      break;
    case Op::kAccept:
      take_accepted(state, done.who, done);
      break;
    case Op::kSend:
      take_unsent(state, done.who, done.result);
      break;
    case Op::kWritable:
      if (!(done.flags & IORING_CQE_F_MORE)) {
        state.waits_writable = false;
        --state.operations;
      }
      if (!state.wants_write || state.closing) break;
      if (done.result < 0 || (done.result & (POLLOUT | POLLHUP | POLLERR)) != 0) {
        events_.push_back({Event::Kind::kWritable, done.who});
      } else {
        wait_writable(state, done.who);
      }
      break;
    case Op::kHangUp:
      if (!(done.flags & IORING_CQE_F_MORE)) {
        state.waits_hang_up = false;
        --state.operations;
      }
      if (done.result > 0 && (done.result & (POLLERR | POLLHUP)) != 0)
        events_.push_back({Event::Kind::kHangUp, done.who});
      break;
    default:
      CHECK(false, "a completion that nobody asked for");
  }
  try_release(state, done.who);
}

void UringDriver::take_received(State& state, uint32_t who, const Done& done) {
  const bool large = state.in_large;
  if (!(done.flags & IORING_CQE_F_MORE)) {
    state.receiving = state.stopping = false;
    --state.operations;
  }
  const auto buffer = static_cast<uint16_t>(done.flags >> IORING_CQE_BUFFER_SHIFT);
  const bool has_buffer = (done.flags & IORING_CQE_F_BUFFER) != 0;
  if (has_buffer && (state.closing || done.result <= 0)) group_of(large).give_back(buffer);
  if (state.closing) return;
  if (done.result > 0) {
    state.undelivered += static_cast<uint32_t>(done.result);
    events_.push_back({Event::Kind::kData, who, done.result, buffer, large});
  } else if (done.result == 0) {
    state.over = true;
    events_.push_back({Event::Kind::kEnd, who});
  } else if (done.result != -ENOBUFS && done.result != -ECANCELED && done.result != -EINTR &&
             done.result != -EAGAIN) {
    state.over = true;
    events_.push_back({Event::Kind::kError, who, done.result});
  }
  if (done.result == -ENOBUFS) {
    starved_ = true;
    if (!has_grown_) group_of(large).grow();
    has_grown_ = true;  // not once for each of those that found none
  }
  if (state.receiving) return;
  if (state.wants_read) {
    queue_start(state, who);
  } else if (!state.over) {
    watch_hang_up(state, who);
  }
}

// A gathered send that did not leave whole.
void UringDriver::take_unsent(State& state, uint32_t who, int32_t result) {
  const auto sent = static_cast<uint32_t>(std::max(result, 0));
  counters_.bytes_out.add(sent);
  state.unsent = arenas_[arena_].get() + state.staged_at + sent;
  state.unsent_bytes = state.staged_bytes - sent;
  state.unsent_error = result < 0 && result != -EAGAIN && result != -EINTR ? result : 0;
  state.staged_bytes = 0;
  if (state.closing || state.unsent_bytes == 0) return;
  if (state.unsent_error == 0) wait_writable(state, who);
  // Before all else of this turn: what is sent next comes behind it.
  events_.insert(events_.begin() + static_cast<std::ptrdiff_t>(event_cursor_),
                 {Event::Kind::kUnsent, who});
}

bool UringDriver::next(Completion& out) {
  give_back_last();
  while (event_cursor_ < events_.size()) {
    const Event event = events_[event_cursor_++];
    if (next_of_event(event, out)) return true;
    give_back_last();  // of a channel that nobody reads any more
  }
  while (reads_cursor_ < reads_now_.size()) {
    const uint32_t who = reads_now_[reads_cursor_++];
    State& state = states_[who];
    if (!state.read_queued) continue;  // another channel's by now
    state.read_queued = false;
    if (state.wants_read && !state.ended && !state.closing && give_held(state, who, out))
      return true;
  }
  if (closed_.empty()) return false;
  const uint32_t who = closed_.back();
  closed_.pop_back();
  out = {.kind = Completion::Kind::kClosed, .channel = states_[who].channel};
  out.channel->flags = 0;
  states_[who] = State();
  free_.push_back(who);
  return true;
}

bool UringDriver::next_of_event(const Event& event, Completion& out) {
  State& state = states_[event.who];
  if (event.kind == Event::Kind::kData) return give_data(state, event, out);
  if (event.kind == Event::Kind::kAccepted) return give_accepted(state, event.result, out);
  if (state.closing) return false;
  switch (event.kind) {
    case Event::Kind::kEnd:
      state.end_due = true;
      if (state.wants_read && state.held_begin == state.held_end) return give_end(state, 0, out);
      if (state.wants_read) queue_read(state, event.who);
      return false;
    case Event::Kind::kError:
      if (state.failed) return false;
      if (!state.wants_read || state.held_begin == state.held_end)
        return give_end(state, event.result, out);
      state.error_due = event.result;
      queue_read(state, event.who);
      return false;
    case Event::Kind::kHangUp: {
      if (state.failed || state.wants_read) return false;  // who reads hears of it there
      const int error = kernel_.socket_error(state.channel->fd);
      return error != 0 && give_end(state, -error, out);
    }
    case Event::Kind::kWritable:
      if (!state.wants_write) return false;
      state.wants_write = false;
      out = {.kind = Completion::Kind::kWritable, .channel = state.channel};
      return true;
    case Event::Kind::kUnsent: {
      if (state.unsent_bytes == 0) return false;  // settled meanwhile
      out = {.kind = Completion::Kind::kUnsent,
             .channel = state.channel,
             .result = state.unsent_error,
             .bytes = {state.unsent, std::exchange(state.unsent_bytes, 0)}};
      return true;
    }
    default:
      return false;
  }
}

bool UringDriver::give_data(State& state, const Event& event, Completion& out) {
  const auto size = static_cast<uint32_t>(event.result);
  const std::span<char> bytes = group_of(event.large).bytes(event.buffer, size);
  state.undelivered -= std::min(state.undelivered, size);
  has_last_ = true;
  last_large_ = event.large;
  last_buffer_ = event.buffer;
  if (state.closing || state.ended) return false;
  const bool now =
      state.wants_read && state.held_begin == state.held_end && size <= receive_bytes_max_;
  if (now) {
    choose_group(state, event.who, event);
    counters_.bytes_in.add(size);
    out = {.kind = Completion::Kind::kReceived,
           .channel = state.channel,
           .result = event.result,
           .bytes = bytes};
    return true;
  }
  const bool held = hold(state, bytes);
  give_back_last();
  if (!held) return give_end(state, -ENOMEM, out);
  stop_receiving(state, event.who);
  if (state.wants_read) {
    queue_read(state, event.who);
  } else {
    watch_hang_up(state, event.who);
  }
  return false;
}

// A part of what was held, or the end behind it.
bool UringDriver::give_held(State& state, uint32_t who, Completion& out) {
  const size_t held = state.held_end - state.held_begin;
  if (held == 0) {
    return (state.end_due || state.error_due != 0) && give_end(state, state.error_due, out);
  }
  const size_t size = std::min(held, receive_bytes_max_);
  out = {.kind = Completion::Kind::kReceived,
         .channel = state.channel,
         .result = static_cast<int32_t>(size),
         .bytes = state.held.span().subspan(state.held_begin, size)};
  counters_.bytes_in.add(size);
  state.held_begin += static_cast<uint32_t>(size);
  if (state.held_begin < state.held_end || state.end_due || state.error_due != 0)
    queue_read(state, who);
  if (state.held_begin == state.held_end) {
    last_held_ = std::move(state.held);  // borrowed until the next completion
    state.held_begin = state.held_end = 0;
    queue_start(state, who);
  }
  return true;
}

// The end of the stream, or an error: the last thing that is told of reading.
bool UringDriver::give_end(State& state, int32_t result, Completion& out) {
  const uint32_t who = state.channel->place;
  state.ended = state.over = true;
  state.end_due = state.wants_read = false;
  state.held = Block();
  state.held_begin = state.held_end = 0;
  if (result < 0) {
    state.failed = true;
    state.wants_write = false;
    stop_receiving(state, who);
  } else {
    watch_hang_up(state, who);
  }
  out = {.kind = Completion::Kind::kReceived, .channel = state.channel, .result = result};
  return true;
}

// Streams fill small buffers one after the other; large ones are few.
void UringDriver::choose_group(State& state, uint32_t who, const Event& event) {
  const bool large = event.large;
  const auto size = static_cast<uint32_t>(event.result);
  if (large != state.reads_large) return;  // the change is under way
  const bool fits_the_other =
      large ? size <= own_->small.buffer_bytes() : size == own_->small.buffer_bytes();
  state.run_of_reads = fits_the_other ? static_cast<uint8_t>(state.run_of_reads + 1) : 0;
  if (state.run_of_reads < (large ? kLittleReads : kFullReads)) return;
  state.run_of_reads = 0;
  state.reads_large = !large;
  stop_receiving(state, who);
}

// False: the budget refuses.
bool UringDriver::hold(State& state, std::span<const char> bytes) {
  const size_t have = state.held_end - state.held_begin;
  if (state.held.capacity() - state.held_end < bytes.size()) {
    Block larger = buffers_.make(std::max<size_t>(2 * have + bytes.size(), 256));
    if (!larger) return false;
    if (have > 0) std::memcpy(larger.data(), state.held.data() + state.held_begin, have);
    state.held = std::move(larger);
    state.held_begin = 0;
    state.held_end = static_cast<uint32_t>(have);
  }
  std::memcpy(state.held.data() + state.held_end, bytes.data(), bytes.size());
  state.held_end += static_cast<uint32_t>(bytes.size());
  return true;
}

void UringDriver::give_back_last() {
  if (std::exchange(has_last_, false)) group_of(last_large_).give_back(last_buffer_);
  last_held_ = Block();
}

}}}  // namespace trireme::uring

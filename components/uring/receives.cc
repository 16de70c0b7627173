#include "uring/receives.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace trireme { inline namespace v0 { namespace uring {

void Receives::start(ChannelState& state, uint32_t who) {
  state.receiving.in_large = state.receiving.reads_large;
  ring_.start(Op::kReceive, who, 0, [&](io_uring_sqe* sqe) {
    io_uring_prep_recv_multishot(sqe, state.channel->fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = group_of(state.receiving.in_large).id();
  });
}

void Receives::stop(ChannelState& state, uint32_t who) {
  if (!state.receiving.runs || state.receiving.stopping) return;
  state.receiving.stopping = true;
  ring_.cancel(Op::kReceive, who);
}

void Receives::take(ChannelState& state, uint32_t who, const Done& done) {
  const bool large = state.receiving.in_large;
  if (!(done.flags & IORING_CQE_F_MORE)) {
    state.receiving.runs = state.receiving.stopping = false;
    --state.operations;
  }
  const auto buffer = static_cast<uint16_t>(done.flags >> IORING_CQE_BUFFER_SHIFT);
  const bool has_buffer = (done.flags & IORING_CQE_F_BUFFER) != 0;
  if (has_buffer && (state.closing || done.result <= 0)) group_of(large).give_back(buffer);
  if (state.closing) return;
  if (done.result > 0) {
    state.receiving.undelivered += static_cast<uint32_t>(done.result);
    events_.add({Event::Kind::kData, who, done.result, buffer, large});
  } else if (done.result == 0) {
    state.over = true;
    events_.add({Event::Kind::kEnd, who});
  } else if (done.result != -ENOBUFS && done.result != -ECANCELED && done.result != -EINTR &&
             done.result != -EAGAIN) {
    state.over = true;
    events_.add({Event::Kind::kError, who, done.result});
  }
  if (done.result == -ENOBUFS) {
    starved_ = true;
    if (!has_grown_) group_of(large).grow();
    has_grown_ = true;  // not once for each of those that found none
  }
}

std::span<char> Receives::lend(ChannelState& state, const Event& event) {
  const auto size = static_cast<uint32_t>(event.result);
  state.receiving.undelivered -= std::min(state.receiving.undelivered, size);
  is_lent_ = true;
  lent_large_ = event.large;
  lent_buffer_ = event.buffer;
  return group_of(event.large).bytes(event.buffer, size);
}

void Receives::give_back() {
  if (std::exchange(is_lent_, false)) group_of(lent_large_).give_back(lent_buffer_);
}

void Receives::choose_group(ChannelState& state, const Event& event) {
  ChannelState::Receiving& receiving = state.receiving;
  const bool large = event.large;
  const auto size = static_cast<uint32_t>(event.result);
  if (large != receiving.reads_large) return;  // the change is under way
  const bool fits_the_other =
      large ? size <= own_.small.buffer_bytes() : size == own_.small.buffer_bytes();
  receiving.run_of_reads = fits_the_other ? static_cast<uint8_t>(receiving.run_of_reads + 1) : 0;
  if (receiving.run_of_reads < (large ? kLittleReads : kFullReads)) return;
  receiving.run_of_reads = 0;
  receiving.reads_large = !large;
  stop(state, event.who);
}

}}}  // namespace trireme::uring

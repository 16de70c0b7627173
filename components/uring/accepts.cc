#include "uring/accepts.h"

#include <sys/socket.h>

#include <cerrno>

namespace trireme { inline namespace v0 { namespace uring {

void Accepts::start(ChannelState& state, uint32_t who) {
  const bool many = accepts_many_ && !state.accepting.one_at_a_time;
  ring_.start(Op::kAccept, who, 0, [&](io_uring_sqe* sqe) {
    constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (many) {
      io_uring_prep_multishot_accept(sqe, state.channel->fd, nullptr, nullptr, kFlags);
    } else {
      io_uring_prep_accept(sqe, state.channel->fd, nullptr, nullptr, kFlags);
    }
  });
}

void Accepts::stop(ChannelState& state, uint32_t who) {
  if (!state.receiving.runs || state.receiving.stopping) return;
  state.receiving.stopping = true;
  ring_.cancel(Op::kAccept, who);
}

// A client, or an error; those that concern the operation and no client are not told.
void Accepts::take(ChannelState& state, uint32_t who, const Done& done) {
  if (!(done.flags & IORING_CQE_F_MORE)) {
    state.receiving.runs = state.receiving.stopping = false;
    --state.operations;
  }
  ChannelState::Accepting& accepting = state.accepting;
  if (done.result >= 0) {
    if (accepting.one_at_a_time && ++accepting.run == kSingleAccepts) {
      accepting.one_at_a_time = false;
    }
    events_.add({Event::Kind::kAccepted, who, done.result});
  } else if (done.result == -EINVAL && accepts_many_ && !accepting.one_at_a_time) {
    accepts_many_ = false;  // a kernel without; if something else is wrong, the next one fails, too
  } else if (done.result != -ECANCELED && done.result != -EINTR && !state.closing) {
    events_.add({Event::Kind::kAccepted, who, done.result});
  }
}

bool Accepts::give(const ChannelState& state, int32_t result, Completion& out) {
  out = {.kind = Completion::Kind::kAccepted, .channel = state.channel, .result = result};
  if (result < 0) return !state.closing;
  if (ring_.peer_address(result, last_peer_) < 0) {
    kernel_.close_socket(result);
    return false;
  }
  out.bytes = {reinterpret_cast<char*>(&last_peer_.storage), last_peer_.size};
  return true;
}

}}}  // namespace trireme::uring

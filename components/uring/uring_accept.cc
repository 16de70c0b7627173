// What listening sockets need.
#include <sys/socket.h>

#include <cerrno>

#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace uring {

void UringDriver::start_accept(State& state, uint32_t who) {
  const bool many = accepts_many_ && !state.accepts_one;
  ring_.start(Op::kAccept, who, 0, [&](io_uring_sqe* sqe) {
    constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (many) {
      io_uring_prep_multishot_accept(sqe, state.channel->fd, nullptr, nullptr, kFlags);
    } else {
      io_uring_prep_accept(sqe, state.channel->fd, nullptr, nullptr, kFlags);
    }
  });
}

// A client, or an error; those that concern the operation and no client are not told.
void UringDriver::take_accepted(State& state, uint32_t who, const Done& done) {
  if (!(done.flags & IORING_CQE_F_MORE)) {
    state.receiving = state.stopping = false;
    --state.operations;
  }
  if (done.result >= 0) {
    if (state.accepts_one && ++state.run_of_reads == kSingleAccepts) state.accepts_one = false;
    events_.push_back({Event::Kind::kAccepted, who, done.result});
  } else if (done.result == -EINVAL && accepts_many_ && !state.accepts_one) {
    accepts_many_ = false;  // a kernel without; if something else is wrong, the next one fails, too
  } else if (done.result != -ECANCELED && done.result != -EINTR && !state.closing) {
    events_.push_back({Event::Kind::kAccepted, who, done.result});
  }
  queue_start(state, who);
}

bool UringDriver::give_accepted(const State& state, int32_t result, Completion& out) {
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

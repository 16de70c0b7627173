#include "uring/sends.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 { namespace uring {

Sends::Sends(Kernel& kernel, LoopCounters& counters, Ring& ring, ChannelTable& channels,
             Events& events)
    : kernel_(kernel), counters_(counters), ring_(ring), channels_(channels), events_(events) {
  for (auto& arena : arenas_) arena.reset(new char[kArenaBytes]);
}

void Sends::start_all() {
  if (!is_open_) return;
  for (const uint32_t who : staged_) {
    ChannelState& state = channels_.at(who);
    state.sending.stage_queued = false;
    if (state.sending.staged_bytes == 0) continue;  // was sent meanwhile
    // WAITALL: a short send counts as failed, so it is told.
    ring_.start(Op::kSend, who, IOSQE_CQE_SKIP_SUCCESS, [&](io_uring_sqe* sqe) {
      io_uring_prep_send(sqe, state.channel->fd, staged(state), state.sending.staged_bytes,
                         MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    });
  }
}

void Sends::open() {
  is_open_ = true;
  for (const uint32_t who : staged_) {
    ChannelState& state = channels_.at(who);
    ChannelState::Sending& sending = state.sending;
    counters_.bytes_out.add(sending.staged_bytes);
    sending.staged_bytes = 0;
    if (sending.wants && !sending.waits_writable && sending.unsent_bytes == 0 && !state.closing) {
      events_.add({Event::Kind::kWritable, who});
    }
  }
  staged_.clear();
  arena_ ^= 1;
  arena_used_ = 0;
}

// A gathered send that did not leave whole.
void Sends::take_unsent(ChannelState& state, uint32_t who, int32_t result) {
  ChannelState::Sending& sending = state.sending;
  const auto sent = static_cast<uint32_t>(std::max(result, 0));
  counters_.bytes_out.add(sent);
  sending.unsent = staged(state) + sent;
  sending.unsent_bytes = sending.staged_bytes - sent;
  sending.unsent_error = result < 0 && result != -EAGAIN && result != -EINTR ? result : 0;
  sending.staged_bytes = 0;
  if (state.closing || sending.unsent_bytes == 0) return;
  if (sending.unsent_error == 0) wait_writable(state, who);
  // First: what is sent next comes behind it.
  events_.add_first({Event::Kind::kUnsent, who});
}

void Sends::take_writable(ChannelState& state, uint32_t who, const Done& done) {
  if (!(done.flags & IORING_CQE_F_MORE)) {
    state.sending.waits_writable = false;
    --state.operations;
  }
  if (!state.sending.wants || state.closing) return;
  if (done.result < 0 || (done.result & (POLLOUT | POLLHUP | POLLERR)) != 0) {
    events_.add({Event::Kind::kWritable, who});
  } else {
    wait_writable(state, who);
  }
}

bool Sends::give_writable(ChannelState& state, Completion& out) {
  if (!state.sending.wants) return false;
  state.sending.wants = false;
  out = {.kind = Completion::Kind::kWritable, .channel = state.channel};
  return true;
}

bool Sends::give_unsent(ChannelState& state, Completion& out) {
  ChannelState::Sending& sending = state.sending;
  if (sending.unsent_bytes == 0) return false;  // settled meanwhile
  out = {.kind = Completion::Kind::kUnsent,
         .channel = state.channel,
         .result = sending.unsent_error,
         .bytes = {sending.unsent, std::exchange(sending.unsent_bytes, 0)}};
  return true;
}

// Told once an edge, from now on: a poll for one time would come back at once after the end of the
// stream, which no poll can leave out. A send goes on until it is refused, so there is an edge.
void Sends::wait_writable(ChannelState& state, uint32_t who) {
  state.sending.wants = true;
  if (state.sending.waits_writable) return;
  state.sending.waits_writable = true;
  ++state.operations;
  ring_.start(Op::kWritable, who, 0, [&](io_uring_sqe* sqe) {
    io_uring_prep_poll_multishot(sqe, state.channel->fd, POLLOUT | POLLHUP | POLLERR);
  });
}

Sent Sends::send(ChannelState& state, uint32_t who, std::span<const iovec> pieces) {
  ChannelState::Sending& sending = state.sending;
  size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  if (sending.unsent_bytes > 0 || (sending.staged_bytes > 0 && !is_open_)) {
    sending.wants = true;  // behind what is on its way
    return {};
  }
  if (stage(state, who, pieces, total)) return {.bytes = total};
  if (sending.staged_bytes > 0) hurry(state);
  if (sending.staged_bytes > 0) {
    sending.wants = true;
    return {};
  }
  return send_now(state, pieces, total);
}

// False: it is too large, or the socket was full or dead when it was last tried.
bool Sends::stage(ChannelState& state, uint32_t who, std::span<const iovec> pieces, size_t total) {
  ChannelState::Sending& sending = state.sending;
  if (!is_open_ || sending.wants || state.failed || total > kGatherBytesMax ||
      arena_used_ + total > kArenaBytes) {
    return false;
  }
  if (sending.staged_bytes == 0) {
    sending.staged_at = arena_used_;
    if (!sending.stage_queued) staged_.push_back(who);  // it may have been sent at once before
    sending.stage_queued = true;
  } else if (sending.staged_at + sending.staged_bytes != arena_used_) {
    return false;
  }
  for (const iovec& piece : pieces) {
    std::memcpy(arenas_[arena_].get() + arena_used_, piece.iov_base, piece.iov_len);
    arena_used_ += static_cast<uint32_t>(piece.iov_len);
  }
  sending.staged_bytes += static_cast<uint32_t>(total);
  return true;
}

void Sends::hurry(ChannelState& state) {
  const iovec all{staged(state), state.sending.staged_bytes};
  ssize_t sent = 0;
  do {
    sent = kernel_.send(state.channel->fd, {&all, 1});
  } while (sent == -EINTR);
  if (sent <= 0) return;
  counters_.bytes_out.add(static_cast<uint64_t>(sent));
  state.sending.staged_at += static_cast<uint32_t>(sent);
  state.sending.staged_bytes -= static_cast<uint32_t>(sent);
}

Sent Sends::send_now(ChannelState& state, std::span<const iovec> pieces, size_t total) {
  constexpr size_t kPiecesMax = 64;
  CHECK(pieces.size() <= kPiecesMax, "a send of too many pieces");
  std::array<iovec, kPiecesMax> rest;
  std::copy(pieces.begin(), pieces.end(), rest.begin());
  size_t first = 0, bytes = 0;
  while (bytes < total) {
    const ssize_t sent =
        kernel_.send(state.channel->fd, std::span(rest).subspan(first, pieces.size() - first));
    if (sent == -EINTR) continue;
    if (sent < 0 && sent != -EAGAIN) return {.bytes = bytes, .error = static_cast<int>(sent)};
    if (sent <= 0) {
      wait_writable(state, state.channel->place);
      return {.bytes = bytes};
    }
    counters_.bytes_out.add(static_cast<uint64_t>(sent));
    bytes += static_cast<size_t>(sent);
    auto gone = static_cast<size_t>(sent);
    for (; first < pieces.size() && gone >= rest[first].iov_len; ++first)
      gone -= rest[first].iov_len;
    if (gone > 0) {
      rest[first].iov_base = static_cast<char*>(rest[first].iov_base) + gone;
      rest[first].iov_len -= gone;
    }
  }
  state.sending.wants = false;
  return {.bytes = bytes};
}

Sent Sends::send_file(ChannelState& state, const FilePart& part) {
  ChannelState::Sending& sending = state.sending;
  CHECK(sending.staged_bytes == 0 && sending.unsent_bytes == 0, "a file is sent before the rest");
  bool is_full = false;
  const Sent sent = send_file_to(kernel_, state.channel->fd, part, is_full);
  counters_.bytes_out.add(sent.bytes);
  if (is_full) {
    wait_writable(state, state.channel->place);
  } else if (sent.error == 0) {
    sending.wants = false;
  }
  return sent;
}

Unsent Sends::settle(ChannelState& state) {
  ChannelState::Sending& sending = state.sending;
  if (sending.unsent_bytes > 0) {
    return {{sending.unsent, std::exchange(sending.unsent_bytes, 0)}, sending.unsent_error};
  }
  if (sending.staged_bytes == 0) return {};
  const std::array<iovec, 1> all{iovec{staged(state), sending.staged_bytes}};
  sending.staged_bytes = 0;
  const Sent sent = send_now(state, all, all[0].iov_len);
  if (sent.error == 0 && sent.bytes == all[0].iov_len) return {};
  return {{static_cast<char*>(all[0].iov_base) + sent.bytes, all[0].iov_len - sent.bytes},
          sent.error};
}

void Sends::close(ChannelState& state, uint32_t who) {
  ChannelState::Sending& sending = state.sending;
  if (sending.staged_bytes > 0 && is_open_) hurry(state);
  if (sending.stage_queued) std::erase(staged_, who);
  sending.staged_bytes = sending.unsent_bytes = 0;
  if (sending.waits_writable) ring_.cancel(Op::kWritable, who);
}

}}}  // namespace trireme::uring

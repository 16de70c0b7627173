// What is told of channels, in order, and what is held because it may not be told yet.
#include <utility>

#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace uring {

bool UringDriver::next(Completion& out) {
  give_back_last();
  while (events_.has_more()) {
    if (give(events_.take(), out)) return true;
    give_back_last();  // of a channel that nobody reads any more
  }
  while (reads_cursor_ < reads_now_.size()) {
    const uint32_t who = reads_now_[reads_cursor_++];
    ChannelState& state = channels_.at(who);
    if (!state.read_queued) continue;  // another channel's by now
    state.read_queued = false;
    if (state.wants_read && !state.ended && !state.closing && give_held(state, who, out))
      return true;
  }
  Channel* const closed = channels_.release_next();
  if (closed == nullptr) return false;
  closed->flags = 0;
  out = {.kind = Completion::Kind::kClosed, .channel = closed};
  return true;
}

bool UringDriver::give(const Event& event, Completion& out) {
  ChannelState& state = channels_.at(event.who);
  if (event.kind == Event::Kind::kData) return give_data(state, event, out);
  if (event.kind == Event::Kind::kAccepted) return accepts_.give(state, event.result, out);
  if (state.closing) return false;
  switch (event.kind) {
    case Event::Kind::kEnd:
      state.held.note_end(0);
      if (state.wants_read && state.held.bytes() == 0) return give_end(state, 0, out);
      if (state.wants_read) queue_read(state, event.who);
      return false;
    case Event::Kind::kError:
      return !state.failed && give_error(state, event, out);
    case Event::Kind::kHangUp: {
      if (state.failed || state.wants_read) return false;  // who reads hears of it there
      const int error = kernel_.socket_error(state.channel->fd);
      return error != 0 && give_end(state, -error, out);
    }
    case Event::Kind::kWritable:
      return sends_.give_writable(state, out);
    case Event::Kind::kUnsent:
      return sends_.give_unsent(state, out);
    default:
      return false;
  }
}

bool UringDriver::give_data(ChannelState& state, const Event& event, Completion& out) {
  const std::span<char> bytes = receives_.lend(state, event);
  if (state.closing || state.ended) return false;
  const bool now =
      state.wants_read && state.held.bytes() == 0 && bytes.size() <= receive_bytes_max_;
  if (now) {
    receives_.choose_group(state, event);
    counters_.bytes_in.add(bytes.size());
    out = {.kind = Completion::Kind::kReceived,
           .channel = state.channel,
           .result = event.result,
           .bytes = bytes};
    return true;
  }
  const bool held = state.held.append(buffers_, bytes);
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

// Behind what is held. At once, if nobody reads: it is the last thing that matters.
bool UringDriver::give_error(ChannelState& state, const Event& event, Completion& out) {
  if (!state.wants_read || state.held.bytes() == 0) return give_end(state, event.result, out);
  state.held.note_end(event.result);
  queue_read(state, event.who);
  return false;
}

// A part of what was held, or the end behind it.
bool UringDriver::give_held(ChannelState& state, uint32_t who, Completion& out) {
  HeldInput& held = state.held;
  if (held.bytes() == 0) return held.is_end_due() && give_end(state, held.end_result(), out);
  const std::span<char> bytes = held.take(receive_bytes_max_);
  out = {.kind = Completion::Kind::kReceived,
         .channel = state.channel,
         .result = static_cast<int32_t>(bytes.size()),
         .bytes = bytes};
  counters_.bytes_in.add(bytes.size());
  if (held.is_due()) queue_read(state, who);
  if (held.bytes() == 0) {
    last_held_ = held.take_block();  // borrowed until the next completion
    queue_start(state, who);
  }
  return true;
}

// The end of the stream, or an error: the last thing that is told of reading.
bool UringDriver::give_end(ChannelState& state, int32_t result, Completion& out) {
  const uint32_t who = state.channel->place;
  state.ended = state.over = true;
  state.wants_read = false;
  state.held.drop_bytes();
  state.held.note_end_told();
  if (result < 0) {
    state.failed = true;
    state.sending.wants = false;
    stop_receiving(state, who);
  } else {
    watch_hang_up(state, who);
  }
  out = {.kind = Completion::Kind::kReceived, .channel = state.channel, .result = result};
  return true;
}

void UringDriver::give_back_last() {
  receives_.give_back();
  last_held_ = Block();
}

}}}  // namespace trireme::uring

// What a connection has of a codec with a decoder or an encoder of its own: the decoder, and frames
// that it has found while a handler runs, and the body that is on its way.
//
// Step 3. Thread: the holder of the loop. Bounded: kAheadMax frames wait, and bytes of them up to
// read_ahead_bytes_max and one frame; they are charged to the budget.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framing/codec_traits.h"
#include "framing/guarded_decoder.h"
#include "handling/incoming_body.h"
#include "runtime/memory/buffers.h"
#include "runtime/memory/scarce.h"
#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {

struct CodecState {
  static constexpr size_t kAheadMax = 16;

  // A frame, and where its consumed bytes lie: in the input, or in its own copy of them.
  struct Found {
    DecodedFrame frame;
    const char* begin = nullptr;
    bool in_read_buffer = false;
    std::string copy{};  // if it waits; then begin is null, and the payload is at an offset of it
    size_t payload_at = 0;
    size_t charged = 0;
    Charge charge{};
    std::shared_ptr<IncomingBody> body{};  // of a request; owners: as LeftWithRequest

    // It is to wait, in memory of its own. False: there is none.
    [[nodiscard]] bool own(Buffers& budget);
  };

  // The body that is on its way.
  struct Incoming {
    std::shared_ptr<IncomingBody> body{};   // null: there is none
    std::unique_ptr<Found> gathered_for{};  // its request, which starts when it is whole
    bool is_whole = false;
    bool has_failed = false;     // to be gathered: its request is refused
    bool is_abandoned = false;   // nobody reads it any more
    size_t abandoned_bytes = 0;  // that came since
    TimePoint window_begin{};    // the rate is measured since then
    size_t window_bytes = 0;     // that came since then
  };

  explicit CodecState(const CodecTraits& of_codec) : traits(of_codec) {}

  bool is_in_frame() const { return has_body() || (decoder != nullptr && decoder->is_in_frame()); }
  // With frames that wait. The oldest one.
  Found take_ahead() {
    Found found = std::move(ahead.front());
    ahead.erase(ahead.begin());
    ahead_bytes -= found.charged;
    return found;
  }
  // Nobody will handle them.
  void drop_ahead() {
    ahead.clear();
    ahead_bytes = 0;
  }
  // A body is on its way; a handler reads it.
  bool has_body() const { return incoming.body != nullptr; }
  bool has_read_body() const {
    return has_body() && incoming.gathered_for == nullptr && !incoming.is_abandoned;
  }
  // Its rate is measured from now on.
  void measure_body(TimePoint now) {
    incoming.window_begin = now;
    incoming.window_bytes = 0;
  }
  // Its rest does not come.
  void fail_body(BodyFailure why) {
    if (!has_body()) return;
    incoming.body->fail(why);
    incoming = {};
  }
  // Nobody reads this one any more: the rest is thrown away.
  void abandon(const IncomingBody& body) {
    if (incoming.body.get() == &body) incoming.is_abandoned = true;
  }
  // Nothing of what was decoded until now goes on: a new decoder begins with the next byte.
  void begin_anew() {
    drop_ahead();
    fail_body(BodyFailure::kGone);
    decoder.reset();
    has_ended = false;
  }

  const CodecTraits traits;
  std::unique_ptr<GuardedDecoder> decoder;  // made with the first bytes
  std::vector<Found> ahead;                 // oldest first
  size_t ahead_bytes = 0;
  Incoming incoming;
  bool has_ended = false;  // the decoder has told the end
};

inline bool CodecState::Found::own(Buffers& budget) {
  if (charged > 0) return true;
  const bool is_request = frame.kind == Frame::Kind::kRequest;
  const bool needs_frame = is_request && (frame.owned.empty() || frame.view != nullptr);
  const size_t copied = needs_frame ? frame.consumed : 0;
  const size_t bytes = copied + frame.owned.size() + frame.reply.size() + sizeof(Found);
  if (!budget.charge(bytes)) return false;
  charge = Charge(budget, bytes);
  charged = bytes;
  return with_memory([&] {
    if (copied > 0) copy.assign(begin, copied);
    if (copied > 0 && frame.owned.empty() && !frame.payload.empty())
      payload_at = static_cast<size_t>(frame.payload.data() - begin);
    begin = nullptr;
    in_read_buffer = false;
  });
}

}}  // namespace trireme

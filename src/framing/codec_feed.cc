#include "framing/codec_feed.h"

#include <algorithm>
#include <array>
#include <utility>

#include "framing/frame_guard.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr int kStandingMax = 16;  // as for a connection

bool are_equal(const DecodeState& a, const DecodeState& b) {
  return a.scanned == b.scanned && a.flags == b.flags;
}

bool are_equal(const Frame& a, const Frame& b) {
  return a.kind == b.kind && a.consumed == b.consumed && a.payload == b.payload &&
         a.request_kind == b.request_kind;
}

bool are_equal(const DecodedFrame& a, const DecodedFrame& b) {
  const bool same_kind =
      a.kind == b.kind && a.consumed == b.consumed && a.request_kind == b.request_kind;
  return same_kind && (!a.owned.empty() || a.payload == b.payload) && a.owned == b.owned &&
         a.tag == b.tag && a.code == b.code && a.reply == b.reply && a.at_once == b.at_once &&
         (a.view == nullptr) == (b.view == nullptr) && a.body == b.body &&
         a.ends_body == b.ends_body;
}

}  // namespace

CodecFeed::CodecFeed(const Codec& codec, size_t frame_bytes_max, Random* batches)
    : codec_(codec), frame_bytes_max_(frame_bytes_max), batches_(batches) {
  try {
    decoder_ = codec.make_decoder();
    twin_ = codec.make_decoder();
  } catch (...) {
    fail("make_decoder() threw: " + describe_thrown());
  }
  if ((decoder_ == nullptr) != (twin_ == nullptr))
    fail("make_decoder() makes one for some connections only");
}

void CodecFeed::take(std::string_view piece, bool ended) {
  if (is_over_) return;
  waiting_ += piece;
  // In memory of its own size: a sanitizer sees what is read behind it.
  const std::vector<char> bytes(waiting_.begin(), waiting_.end());
  std::string_view input(bytes.data(), bytes.size());
  if (decoder_ != nullptr) return pump_decoder(input, ended);
  pump(input, ended);
  waiting_.erase(0, waiting_.size() - input.size());
}

// As a connection does: what the decoder has changed and not consumed, it sees again.
void CodecFeed::pump_decoder(std::string_view& input, bool ended) {
  while (!is_over_ && (!input.empty() || ended)) {
    const DecodedFrame frame = ask_decoders(input, ended);
    if (is_over_) return;
    if (!frame.at_once.empty()) frames_ += "at once: " + frame.at_once + "\n";
    if (!frame.reply.empty()) frames_ += "reply: " + frame.reply + "\n";
    Frame plain = frame;
    if (!frame.owned.empty()) plain.payload = frame.owned;
    const bool more = frame.kind == Frame::Kind::kPart ? take_part(plain.payload, frame.ends_body)
                                                       : take_frame(plain, input, ended);
    if (frame.kind == Frame::Kind::kRequest) note_body(frame.body, frame.ends_body);
    input.remove_prefix(frame.consumed);
    waiting_.assign(input);
    if (!more) return;
  }
}

DecodedFrame CodecFeed::ask_decoders(std::string_view input, bool ended) {
  DecodedFrame frame, again;
  std::vector<char> copy(input.begin(), input.end());
  size_t held = 0;
  try {
    decoder_->decode({const_cast<char*>(input.data()), input.size()}, ended, frame_bytes_max_,
                     frame);
    held = decoder_->bytes_held();
    twin_->decode(copy, ended, frame_bytes_max_, again);
  } catch (...) {
    fail("its decoder threw: " + describe_thrown());
    return frame;
  }
  if (const char* mistake = mistake_in(frame, input, ended, frame_bytes_max_, held)) {
    fail(mistake);
  } else if (!are_equal(frame, again) || input != std::string_view(copy.data(), copy.size())) {
    fail("two decoders find two things: they must not share what they remember");
  }
  return frame;
}

void CodecFeed::pump(std::string_view& input, bool ended) {
  while (!is_over_) {
    if (input.empty() && !ended) return;
    const Frame frame = decode(input, ended);
    if (is_over_ || !take_frame(frame, input, ended)) return;
    input.remove_prefix(frame.consumed);
    if (batches_ == nullptr || frame.kind != Frame::Kind::kRequest) continue;
    input.remove_prefix(take_batch(input, ended, frame.request_kind));
  }
}

// Twice: what it finds must follow from what it was given.
Frame CodecFeed::decode(std::string_view input, bool ended) {
  DecodeState again_state = state_;
  Frame frame, again;
  try {
    frame = codec_.decode(state_, input, ended, frame_bytes_max_);
    again = codec_.decode(again_state, input, ended, frame_bytes_max_);
  } catch (...) {
    fail("decode() threw: " + describe_thrown());
    return {};
  }
  if (const char* mistake = mistake_in(frame, input, ended, frame_bytes_max_)) {
    fail(mistake);
  } else if (!are_equal(frame, again) || !are_equal(state_, again_state)) {
    fail("asked twice, it finds two things: it must not remember but in DecodeState");
  }
  return frame;
}

// True: the next frame may follow.
bool CodecFeed::take_frame(const Frame& frame, std::string_view input, bool ended) {
  const bool waits = frame.kind == Frame::Kind::kIncomplete || frame.kind == Frame::Kind::kEnd;
  standing_ = waits || frame.consumed > 0 ? 0 : standing_ + 1;
  if (standing_ > kStandingMax) fail("it finds frame after frame and consumes nothing");
  switch (frame.kind) {
    case Frame::Kind::kIncomplete:
      if (frame.consumed > 0) return true;
      if (ended) fail("it waits for more when no more will come: kEnd is meant");
      return false;
    case Frame::Kind::kSkip:
      return true;
    case Frame::Kind::kRequest:
      add_request(frame.payload, frame.request_kind);
      return !is_over_;
    case Frame::Kind::kEnd:
      if (frame.consumed > 0) frames_ += "dropped a part\n";
      if (frame.consumed < input.size()) fail("it ends, and leaves bytes that it has not consumed");
      is_over_ = true;
      return false;
    case Frame::Kind::kGoodbye:
      frames_ += "goodbye\n";
      is_over_ = true;
      return false;
    case Frame::Kind::kPart:
      return false;  // take_part
    case Frame::Kind::kRefused:
    case Frame::Kind::kFatal:
      if (frame.payload.empty() || frame.payload.find_first_of("\r\n") != std::string_view::npos)
        fail("it refuses without a sentence, or with one of several lines");
      frames_ += frame.kind == Frame::Kind::kFatal ? "fatal: " : "refused: ";
      frames_.append(frame.payload).append("\n");
      if (frame.kind == Frame::Kind::kFatal) is_over_ = true;
      return !is_over_;
  }
  return false;
}

void CodecFeed::note_body(BodyMode mode, bool is_empty) {
  if (is_in_body_) fail("it finds a request in the midst of a body");
  is_in_body_ = mode != BodyMode::kNone && !is_empty;
}

// Where parts end depends on what has come: they are one body.
bool CodecFeed::take_part(std::string_view part, bool is_last) {
  if (!is_in_body_) fail("it finds a part of a body, and there is none");
  body_ += part;
  is_in_body_ = !is_last;
  if (is_last) frames_ += "body: " + std::exchange(body_, {}) + "\n";
  return !is_over_;
}

// Returns how many bytes it has taken. Some of what was found is given back, as a connection does
// when it may not run all of it.
size_t CodecFeed::take_batch(std::string_view input, bool ended, uint32_t kind) {
  std::array<DecodedRequest, 16> all;
  const std::span<DecodedRequest> into = std::span(all).first(batches_->below(all.size() + 1));
  const DecodeState before = state_;
  size_t found = 0;
  try {
    found = codec_.decode_requests(state_, input, ended, frame_bytes_max_, kind, into);
  } catch (...) {
    fail("decode_requests() threw: " + describe_thrown());
    return 0;
  }
  if (found > into.size() ||
      !follow_each_other(into.first(found), input, frame_bytes_limit(frame_bytes_max_))) {
    fail("decode_requests() found what does not follow each other");
    return 0;
  }
  if (found == 0) return 0;
  size_t kept = found;
  if (batches_->chance(1, 2)) {
    kept = batches_->below(found + 1);
    state_ = kept > 0 ? into[kept - 1].after : before;
  }
  for (const DecodedRequest& one : into.first(kept)) {
    if (one.kind != kind) fail("decode_requests() found a request of another kind");
    add_request(one.payload, one.kind);
  }
  return kept > 0 ? static_cast<size_t>(into[kept - 1].end - input.data()) : 0;
}

void CodecFeed::add_request(std::string_view payload, uint32_t kind) {
  if (payload.size() > frame_bytes_max_) fail("a request is longer than frame_bytes_max");
  requests_.emplace_back(payload);
  frames_ += "request " + std::to_string(kind) + ": ";
  frames_.append(payload).append("\n");
}

void CodecFeed::fail(std::string sentence) {
  if (mistake_.empty()) mistake_ = std::move(sentence);
  is_over_ = true;
}

}}  // namespace trireme

#include "connection/framer.h"

#include "reply/envelope_guard.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {

bool Framer::frame(const Connection& connection, const ReplyTag& tag, const Answer& answer,
                   Framed& into, std::string& mistake, Of of) {
  if (connection.has_encoder()) {
    const OutgoingReply reply{.tag = tag,
                              .head = answer.head(),
                              .body = answer.text(),
                              .body_bytes = answer.body_bytes(),
                              .is_push = of == Of::kPush,
                              .closes = answer.closes() || is_last(connection, 0)};
    return encode(connection, reply, into, mistake);
  }
  try {
    envelope_ = connection.decoder.codec()->envelope(answer.body_bytes());
  } catch (...) {
    mistake = "envelope() threw: " + describe_thrown();
    return false;
  }
  if (!trireme::is_within_bounds(envelope_)) {
    mistake = "its envelope is overfilled";
    return false;
  }
  into = {.head = {envelope_.head.data(), envelope_.head_bytes},
          .tail = {envelope_.tail.data(), envelope_.tail_bytes}};
  if (!answer.head().empty()) {
    encoded_.head.assign(answer.head()).append(into.head);
    into.head = encoded_.head;
  }
  return true;
}

bool Framer::encode(const Connection& connection, const OutgoingReply& reply, Framed& into,
                    std::string& mistake) {
  encoded_.head.clear();
  encoded_.tail.clear();
  encoded_.drops_body = encoded_.closes = false;
  try {
    connection.decoder.codec()->encode(reply, encoded_);
  } catch (...) {
    mistake = "encode() threw: " + describe_thrown();
    return false;
  }
  if (!is_within_bounds(mistake)) return false;
  into = {.head = encoded_.head,
          .tail = encoded_.tail,
          .drops_body = encoded_.drops_body,
          .closes = encoded_.closes};
  return true;
}

bool Framer::is_within_bounds(std::string& mistake) const {
  if (encoded_.head.size() <= EncodedReply::kHeadBytesMax &&
      encoded_.tail.size() <= EncodedReply::kTailBytesMax) {
    return true;
  }
  mistake = "what it has encoded is overfilled";
  return false;
}

bool Framer::frame_part(const Connection& connection, const Part& part, Framed& into,
                        std::string& mistake) {
  encoded_.head.clear();
  encoded_.tail.clear();
  encoded_.drops_body = encoded_.closes = false;
  const Codec& codec = *connection.decoder.codec();
  try {
    if (part.of == Part::Of::kBegin) {
      codec.encode_begin({.tag = part.tag,
                          .head = part.head.head(),
                          .closes = part.head.closes() || is_last(connection, 1)},
                         encoded_);
    } else if (part.of == Part::Of::kPiece) {
      codec.encode_chunk(part.tag, part.bytes, encoded_);
    } else {
      codec.encode_end(part.tag, encoded_);
    }
  } catch (...) {
    mistake = "encode_begin(), encode_chunk() or encode_end() threw: " + describe_thrown();
    return false;
  }
  if (!is_within_bounds(mistake)) return false;
  if (!connection.has_encoder() && !add_envelope(connection, part, mistake)) return false;
  into = {.head = encoded_.head,
          .tail = encoded_.tail,
          .drops_body = encoded_.drops_body,
          .closes = encoded_.closes};
  return true;
}

// An envelope that is the same for all replies stands around the whole. One that knows the size can
// stand around pieces alone, and so does every one where replies have no order.
bool Framer::add_envelope(const Connection& connection, const Part& part, std::string& mistake) {
  const Codec* const codec = connection.decoder.codec();
  const bool is_whole =
      connection.listening->envelopes_of(codec).is_fixed() && !connection.listening->is_unordered;
  if (part.of == Part::Of::kBegin) encoded_.head.insert(0, part.head.head());
  if (is_whole == (part.of == Part::Of::kPiece)) return true;
  try {
    envelope_ = codec->envelope(part.bytes);
  } catch (...) {
    mistake = "envelope() threw: " + describe_thrown();
    return false;
  }
  if (!trireme::is_within_bounds(envelope_)) {
    mistake = "its envelope is overfilled";
    return false;
  }
  if (part.of != Part::Of::kEnd) encoded_.head.append(envelope_.head.data(), envelope_.head_bytes);
  if (part.of != Part::Of::kBegin)
    encoded_.tail.insert(0, envelope_.tail.data(), envelope_.tail_bytes);
  return true;
}

// The reply that leaves now is the last one, as far as is known: so many others are due, the one
// that leaves among them unless it is retired.
bool Framer::is_last(const Connection& connection, uint64_t in_flight) const {
  return connection.life.is_stopped() && connection.sequencer.in_flight() == in_flight &&
         turn_.pending(connection).empty() && !connection.has_decoded_ahead();
}

bool Framer::ask_error_reply(const Connection& connection, const RequestMark& mark,
                             const Answer& answer, ErrorReply& into, std::string& mistake) {
  const FailedRequest failed{.failure = answer.failure(),
                             .sentence = answer.text(),
                             .tag = mark.tag,
                             .code = answer.code() != 0 ? answer.code() : mark.code};
  try {
    into = connection.decoder.codec()->error_reply(failed);
    return true;
  } catch (...) {
    mistake = "error_reply() threw: " + describe_thrown();
    return false;
  }
}

}}  // namespace trireme

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
                              .closes = answer.closes() || is_last(connection)};
    return encode(connection, reply, into, mistake);
  }
  try {
    envelope_ = connection.decoder.codec()->envelope(answer.body_bytes());
  } catch (...) {
    mistake = "envelope() threw: " + describe_thrown();
    return false;
  }
  if (!is_within_bounds(envelope_)) {
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
  if (encoded_.head.size() > EncodedReply::kHeadBytesMax ||
      encoded_.tail.size() > EncodedReply::kTailBytesMax) {
    mistake = "what it has encoded is overfilled";
    return false;
  }
  into = {.head = encoded_.head,
          .tail = encoded_.tail,
          .drops_body = encoded_.drops_body,
          .closes = encoded_.closes};
  return true;
}

// The reply that leaves now is the last one, as far as is known. It is retired already.
bool Framer::is_last(const Connection& connection) const {
  return connection.life.is_stopped() && connection.sequencer.in_flight() == 0 &&
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

// Calls of codecs, which are the user's and may make mistakes: what they throw ends here, what they
// say is looked at. A mistake ends the connection at hand, in good order and with a line in the
// log.
#include "connection/codec_calls.h"

#include <string>
#include <utility>

#include "reply/envelope_guard.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {
namespace {

// Requests and refusals of one connection, one after the other, without a byte consumed. One may
// make sense: the first byte is looked at, and the answer switches to the codec that it asks for.
constexpr uint8_t kEmptyFramesMax = 16;

}  // namespace

// A frame that is not a request of the usual kind: it is what the codec meant, or the end.
void IoWorker::judge_in_loop(Connection& connection, std::string_view input, bool ended,
                             Frame& frame) {
  if (connection.phase != Connection::Phase::kOpen) return;  // the codec threw
  const char* mistake = mistake_in(frame, input, ended, connection.listening->frame_bytes_max);
  const bool waits = frame.kind == Frame::Kind::kIncomplete || frame.kind == Frame::Kind::kEnd;
  if (waits || frame.consumed > 0) {
    connection.empty_frames = 0;
  } else if (++connection.empty_frames > kEmptyFramesMax && mistake == nullptr) {
    mistake = "it finds frame after frame and consumes nothing";
  }
  if (mistake != nullptr) {
    if (connection.input_bytes() == 0) batch_input_ = input;
    codec_failed_in_loop(connection, mistake);
    frame = {.kind = Frame::Kind::kEnd};
  } else if (ended && frame.kind == Frame::Kind::kIncomplete && frame.consumed == 0) {
    if (input.empty() && connection.decode_state.flags != 0) {
      loop_.counters.partial_requests_dropped.add();  // of which no byte was kept
    }
    frame = {.kind = Frame::Kind::kEnd, .consumed = input.size()};
  }
}

// The codec has made a mistake, of which `what` tells: nothing more is decoded, replies to what was
// read leave.
void IoWorker::codec_failed_in_loop(Connection& connection, std::string_view what) {
  core_.codec_gate.write(core_.log, LogLevel::kError, loop_.now(), [&] {
    const std::string client = core_.describe(connection.id);
    std::string line = "a connection is closed, the codec of '";
    line += connection.listening->name;
    line += "' has made a mistake with " + (client.empty() ? "its client" : client) + ": ";
    line += what;
    return line;
  });
  finish_connection_in_loop(connection, CloseReason::kCodecError);
  connection.reason = CloseReason::kCodecError;  // also of one that was about to end
}

// In a catch block.
void IoWorker::codec_threw_in_loop(Connection& connection, const char* function) {
  codec_failed_in_loop(connection, std::string(function) + " threw: " + describe_thrown());
}

// No further reply leaves: the client would take it for the answer to another request.
void IoWorker::reply_failed_in_loop(Connection& connection) {
  loop_.counters.replies_dropped.add();
  connection.replies_ended = true;
}

// False: the codec has made a mistake, and the reply is dropped.
bool IoWorker::ask_envelope_in_loop(Connection& connection, size_t body_bytes, Envelope& into) {
  try {
    into = connection.codec->envelope(body_bytes);
  } catch (...) {
    reply_failed_in_loop(connection);
    codec_threw_in_loop(connection, "envelope()");
    return false;
  }
  if (is_within_bounds(into)) return true;
  reply_failed_in_loop(connection);
  codec_failed_in_loop(connection, "its envelope is overfilled");
  return false;
}

// Likewise, for an error or a refusal.
bool IoWorker::ask_error_reply_in_loop(Connection& connection, const Answer& answer,
                                       ErrorReply& into) {
  const bool is_busy = answer.kind() == Answer::Kind::kBusy;
  try {
    into = is_busy ? connection.codec->busy_reply() : connection.codec->error_reply(answer.text());
    return true;
  } catch (...) {
    reply_failed_in_loop(connection);
    codec_threw_in_loop(connection, is_busy ? "busy_reply()" : "error_reply()");
    return false;
  }
}

// The last words of a drain, if the codec still has a say.
void IoWorker::say_goodbye_in_loop(Connection& connection) {
  connection.goodbye_said = true;
  if (connection.reason == CloseReason::kCodecError) return;
  std::string words;
  try {
    words = connection.codec->goodbye();
  } catch (...) {
    return codec_threw_in_loop(connection, "goodbye()");
  }
  write_in_loop(connection, words);
}

}}  // namespace trireme

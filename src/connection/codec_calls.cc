// Calls of codecs, which are the user's and may make mistakes: what they throw ends here, what they
// say is looked at. A mistake ends the connection at hand, in good order and with a line in the
// log.
#include "connection/io_worker.h"

#include <string>
#include <utility>

#include "reply/envelope_guard.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {
// The mistake that the decoder has noted.
void IoWorker::codec_failed_in_loop(Connection& connection) {
  codec_failed_in_loop(connection, std::exchange(notes_.mistake, {}));
}

// The codec has made a mistake, of which `what` tells: nothing more is decoded, replies to what was
// read leave.
void IoWorker::codec_failed_in_loop(Connection& connection, std::string_view what) {
  context_.codec_gate.write(context_.log, LogLevel::kError, loop_.now(), [&] {
    const std::string client = context_.roster.describe(connection.id);
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
    into = connection.decoder.codec()->envelope(body_bytes);
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
    into = is_busy ? connection.decoder.codec()->busy_reply()
                   : connection.decoder.codec()->error_reply(answer.text());
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
    words = connection.decoder.codec()->goodbye();
  } catch (...) {
    return codec_threw_in_loop(connection, "goodbye()");
  }
  write_in_loop(connection, words);
}

}}  // namespace trireme

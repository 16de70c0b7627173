#include "connection/bodies.h"

#include <memory>
#include <string_view>
#include <utility>

#include "connection/clocks.h"
#include "connection/dispatcher.h"
#include "connection/ending.h"
#include "connection/strand.h"
#include "handling/body_pipe.h"
#include "handling/body_relay.h"
#include "handling/gathered_body.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {
namespace {

// The frame is nothing to anybody else; another one may follow.
void hide(DecodedFrame& frame, Frame::Kind kind) {
  frame.kind = kind;
  frame.consumed = std::max<size_t>(frame.consumed, 1);
  frame.payload = {};
  frame.owned.clear();
}

}  // namespace

const char* Bodies::mistake_in(const CodecState& state, const DecodedFrame& frame) {
  if (!state.has_body()) {
    const bool is_part = frame.kind == Frame::Kind::kPart;
    return is_part ? "it finds a part of a body, and there is none" : nullptr;
  }
  if (frame.kind == Frame::Kind::kRequest) return "it finds a request in the midst of a body";
  if (!frame.reply.empty()) return "it answers by itself in the midst of a body";
  return nullptr;
}

bool Bodies::take(Connection& connection, CodecState::Found& found) {
  CodecState& state = *connection.codec_state();
  switch (found.frame.kind) {
    case Frame::Kind::kRequest:
      if (found.frame.body == BodyMode::kNone || found.frame.ends_body) return true;
      return begin(connection, found);
    case Frame::Kind::kPart:
      return take_part(connection, found);
    case Frame::Kind::kIncomplete:
    case Frame::Kind::kSkip:
      break;
    case Frame::Kind::kRefused:
    case Frame::Kind::kFatal:
      state.fail_body(BodyFailure::kRefused);
      break;
    case Frame::Kind::kEnd:
    case Frame::Kind::kGoodbye:
      state.fail_body(BodyFailure::kCut);
      break;
  }
  return true;
}

bool Bodies::begin(Connection& connection, CodecState::Found& found) {
  CodecState::Incoming& incoming = connection.codec_state()->incoming;
  const bool relays =
      found.frame.body == BodyMode::kStreamed && connection.listening->has_on_body();
  const bool gathers = !relays && (!handlers_wait_ || found.frame.body == BodyMode::kGathered ||
                                   connection.listening->dispatch == Dispatch::kInline);
  const size_t room = connection.listening->options.limits.body_bytes_ahead_max;
  const bool begun = with_memory([&] {
    if (relays) {
      auto relay = std::make_shared<BodyRelay>(parts_.context, room);
      found.body = relay;
      parts_.strand.relay(connection, std::move(relay));
    } else if (gathers) {
      const bool may_spool = handlers_wait_ && connection.listening->dispatch != Dispatch::kInline;
      found.body = std::make_shared<GatheredBody>(parts_.context, may_spool);
    } else {
      found.body = std::make_shared<BodyPipe>(parts_.context, connection.id, room);
    }
    incoming = {};
    incoming.body = found.body;
    if (gathers) incoming.gathered_for = std::make_unique<CodecState::Found>();
  });
  if (!begun) return close(connection);
  parts_.clocks.start_body(connection);
  if (!gathers) return true;
  if (!found.own(parts_.context.buffers)) return close(connection);
  *incoming.gathered_for = std::move(found);
  found = {};
  found.frame.reply = std::exchange(incoming.gathered_for->frame.reply, {});
  hide(found.frame, Frame::Kind::kIncomplete);
  return true;
}

bool Bodies::take_part(Connection& connection, CodecState::Found& found) {
  CodecState::Incoming& incoming = connection.codec_state()->incoming;
  DecodedFrame& frame = found.frame;
  const std::string_view part = frame.owned.empty() ? frame.payload : std::string_view(frame.owned);
  incoming.window_bytes += part.size();
  if (incoming.is_abandoned) incoming.abandoned_bytes += part.size();
  if (!incoming.body->put(part)) return close(connection);
  if (incoming.gathered_for != nullptr && !write(connection)) return close(connection);
  const bool ends = frame.ends_body;
  hide(frame, ends ? Frame::Kind::kSkip : Frame::Kind::kIncomplete);
  if (ends) {
    end(connection);
  } else if (incoming.abandoned_bytes > parts_.context.options.linger_bytes_max) {
    // Too much to be thrown away for the sake of the requests behind it.
    parts_.ending.finish(connection, CloseReason::kClosedByHandler);
    return false;
  }
  return true;
}

// To its file, if it has become long. False: there is no memory for a job.
bool Bodies::write(Connection& connection) {
  CodecState::Incoming& incoming = connection.codec_state()->incoming;
  auto body = std::static_pointer_cast<GatheredBody>(incoming.body);
  if (!body->wants_write()) return true;
  const bool callback_out = connection.life.is_callback_out();
  Job* const job = parts_.dispatcher.make(connection, JobKind::kSpool);
  connection.life.note_callback_out(callback_out);
  if (job == nullptr) return false;
  body->begin_write();
  job->event.gathered = std::move(body);
  parts_.dispatcher.send_away(*job);
  return connection.is_live();
}

void Bodies::note_written(Connection& connection, Job& job) {
  const std::shared_ptr<GatheredBody> body = std::move(job.event.gathered);
  const bool is_written = body->written();
  if (!is_written) {
    parts_.context.spool_gate.write(
        parts_.context.log, LogLevel::kWarning, parts_.context.platform.clock.now(), [&] {
          return "a long body cannot be kept in '" + parts_.context.options.spool_directory +
                 "': errno " + std::to_string(-body->error());
        });
  }
  CodecState* const state = connection.codec_state();
  if (state == nullptr || state->incoming.body != body) return;
  state->measure_body(parts_.context.platform.clock.now());
  state->incoming.has_failed = !is_written;
  // What has come meanwhile.
  if (is_written && !write(connection)) close(connection);
}

void Bodies::end(Connection& connection) {
  CodecState::Incoming& incoming = connection.codec_state()->incoming;
  incoming.body->end();
  if (incoming.gathered_for != nullptr) {
    incoming.is_whole = true;
    return;
  }
  incoming = {};
  if (!connection.life.is_stopped()) return;
  // A drain has let this request end. What follows has come too late.
  parts_.turn.drop_received(connection);
  connection.input.clear();
}

bool Bodies::take_whole(Connection& connection, CodecState::Found& found) {
  CodecState::Incoming& incoming = connection.codec_state()->incoming;
  if (!incoming.is_whole && !incoming.has_failed) return false;
  found = std::move(*incoming.gathered_for);
  incoming.gathered_for.reset();
  if (incoming.has_failed) {
    found.frame.kind = Frame::Kind::kRefused;
    found.frame.failure = Failure::kBusy;
    found.frame.payload = "there is no room for the request";
    found.body.reset();
    incoming.body->abandon(false);
    incoming.is_abandoned = true;
    incoming.has_failed = false;
  }
  if (incoming.is_whole) incoming = {};
  return true;
}

bool Bodies::close(Connection& connection) {
  parts_.ending.close(connection, CloseReason::kOutOfMemory);
  return false;
}

}}  // namespace trireme

#include "connection/object_decoding.h"

#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "connection/clocks.h"
#include "connection/ending.h"
#include "connection/pushes.h"
#include "connection/receiver.h"
#include "connection/replies.h"
#include "runtime/memory/scarce.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {

Job* ObjectDecoding::decode(Connection& connection) {
  CodecState& state = *connection.rare->codec_state;
  Job* job = nullptr;
  do {
    Found found;
    if (!state.ahead.empty()) {
      found = state.take_ahead();
    } else if (Bodies::awaits_room(connection)) {
      return nullptr;
    } else if (!Bodies::take_whole(connection, found) && !ask(connection, found)) {
      return nullptr;
    }
    if (!take(connection, found, job)) return nullptr;
  } while (job == nullptr && parts_.receiver.may_start(connection));
  return job;
}

// What is at the front of the input; it is consumed, and what leaves at once has left. False: the
// connection ends.
bool ObjectDecoding::ask(Connection& connection, Found& found) {
  CodecState& state = *connection.rare->codec_state;
  if (state.decoder == nullptr && !make_decoder(connection)) return false;
  const std::string_view input = parts_.turn.pending(connection);
  const bool ended = connection.life.peer_ended();
  found.begin = input.data();
  found.in_read_buffer = connection.input.bytes() == 0;
  if (input.empty() && !ended) return true;
  std::string mistake;
  const size_t frame_bytes_max = connection.listening->frame_rules.frame_bytes_max;
  switch (state.decoder->decode(frame_bytes_max, input, ended, found.frame, mistake)) {
    case GuardedDecoder::Result::kFrame:
      break;
    case GuardedDecoder::Result::kMistake:
      connection.reading.awaits_more = false;
      parts_.ending.fail_codec(connection, mistake);
      return false;
    case GuardedDecoder::Result::kNoMemory:
      parts_.ending.close(connection, CloseReason::kOutOfMemory);
      return false;
  }
  if (const char* wrong = Bodies::mistake_in(state, found.frame)) {
    connection.reading.awaits_more = false;
    parts_.ending.fail_codec(connection, wrong);
    return false;
  }
  if (found.frame.consumed > 0) parts_.turn.consume(connection, found.frame.consumed);
  if (!found.frame.at_once.empty())
    parts_.pushes.send_now(connection, std::move(found.frame.at_once));
  return connection.is_live() && bodies_.take(connection, found);
}

bool ObjectDecoding::make_decoder(Connection& connection) {
  std::string mistake = "make_decoder() has made none";
  try {
    CodecState& state = *connection.rare->codec_state;
    auto decoder = connection.decoder.codec()->make_decoder();
    if (decoder != nullptr) {
      state.decoder = std::make_unique<GuardedDecoder>(std::move(decoder), parts_.context.buffers);
      return true;
    }
  } catch (const std::bad_alloc&) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  } catch (...) {
    mistake = "make_decoder() threw: " + describe_thrown();
  }
  parts_.ending.fail_codec(connection, mistake);
  return false;
}

// `job`: of a request. False: nothing more is decoded now.
bool ObjectDecoding::take(Connection& connection, Found& found, Job*& job) {
  DecodedFrame& frame = found.frame;
  if (!frame.reply.empty() && !answer_by_itself(connection, std::move(frame.reply))) return false;
  switch (frame.kind) {
    case Frame::Kind::kRequest:
      job = make_request(connection, found);
      return job != nullptr;
    case Frame::Kind::kRefused:
    case Frame::Kind::kFatal: {
      const RequestMark mark{.tag = frame.tag, .code = frame.code};
      return parts_.receiver.refuse(connection, frame, &mark);
    }
    case Frame::Kind::kEnd:
      end(connection, frame);
      return false;
    case Frame::Kind::kGoodbye:
      connection.reading.awaits_more = false;
      parts_.ending.finish(connection, CloseReason::kPeerClosed);
      return false;
    case Frame::Kind::kIncomplete:
    case Frame::Kind::kSkip:
    case Frame::Kind::kPart:
      return parts_.receiver.take_no_request(connection, frame);
  }
  return false;
}

// It has a place in the order of replies. False: the connection has ended.
bool ObjectDecoding::answer_by_itself(Connection& connection, std::string bytes) {
  if (connection.listening->is_unordered) {
    parts_.pushes.send_now(connection, std::move(bytes));
    return connection.is_live();
  }
  const uint64_t number = parts_.replies.open_marked(connection, nullptr, {});
  if (number == 0) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  }
  parts_.replies.answer(connection, number, detail::as_it_is(std::move(bytes)));
  return connection.is_live();
}

// Null: there is no memory for its job, and the connection is closed.
Job* ObjectDecoding::make_request(Connection& connection, Found& found) {
  DecodedFrame& frame = found.frame;
  const bool waited = found.charged > 0;
  const size_t owned_bytes = waited ? 0 : frame.owned.size();
  if (!parts_.context.buffers.charge(owned_bytes)) return parts_.receiver.drop_request(connection);
  Charge charge(parts_.context.buffers, owned_bytes);
  const RequestMark mark{.tag = frame.tag, .code = frame.code};
  Job* const job = parts_.receiver.open_request(connection, mark);
  if (job == nullptr) return nullptr;
  JobRequests& requests = job->requests;
  AttachedToRequest& attached = requests.attached;
  attached.charge = std::move(waited ? found.charge : charge);
  attached.owned = std::move(frame.owned);
  attached.frame = std::move(found.copy);
  attached.view = std::move(frame.view);
  attached.tag = frame.tag;
  if (found.body != nullptr) found.body->read_by(*job);
  attached.body = std::move(found.body);
  requests.has_attached = true;
  const bool reads = frame.body == BodyMode::kStreamed && !connection.listening->has_on_body();
  const bool may_wait = frame.streams || reads;
  if (may_wait && connection.listening->dispatch != Dispatch::kInline)
    job->run.permit = StreamPermit::kWanted;
  const bool is_owned = !attached.owned.empty();
  if (!attached.frame.empty()) {
    requests.begin = attached.frame.data();
    frame.payload = std::string_view(attached.frame).substr(found.payload_at, frame.payload.size());
  } else {
    // Bytes that nobody refers to need not last.
    requests.begin = is_owned && attached.view == nullptr ? nullptr : found.begin;
  }
  const size_t frame_bytes = requests.begin == nullptr ? 0 : frame.consumed;
  requests.all[0] = {is_owned ? std::string_view(attached.owned) : frame.payload,
                     requests.begin + frame_bytes, DecodeState(), frame.request_kind};
  job->home.in_read_buffer = found.in_read_buffer;
  job->cancellation.set_view(attached.view.get());
  requests.place_view();
  return job;
}

void ObjectDecoding::end(Connection& connection, const Frame& frame) {
  connection.reading.awaits_more = false;
  if (frame.consumed > 0 || connection.rare->codec_state->is_in_frame())
    parts_.books.partial_requests_dropped.add();
  connection.life.note_decoded();
}

bool ObjectDecoding::may_decode_ahead(const Connection& connection) const {
  const CodecState& state = *connection.rare->codec_state;
  const bool has_input = !parts_.turn.pending(connection).empty() || connection.life.peer_ended();
  const bool has_room =
      state.ahead.size() < CodecState::kAheadMax &&
      state.ahead_bytes < connection.listening->options.limits.read_ahead_bytes_max;
  if (!has_input || state.has_ended || !connection.life.decodes() || connection.out.is_full())
    return false;
  // A handler waits for it.
  if (state.has_body()) return !Bodies::awaits_room(connection);
  return state.traits.decodes_ahead && has_room && !parts_.context.buffers.under_pressure();
}

void ObjectDecoding::decode_ahead(Connection& connection) {
  CodecState& state = *connection.rare->codec_state;
  while (may_decode_ahead(connection)) {
    Found found;
    if (!parts_.turn.count_frame()) return;
    if (!Bodies::take_whole(connection, found) && !ask(connection, found)) return;
    const Frame::Kind kind = found.frame.kind;
    const bool waits = kind == Frame::Kind::kIncomplete;
    const bool consumed = found.frame.consumed > 0;
    state.has_ended =
        kind == Frame::Kind::kEnd || kind == Frame::Kind::kFatal || kind == Frame::Kind::kGoodbye;
    const bool is_within = kind == Frame::Kind::kSkip && state.is_in_frame();
    if (!waits && !is_within) connection.reading.awaits_more = false;
    const bool matters = !waits && kind != Frame::Kind::kSkip;
    if ((matters || !found.frame.reply.empty()) && !keep(connection, found)) return;
    if (waits) note_incomplete(connection);
    if (waits && !consumed) return;
  }
}

void ObjectDecoding::note_incomplete(Connection& connection) {
  const bool partial =
      !parts_.turn.pending(connection).empty() || connection.rare->codec_state->is_in_frame();
  if (partial && !connection.reading.awaits_more) parts_.clocks.start_request(connection);
  connection.reading.awaits_more = partial;
}

// It waits, in memory of its own. False: there is none, and the connection is closed.
bool ObjectDecoding::keep(Connection& connection, Found& found) {
  CodecState& state = *connection.rare->codec_state;
  if (found.frame.kind == Frame::Kind::kIncomplete)
    found.frame.kind = Frame::Kind::kSkip;  // for its reply
  const bool kept = found.own(parts_.context.buffers) && with_memory([&] {
                      state.ahead.push_back(std::move(found));
                      state.ahead_bytes += state.ahead.back().charged;
                    });
  if (!kept) parts_.ending.close(connection, CloseReason::kOutOfMemory);
  return kept;
}

}}  // namespace trireme
